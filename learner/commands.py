"""The command of this room: forecasts are kept current."""

from pathlib import Path
from typing import Annotated

import typer

from autoscaler.cli.options import (
    PORT,
    Concurrency,
    LogFormatOption,
    LogLevelOption,
    StepS,
    moment,
    one_line_errors,
)
from autoscaler.files import check_writable
from autoscaler.logs import LogFormat, LogLevel, set_up

app = typer.Typer()


@app.command()
def learn(
    prometheus: Annotated[str, typer.Option(help="Address of the Prometheus to learn from.")],
    bundle: Annotated[Path, typer.Option(help="Where the forecasts are published.")],
    step_s: StepS = 60.0,
    history: Annotated[str, typer.Option(help="How far back is read, such as 14d.")] = "14d",
    refit: Annotated[str, typer.Option(help="How often the models are fitted anew.")] = "1h",
    concurrency: Concurrency = 1,
    upstream: Annotated[
        list[str] | None,
        typer.Option(
            help="A series that a service follows, as namespace/service=PromQL; may be repeated."
        ),
    ] = None,
    serve: Annotated[
        int | None,
        typer.Option(help="Serve the forecasts over HTTP on this port.", parser=PORT),
    ] = None,
    key: Annotated[
        Path | None, typer.Option(help="File whose bytes sign the forecasts; 32 or more.")
    ] = None,
    tls_cert: Annotated[
        Path | None, typer.Option(help="Certificate, PEM: serve over HTTPS with it.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its private key, PEM.")] = None,
    log_level: LogLevelOption = LogLevel.INFO,
    log_format: LogFormatOption = LogFormat.TEXT,
) -> None:
    """Keep forecasts current: read demand from Prometheus, fit now and then, publish every step."""
    import time

    from autoscaler.api.server import ServerSettings
    from autoscaler.clock import SystemClock
    from autoscaler.signing import read_key
    from learner.dependency_search import dependency_search_of
    from learner.publishing.bundle_server import BundleServer
    from learner.publishing.publisher import Publisher, PublishSettings
    from learner.sources.demand_reader import PrometheusReader
    from learner.sources.queries import PrometheusServer
    from learner.sources.upstreams import WithUpstreams, upstreams_of
    from learner.status import LearnerStatus

    set_up(log_level, log_format)
    with one_line_errors():
        check_writable(bundle)
        upstreams = upstreams_of(upstream or ())
        settings = PublishSettings(
            bundle=bundle,
            step_s=step_s,
            history_s=moment(history, 0.0),
            refit_s=moment(refit, 0.0),
            key=read_key(key) if key else None,
        )
        status = LearnerStatus(SystemClock(), step_s=settings.step_s, refit_s=settings.refit_s)
        reader = PrometheusReader(prometheus, capacity=float(concurrency) or 100.0, status=status)
        if serve:
            shelf = ServerSettings(
                host="0.0.0.0",  # noqa: S104  # a pod's own address
                port=serve,
                tls_cert=tls_cert,
                tls_key=tls_key,
            )
            BundleServer(bundle, shelf, status).start()
        # A search that fails is made again a step later, and forecasts are not to wait for it.
        server = PrometheusServer(prometheus, timeout_s=10.0, attempts=1, status=status)
        source = WithUpstreams(reader, server, upstreams)
        dependency_search = dependency_search_of(server, bundle)
        Publisher(source, settings, SystemClock(), time.sleep, dependency_search, status).run()
