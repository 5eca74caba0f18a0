"""The command line, and the wiring: the one place that knows all rooms.

Errors of ours end as one line and exit code 2; anything else is a bug and shows its traceback.
Each command imports what it needs when it runs: none waits for plotting and compilers that only a
replay uses. The controller's is a command line of its own (`knative.controller`), because it has to
listen within seconds after a crash: `main` hands over to it before anything else is imported.
"""

import asyncio
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autoscaler.errors import AutoscalerError, PermanentError
from autoscaler.files import check_writable, whole_file
from autoscaler.logs import set_up

if TYPE_CHECKING:
    from autoscaler.core.dependencies import Edges
    from benchmarks.replay import Replay
    from benchmarks.screen import Screen
    from learner.demand import Demand

UNITS_S = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
REPORT = Path("kn-ahead-report.html")
DEMO_REPORT = Path("kn-ahead-demo.html")

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Pods are ready before the requests come: a predictive autoscaler for Knative.",
)


def within(least: int, most: int | None = None) -> Callable[[object], int]:
    """A reader of whole numbers from ``least`` to ``most``; None = without end."""

    def read(value: object) -> int:
        text = str(value).strip()
        number = int(text) if re.fullmatch(r"-?\d{1,18}", text) else None
        if number is None or number < least or (most is not None and number > most):
            allowed = f">= {least}" if most is None else f"{least} to {most}"
            raise typer.BadParameter(f"{text!r}; allowed: whole numbers {allowed}")
        return number

    return read


PORT, ANY_PORT, COUNT = within(1, 65_535), within(0, 65_535), within(0)

TraceFile = Annotated[
    list[Path],
    typer.Option(
        "--trace",
        help="npz arrays, Azure Functions CSV files, or a folder of them; may be repeated.",
    ),
]
StepS = Annotated[float, typer.Option("--step", help="Step of the demand learned from, s.")]
Concurrency = Annotated[
    int, typer.Option(help="Requests in flight that one pod takes; 0 = no limit.", parser=COUNT)
]
ServiceS = Annotated[
    float, typer.Option("--service-time", help="Execution time where the trace tells none, s.")
]
Seed = Annotated[int, typer.Option(help="Of where in its step each request comes.", parser=COUNT)]
Until = Annotated[
    str, typer.Option("--fit-until", help="End of the past: 10d, 36h after the start, or ISO time.")
]


@app.command()
def replay(
    trace: TraceFile,
    fit_until: Until,
    prometheus: Annotated[
        str | None, typer.Option(help="Read the past from this Prometheus instead of the trace.")
    ] = None,
    start_up: Annotated[float, typer.Option(help="From creating a pod to ready, s.")] = 5.0,
    concurrency: Concurrency = 1,
    price: Annotated[float, typer.Option(help="Worth of a cold request, s of idle pod.")] = 600.0,
    step_s: StepS = 60.0,
    service_s: ServiceS = 0.2,
    seed: Seed = 0,
    service: Annotated[str, typer.Option(help="Whose time line the report shows.")] = "",
    report: Annotated[Path, typer.Option(help="Where the HTML report goes.")] = REPORT,
    json: Annotated[Path | None, typer.Option(help="Where the scores go as JSON.")] = None,
) -> None:
    """Fit on a trace's past, run the rest under every policy, and show what came out."""
    from rich.console import Console

    from benchmarks import outcome
    from benchmarks.replay import Replay, ReplaySettings
    from benchmarks.report import write_report
    from benchmarks.screen import Screen
    from benchmarks.traces import read_trace

    with one_line_errors():
        for place in (report, json) if json else (report,):
            check_writable(place)
        recorded = read_trace(*trace)
        settings = ReplaySettings(
            fit_until_s=moment(fit_until, recorded.start_s),
            step_s=step_s,
            start_up_s=start_up,
            concurrency=concurrency,
            service_s=service_s,
            price_s=price,
            seed=seed,
        )
        run = Replay(recorded, settings)
        if service and service not in run.demand.services:
            known = ", ".join(run.demand.services[:5])
            raise PermanentError(f"service {service!r} is not in the trace; it has {known}")
        screen = Screen(Console())
        past = _past(run, prometheus, screen) if prometheus else None
        with screen.progress() as progress:
            run.fit(past, progress)
        scores = screen.live(run)
        facts = _facts(trace, prometheus, run)
        page = outcome.report(run, scores, title="kn-ahead: replay", facts=facts, service=service)
        write_report(page, report)
        if json:
            outcome.write_json(run, scores, json)
        screen.say(f"Report: {report.resolve()}" + (f"  Scores: {json.resolve()}" if json else ""))


