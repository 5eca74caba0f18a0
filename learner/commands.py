"""The learner's command, `kn-ahead learn`: reads demand, publishes forecasts."""

from pathlib import Path
from typing import Annotated

import typer

from autoscaler.cli.options import (
    COUNT,
    PORT,
    CaFile,
    ClientCert,
    ClientKey,
    FitRounds,
    FitRows,
    Headers,
    LogFormatOption,
    LogLevelOption,
    StepS,
    TokenFile,
    moment,
    one_line_errors,
)
from autoscaler.files import check_writable
from autoscaler.logs import LogFormat, LogLevel, set_up
from autoscaler.signing import read_key
from learner.settings import LearnerSettings

HOST = "0.0.0.0"  # noqa: S104  # a pod's own address

Prometheus = Annotated[str, typer.Option(help="Address of the Prometheus to learn from.")]
Bundle = Annotated[Path, typer.Option(help="Where the forecasts are published.")]
History = Annotated[str, typer.Option(help="How far back is read, such as 14d.")]
Refit = Annotated[str, typer.Option(help="How often the models are fitted anew.")]
Upstreams = Annotated[
    list[str] | None,
    typer.Option(
        help="A series that a service follows, as namespace/service=PromQL; may be repeated."
    ),
]
Serve = Annotated[
    int | None, typer.Option(help="Serve the forecasts over HTTP on this port.", parser=PORT)
]
Key = Annotated[Path | None, typer.Option(help="File whose bytes sign the forecasts; 32 or more.")]
Scheduler = Annotated[
    str | None,
    typer.Option(
        help="A Dask scheduler whose workers forecast and fit (tcp://host:8786), or `local`."
    ),
]
TlsCert = Annotated[Path | None, typer.Option(help="Certificate, PEM: serve over HTTPS with it.")]
TlsKey = Annotated[Path | None, typer.Option(help="Its private key, PEM.")]

Prior = Annotated[
    Path | None, typer.Option(help="Answers until the first fit, by kn-ahead prior; else ours.")
]

DEFAULTS = LearnerSettings()

Concurrency = Annotated[
    int,
    typer.Option(
        help="Requests in flight that one pod takes, where Prometheus does not say; 0 = no limit.",
        parser=COUNT,
    ),
]

app = typer.Typer()


@app.command()
def learn(
    prometheus: Prometheus,
    bundle: Bundle,
    step_s: StepS = 60.0,
    history: History = "14d",
    refit: Refit = "1h",
    concurrency: Concurrency = 1,
    upstream: Upstreams = None,
    fit_rows: FitRows = DEFAULTS.max_rows,
    fit_rounds: FitRounds = DEFAULTS.rounds,
    prior: Prior = None,
    scheduler: Scheduler = None,
    token_file: TokenFile = None,
    header: Headers = None,
    ca_file: CaFile = None,
    client_cert: ClientCert = None,
    client_key: ClientKey = None,
    serve: Serve = None,
    key: Key = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    log_level: LogLevelOption = LogLevel.INFO,
    log_format: LogFormatOption = LogFormat.TEXT,
) -> None:
    """Keep forecasts current: read demand from Prometheus, fit now and then, publish every step."""
    set_up(log_level, log_format)
    with one_line_errors():
        check_writable(bundle)
        history_s, refit_s, secret = moment(history, 0.0), moment(refit, 0.0), read_key(key)
        # Only now what takes seconds to import.
        from autoscaler.access import Access
        from autoscaler.api.server import ServerSettings
        from learner.prior.file import SHIPPED
        from learner.publishing.bundle_server import BundleServer
        from learner.publishing.publisher import PublishSettings, prometheus_publisher
        from learner.sources.upstreams import upstreams_of
        from learner.status import LearnerStatus

        access = Access(
            token_file=token_file, headers=tuple(header or ()), ca_file=ca_file, cert=client_cert,
            key=client_key,
        )  # fmt: skip
        settings = PublishSettings(
            bundle=bundle, step_s=step_s, history_s=history_s, refit_s=refit_s, key=secret,
            learner=LearnerSettings(max_rows=fit_rows, rounds=fit_rounds),
        )  # fmt: skip
        status = LearnerStatus(step_s=settings.step_s, refit_s=settings.refit_s)
        capacity, series = float(concurrency) or 100.0, upstreams_of(upstream or ())
        publisher = prometheus_publisher(
            prometheus, capacity, series, settings, status, prior or SHIPPED, scheduler, access
        )
        if serve:
            address = ServerSettings(host=HOST, port=serve, tls_cert=tls_cert, tls_key=tls_key)
            BundleServer(bundle, address, status).start()
        publisher.run()
