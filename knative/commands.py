"""The commands `controller`, `advisor`, and `autoscale`, which runs both.

The controller has a command line of its own (`knative.controller.__main__`), because it has to
listen within seconds after a crash: `autoscaler.cli.launch` calls it before any other import.
"""

import asyncio
import logging
import os
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from autoscaler.cli.options import ANY_PORT, COUNT, LogFormatOption, LogLevelOption, one_line_errors
from autoscaler.logs import LogFormat, LogLevel, set_up

app = typer.Typer()

Bundle = Annotated[
    str, typer.Option(help="Path or URL of the learner's forecasts; none: Knative's rule alone.")
]
ApiPort = Annotated[int, typer.Option(help="Of the REST API and the metrics.", parser=ANY_PORT)]
LedgerFolder = Annotated[
    Path | None,
    typer.Option(
        "--ledger", help="Folder that keeps what was saved over restarts; none: in memory, a day."
    ),
]
Host = Annotated[str, typer.Option(help="Address to listen on.")]
Key = Annotated[
    Path | None, typer.Option(help="File with the key that the learner signs forecasts with.")
]
CaFile = Annotated[
    Path | None, typer.Option(help="Certificates that vouch for the learner's https address.")
]


TlsCert = Annotated[Path | None, typer.Option(help="Of the API; none: plain HTTP.")]
TlsKey = Annotated[Path | None, typer.Option(help="Of that certificate.")]
Authorize = Annotated[
    bool, typer.Option(help="Whether readers need a token with the right to (TLS advised).")
]
Memory = Annotated[
    int, typer.Option(help="MiB that it may take; 0 = no limit of its own.", parser=COUNT)
]
Keep = Annotated[bool, typer.Option("--keep", help="Start it again whenever it ends.")]
Namespace = Annotated[str, typer.Option(envvar="SYSTEM_NAMESPACE", help="Of our pod.")]
PodName = Annotated[str, typer.Option(envvar="POD_NAME", help="Of our pod.")]
PodUid = Annotated[
    str, typer.Option(envvar="POD_UID", help="Of our pod: names us in Events about us.")
]


@app.command()
def advisor(
    snapshots: Annotated[Path, typer.Option(help="Folder of the controller's snapshots.")],
    advice: Annotated[Path, typer.Option(help="Folder for the advice.")],
    bundle: Bundle = "",
    ledger: LedgerFolder = None,
    key: Key = None,
    ca_file: CaFile = None,
    host: Host = "0.0.0.0",  # noqa: S104
    api_port: ApiPort = 9090,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    authorize: Authorize = False,
    memory: Memory = 0,
    keep: Keep = False,  # noqa: ARG001  # `autoscaler.cli.launch` acts on it
    namespace: Namespace = "knative-serving",
    pod_name: PodName = "",
    pod_uid: PodUid = "",
    log_level: LogLevelOption = LogLevel.INFO,
    log_format: LogFormatOption = LogFormat.TEXT,
) -> None:
    """Advise a controller, and serve what it decides and why: REST API, pages, metrics."""
    from autoscaler.advisor.advisor import AdvisorSettings
    from autoscaler.api.server import ServerSettings
    from autoscaler.bundle.file import load_bundle
    from autoscaler.signing import read_key
    from knative.advisor.events import pod_reference
    from knative.advisor.process import AdvisorProcessSettings, advise

    set_up(log_level, log_format)
    with one_line_errors(), tempfile.TemporaryDirectory(prefix="kn-ahead-") as scratch:
        url, file = _bundle_source(bundle, scratch)
        settings = AdvisorProcessSettings(
            advisor=AdvisorSettings(snapshots=snapshots, advice=advice, bundle=file),
            server=ServerSettings(host=host, port=api_port, tls_cert=tls_cert, tls_key=tls_key),
            ledger=ledger,
            bundle_url=url,
            ca_file=ca_file,
            authorize=authorize,
            memory_mib=memory,
            own_pod=pod_reference(namespace, pod_name, pod_uid),
        )
        code = asyncio.run(advise(settings, partial(load_bundle, key=read_key(key))))
    _leave(code)


def _leave(code: int) -> NoReturn:
    """End at once, without taking down an interpreter that the kernel takes down as well.

    That needs 0.3 s of a core: at our low priority, beside a busy machine, more time than whoever
    told us to stop waits.
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _bundle_source(bundle: str, scratch: str) -> tuple[str, Path | None]:
    """The URL of the forecasts, "" = none, and the file that they are read from, None = none."""
    if bundle.startswith(("http://", "https://")):
        return bundle, Path(scratch, "forecasts.npz")
    return "", Path(bundle) if bundle else None


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    add_help_option=False,
)
def controller(context: typer.Context) -> None:
    """Scale Knative's revisions, in the place of its own autoscaler (controller --help)."""
    from knative.controller.__main__ import main as run

    raise typer.Exit(run(context.args))


@app.command()
def autoscale(
    bundle: Bundle = "",
    ledger: LedgerFolder = None,
    key: Key = None,
    ca_file: CaFile = None,
    host: Host = "0.0.0.0",  # noqa: S104
    port: Annotated[
        int, typer.Option(help="Where activators dial and the kubelet probes.", parser=ANY_PORT)
    ] = 8080,
    api_port: ApiPort = 9090,
    log_level: LogLevelOption = LogLevel.INFO,
    log_format: LogFormatOption = LogFormat.TEXT,
) -> None:
    """Take the place of Knative's autoscaler in the cluster of KUBECONFIG: controller and advisor.

    In a pod, each of the two runs in a container of its own.
    """
    from autoscaler.keeper import Child, keep
    from autoscaler.signing import read_key

    set_up(log_level, log_format)
    learner = [f"--bundle={bundle}"] if bundle else []
    learner += [f"--key={key}"] if key else []
    kept = [f"--ledger={ledger}"] if ledger else []
    learner += [f"--ca-file={ca_file}"] if ca_file else []
    run, listen = [sys.executable, "-m", "autoscaler.cli.launch"], f"--host={host}"
    with one_line_errors(), tempfile.TemporaryDirectory(prefix="kn-ahead-") as folder:
        if key:
            read_key(key)  # a fault is reported here once, not at every start of the advisor
        files = [f"--{name}={Path(folder, name)}" for name in ("snapshots", "advice")]
        for name in ("snapshots", "advice"):
            Path(folder, name).mkdir()
        act = [*run, "controller", *files, listen, f"--port={port}"]
        show = [*run, "advisor", *files, *learner, *kept, listen, f"--api-port={api_port}"]
        children = Child("controller", act, essential=True), Child("advisor", show)
        raise typer.Exit(keep(children))