@app.command()
def export(
    trace: TraceFile,
    output: Annotated[Path, typer.Argument(help="OpenMetrics text for promtool.")],
    concurrency: Concurrency = 1,
    step_s: StepS = 60.0,
    service_s: ServiceS = 0.2,
    seed: Seed = 0,
) -> None:
    """Write a trace as the metrics that kn-ahead would have exported, to backfill a Prometheus.

    promtool tsdb create-blocks-from openmetrics OUTPUT DIR makes blocks of them.
    """
    from benchmarks.arrivals import draw, measure
    from benchmarks.openmetrics import write_openmetrics
    from benchmarks.policies import SOFT_LIMIT
    from benchmarks.traces import read_trace

    with one_line_errors():
        recorded = read_trace(*trace)
        drawn = draw(recorded, service_s=service_s, seed=seed)
        capacity = float(concurrency) or SOFT_LIMIT
        demand = measure(drawn, recorded, step_s=step_s, capacity=capacity)
        with whole_file(output) as file:
            text = TextIOWrapper(file, encoding="utf-8")
            write_openmetrics(demand, text)
            text.detach()  # flushes; the file is closed by whom it belongs to


@app.command()
def demo(
    report: Annotated[Path, typer.Option(help="Where the HTML report goes.")] = DEMO_REPORT,
    host: Annotated[str, typer.Option(help="Address that the REST API listens on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port of the REST API.", parser=PORT)] = 8080,
    serve: Annotated[bool, typer.Option(help="Leave the API serving; not in CI (CI=true).")] = "CI"
    not in os.environ,
) -> None:
    """A made shop: two weeks learned, two days replayed under KPA and kn-ahead, then the API."""
    from rich.console import Console

    from autoscaler.advisor.read_model import ReadModel
    from autoscaler.api.app import create_app
    from autoscaler.api.server import ServerSettings, server
    from autoscaler.clock import SimulatedClock
    from autoscaler.health import Health
    from autoscaler.limits import Refusals
    from benchmarks.demo import demonstrate
    from benchmarks.screen import Screen

    with one_line_errors():
        check_writable(report)
        screen, refusals = Screen(Console()), Refusals()
        model, clock = ReadModel(Health()), SimulatedClock()
        made = create_app(model, clock, refusals)
        # First, so that a port that is taken is told of before the work.
        api = server(made, ServerSettings(host=host, port=port), refusals) if serve else None
        demonstrate(screen, report, model, clock)
        if api:
            screen.say(f"REST API: {api.url}/  (Ctrl-C ends it)")
            with suppress(KeyboardInterrupt):
                api.run()


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
) -> None:
    """Keep forecasts current: read demand from Prometheus, fit now and then, publish every step."""
    import time

    from autoscaler.clock import SystemClock
    from autoscaler.signing import read_key
    from learner.prometheus import PrometheusReader
    from learner.pulls import pulls_of
    from learner.queries import PrometheusServer
    from learner.service import Publisher, PublishSettings
    from learner.shelf import Shelf, ShelfSettings
    from learner.upstreams import WithUpstreams, upstreams_of
    from learner.vitals import Vitals

    set_up()
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
        vitals = Vitals(SystemClock(), step_s=settings.step_s, refit_s=settings.refit_s)
        reader = PrometheusReader(prometheus, capacity=float(concurrency) or 100.0, vitals=vitals)
        if serve:
            shelf = ShelfSettings(
                host="0.0.0.0",  # noqa: S104  # a pod's own address
                port=serve,
                tls_cert=tls_cert,
                tls_key=tls_key,
            )
            Shelf(bundle, shelf, vitals).start()
        # A search that fails is made again a step later, and forecasts are not to wait for it.
        server = PrometheusServer(prometheus, timeout_s=10.0, attempts=1, vitals=vitals)
        source = WithUpstreams(reader, server, upstreams)
        pulls = pulls_of(server, bundle)
        Publisher(source, settings, SystemClock(), time.sleep, pulls, vitals).run()


