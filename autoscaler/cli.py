"""The command line, and the wiring: the one place that knows all rooms.

Errors of ours end as one line and exit code 2; anything else is a bug and shows its traceback.
Each command imports what it needs when it runs: the seat has to be up again in seconds after a
crash, and must not wait for plotting and compilers that only a replay uses.
"""

import asyncio
import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
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

TraceFile = Annotated[
    list[Path],
    typer.Option(
        "--trace",
        help="npz arrays, Azure Functions CSV files, or a folder of them; may be repeated.",
    ),
]
StepS = Annotated[float, typer.Option("--step", help="Step of the demand learned from, s.")]
Concurrency = Annotated[
    int, typer.Option(help="Requests in flight that one pod takes; 0 = no limit.", min=0)
]
ServiceS = Annotated[
    float, typer.Option("--service-time", help="Execution time where the trace tells none, s.")
]
Seed = Annotated[int, typer.Option(help="Of where in its step each request comes.", min=0)]
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
    port: Annotated[int, typer.Option(help="Port of the REST API.", min=1, max=65535)] = 8080,
    serve: Annotated[bool, typer.Option(help="Leave the API serving; not in CI (CI=true).")] = "CI"
    not in os.environ,
) -> None:
    """A made shop: two weeks learned, two days replayed under KPA and kn-ahead, then the API."""
    import uvicorn
    from rich.console import Console

    from autoscaler.api.app import create_app
    from benchmarks.demo import demonstrate
    from benchmarks.screen import Screen

    with one_line_errors():
        screen = Screen(Console())
        board, clock = demonstrate(screen, report)
        if serve:
            screen.say(f"REST API: http://{host}:{port}/  (Ctrl-C ends it)")
            uvicorn.run(create_app(board, clock), host=host, port=port, log_level="warning")


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
        typer.Option(help="Serve the forecasts over HTTP on this port.", min=1, max=65535),
    ] = None,
) -> None:
    """Keep forecasts current: read demand from Prometheus, fit now and then, publish every step."""
    import time

    from autoscaler.clock import SystemClock
    from learner.prometheus import PrometheusReader
    from learner.pulls import pulls_of
    from learner.queries import PrometheusServer
    from learner.service import Publisher, PublishSettings
    from learner.shelf import serve_in_background
    from learner.upstreams import WithUpstreams, upstreams_of

    set_up()
    with one_line_errors():
        check_writable(bundle)
        upstreams = upstreams_of(upstream or ())
        settings = PublishSettings(
            bundle=bundle,
            step_s=step_s,
            history_s=moment(history, 0.0),
            refit_s=moment(refit, 0.0),
        )
        reader = PrometheusReader(prometheus, capacity=float(concurrency) or 100.0)
        if serve:
            serve_in_background(bundle, "0.0.0.0", serve)  # noqa: S104  # a pod's own address
        # A search that fails is made again a step later, and forecasts are not to wait for it.
        server = PrometheusServer(prometheus, timeout_s=10.0, attempts=1)
        source = WithUpstreams(reader, server, upstreams)
        pulls = pulls_of(server, bundle)
        Publisher(source, settings, SystemClock(), time.sleep, pulls).run()


@app.command()
def autoscale(
    bundle: Annotated[
        str | None,
        typer.Option(help="Path or URL of the learner's forecasts; none: Knative alone."),
    ] = None,
    namespace: Annotated[
        str, typer.Option(envvar="SYSTEM_NAMESPACE", help="Where Knative's ConfigMaps lie.")
    ] = "knative-serving",
    cluster_domain: Annotated[
        str, typer.Option(envvar="CLUSTER_DOMAIN", help="Of the cluster's Services.")
    ] = "cluster.local",
    pod_name: Annotated[
        str, typer.Option(envvar="POD_NAME", help="Of our pod: names us in the leases.")
    ] = "",
    pod_uid: Annotated[
        str, typer.Option(envvar="POD_UID", help="Of our pod: names us in Events about us.")
    ] = "",
    pod_ip: Annotated[
        str, typer.Option(envvar="POD_IP", help="Of our pod: whoever follows passes frames there.")
    ] = "",
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "0.0.0.0",  # noqa: S104
    stats_port: Annotated[
        int, typer.Option(help="Where activators dial and the kubelet probes.", min=1, max=65535)
    ] = 8080,
    api_port: Annotated[
        int, typer.Option(help="Of the REST API and the metrics.", min=1, max=65535)
    ] = 9090,
) -> None:
    """Take the seat of Knative's autoscaler in the cluster of KUBECONFIG, or the one we run in."""
    import tempfile

    from knative.service import ServiceSettings, serve
    from learner.bundle import load_bundle

    set_up()
    logging.getLogger("websockets").setLevel(logging.WARNING)  # it logs every probe
    url = bundle if bundle and bundle.startswith(("http://", "https://")) else ""
    copy = Path(tempfile.mkdtemp(prefix="kn-ahead-")) / "forecasts.npz"
    settings = ServiceSettings(
        namespace=namespace,
        host=host,
        stats_port=stats_port,
        api_port=api_port,
        bundle=copy if url else Path(bundle) if bundle else None,
        bundle_url=url,
        cluster_domain=cluster_domain,
        pod_name=pod_name,
        pod_ip=pod_ip,
        pod_uid=pod_uid,
    )
    with one_line_errors():
        asyncio.run(serve(settings, load_bundle))


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
    """Show which services pull which along, in the terminal and as a picture."""
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
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