Bundle = Annotated[
    str, typer.Option(help="Path or URL of the learner's forecasts; none: Knative's rule alone.")
]
ApiPort = Annotated[int, typer.Option(help="Of the REST API and the metrics.", parser=ANY_PORT)]
Host = Annotated[str, typer.Option(help="Address to listen on.")]
Key = Annotated[
    Path | None, typer.Option(help="File with the key that the learner signs forecasts with.")
]
CaFile = Annotated[
    Path | None, typer.Option(help="Certificates that vouch for the learner's https address.")
]


@app.command()
def advisor(
    snapshots: Annotated[Path, typer.Option(help="Folder of the controller's snapshots.")],
    advice: Annotated[Path, typer.Option(help="Folder for the advice.")],
    bundle: Bundle = "",
    key: Key = None,
    ca_file: CaFile = None,
    host: Host = "0.0.0.0",  # noqa: S104
    api_port: ApiPort = 9090,
    tls_cert: Annotated[Path | None, typer.Option(help="Of the API; none: plain HTTP.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Of that certificate.")] = None,
    authorize: Annotated[
        bool, typer.Option(help="Whether readers need a token with the right to (TLS advised).")
    ] = False,
    memory: Annotated[
        int, typer.Option(help="MiB that it may take; 0 = no limit of its own.", parser=COUNT)
    ] = 0,
    keep: Annotated[  # noqa: ARG001  # seen to by the launcher, which this process is kept by
        bool, typer.Option("--keep", help="Start it again whenever it ends.")
    ] = False,
    namespace: Annotated[
        str, typer.Option(envvar="SYSTEM_NAMESPACE", help="Of our pod.")
    ] = "knative-serving",
    pod_name: Annotated[str, typer.Option(envvar="POD_NAME", help="Of our pod.")] = "",
    pod_uid: Annotated[
        str, typer.Option(envvar="POD_UID", help="Of our pod: names us in Events about us.")
    ] = "",
) -> None:
    """Advise a controller, and serve what it decides and why: REST API, pages, metrics."""
    import tempfile
    from functools import partial

    from autoscaler.advisor.advisor import AdvisorSettings
    from autoscaler.api.server import ServerSettings
    from autoscaler.signing import read_key
    from knative.advisor.events import Regarding
    from knative.advisor.process import Settings, advise
    from learner.bundle import load_bundle

    set_up()
    with one_line_errors(), tempfile.TemporaryDirectory(prefix="kn-ahead-") as scratch:
        url = bundle if bundle.startswith(("http://", "https://")) else ""
        copy = Path(scratch, "forecasts.npz") if url else Path(bundle)
        settings = Settings(
            advisor=AdvisorSettings(
                snapshots=snapshots, advice=advice, bundle=copy if bundle else None
            ),
            server=ServerSettings(host=host, port=api_port, tls_cert=tls_cert, tls_key=tls_key),
            bundle_url=url,
            ca_file=ca_file,
            authorize=authorize,
            memory_mib=memory,
            own_pod=Regarding(
                api_version="v1", kind="Pod", namespace=namespace, name=pod_name, uid=pod_uid
            )
            if pod_name and pod_uid
            else None,
        )
        load = partial(load_bundle, key=read_key(key) if key else None)
        raise typer.Exit(asyncio.run(advise(settings, load)))


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
    key: Key = None,
    ca_file: CaFile = None,
    host: Host = "0.0.0.0",  # noqa: S104
    port: Annotated[
        int, typer.Option(help="Where activators dial and the kubelet probes.", parser=ANY_PORT)
    ] = 8080,
    api_port: ApiPort = 9090,
) -> None:
    """Take the place of Knative's autoscaler in the cluster of KUBECONFIG: controller and advisor.

    In a pod, each of the two runs in a container of its own.
    """
    import tempfile

    from autoscaler.keeper import Child, keep
    from autoscaler.signing import read_key

    set_up()
    learner = [f"--bundle={bundle}"] if bundle else []
    learner += [f"--key={key}"] if key else []
    learner += [f"--ca-file={ca_file}"] if ca_file else []
    run, listen = [sys.executable, "-m", "autoscaler.launch"], f"--host={host}"
    with one_line_errors(), tempfile.TemporaryDirectory(prefix="kn-ahead-") as folder:
        if key:
            read_key(key)  # what is wrong with it is said once, not at every start of the advisor
        files = [f"--{name}={Path(folder, name)}" for name in ("snapshots", "advice")]
        for name in ("snapshots", "advice"):
            Path(folder, name).mkdir()
        act = [*run, "controller", *files, listen, f"--port={port}"]
        show = [*run, "advisor", *files, *learner, listen, f"--api-port={api_port}"]
        children = Child("controller", act, essential=True), Child("advisor", show)
        raise typer.Exit(keep(children))


@app.command()
def graph(
    url: Annotated[
        str, typer.Option(help="Of a running autoscaler's REST API, as http://127.0.0.1:9090.")
    ] = "",
    bundle: Annotated[
        Path | None, typer.Option(help="Forecasts that the learner published, instead.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Where the picture goes: a name in .svg or .html.")
    ] = None,
    direct: Annotated[
        bool, typer.Option("--direct/--all", help="Leave out what others in between explain.")
    ] = True,
    service: Annotated[
        str, typer.Option(help="namespace/service: only what leads to it or from it.")
    ] = "",
    least: Annotated[
        float, typer.Option(help="Confidence below which none is shown.", min=0.0, max=1.0)
    ] = 0.0,
) -> None:
    """Show the dependencies between services, in the terminal and as a picture."""
    from rich.console import Console

    from autoscaler.graph import hint, picture, shown, summary
    from autoscaler.graph_picture import check_suffix, write_picture

    with one_line_errors():
        if bool(url) == bool(bundle):
            raise PermanentError(
                f"graph got {'both' if url else 'neither'} of --url and --bundle; allowed: one"
            )
        if output:
            check_suffix(output)
            check_writable(output)
        known = _edges(url, bundle)
        edges = shown(known, direct=direct, least=least, service=service)
        console = Console()
        console.print(picture(edges, of=known))
        if output and len(edges):
            write_picture(edges, output, about=summary(edges, of=known))
            typer.echo(f"Picture: {output.resolve()}  {hint(edges)}".rstrip())
        elif output:
            typer.echo(f"Nothing to draw: {output} is not written.")


def _edges(url: str, bundle: Path | None) -> "Edges":
    from autoscaler.graph_source import read_edges
    from learner.bundle import load_bundle

    if bundle:
        return load_bundle(bundle).edges
    return read_edges(url)


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Errors of ours as one line on stderr, and exit code 2."""
    try:
        yield
    except AutoscalerError as error:
        typer.echo(f"kn-ahead: {error}", err=True)
        raise typer.Exit(2) from error


def moment(text: str, start_s: float) -> float:
    """Unix s of "10d", "36h", "90m", "30s" after ``start_s``, or of an ISO 8601 time.

    >>> moment("2h", 100.0)
    7300.0
    """
    if found := re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text.strip()):
        return start_s + float(found[1]) * UNITS_S[found[2]]
    try:
        time = datetime.fromisoformat(text)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    except ValueError as error:
        raise PermanentError(
            f"time {text!r} is not understood; allowed: 10d, 36h, 90m, 30s after the start, "
            "or ISO 8601 such as 2026-11-23T00:00Z"
        ) from error


def _past(run: "Replay", url: str, screen: "Screen") -> "Demand":
    from learner.prometheus import PrometheusReader

    own = run.demand.until(run.first)
    screen.say(f"Reading {own.n_steps} steps of {own.step_s:g} s from {url}")
    reader = PrometheusReader(url, capacity=float(own.capacity[0]))
    return reader.read(start_s=own.start_s, end_s=own.end_s, step_s=own.step_s)


def _facts(trace: list[Path], prometheus: str | None, run: "Replay") -> list[tuple[str, str]]:
    s, demand = run.settings, run.demand
    learned = run.first * demand.step_s / 86_400
    return [
        ("Trace", ", ".join(path.name for path in trace)),
        ("Past read from", "Prometheus" if prometheus else "the trace"),
        ("Services", str(len(demand.services))),
        ("Learned from", f"{learned:g} days"),
        ("Replayed", f"{demand.n_steps * demand.step_s / 86_400 - learned:g} days"),
        ("Start-up of a pod", f"{s.start_up_s:g} s"),
        ("Concurrency of a pod", str(s.concurrency or "no limit")),
        ("Price of a cold request", f"{s.price_s:g} s of idle pod"),
        ("Seed", str(s.seed)),
    ]


def main() -> None:
    """Run the command line; misuse is one line on stderr and exit code 2, like errors of ours."""
    try:
        sys.exit(app(prog_name="kn-ahead", standalone_mode=False))
    except typer.TyperException as error:
        if said := " ".join(error.format_message().split()):  # "" = help was shown instead
            typer.echo(f"kn-ahead: {said}", err=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
