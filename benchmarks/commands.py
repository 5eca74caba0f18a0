"""The commands whatif, forecast, replay, export, prior, demo and bench.

Each imports its modules when it runs, so that none waits for plotting or compilers without need.
"""

from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autoscaler.cli.options import (
    COUNT,
    Concurrency,
    FitRounds,
    FitRows,
    StepS,
    moment,
    one_line_errors,
)
from autoscaler.errors import PermanentError
from autoscaler.files import check_writable, whole_file
from benchmarks.demo import commands as demo
from benchmarks.forecast import commands as forecast
from benchmarks.harness import commands as harness
from benchmarks.live import commands as live
from benchmarks.made import commands as made
from benchmarks.whatif import commands as whatif
from learner.settings import LearnerSettings

if TYPE_CHECKING:
    from benchmarks.replay import Replay, ReplaySettings
    from benchmarks.report.screen import Screen
    from benchmarks.scores.score import PolicyScore
    from benchmarks.traces.trace import Trace
    from learner.demand import Demand

DEFAULTS = LearnerSettings()

app = typer.Typer()
app.add_typer(whatif.app)
app.add_typer(forecast.app)
app.add_typer(demo.app)
harness.app.add_typer(live.app)
harness.app.add_typer(made.app)
app.add_typer(harness.app, name="bench")
REPORT = Path("kn-ahead-report.html")

TraceFile = Annotated[
    list[Path],
    typer.Option(
        "--trace",
        help="npz, public CSV layouts, OpenMetrics, or a folder; may be repeated.",
    ),
]
ServiceS = Annotated[
    float, typer.Option("--service-time", help="Execution time where the trace has none, s.")
]
Seed = Annotated[int, typer.Option(help="Seed of the arrival times within steps.", parser=COUNT)]
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
    drain: Annotated[float, typer.Option(help="From letting a pod go to gone, s.")] = 30.0,
    concurrency: Concurrency = 1,
    price: Annotated[float, typer.Option(help="Price of a cold request, s of idle pod.")] = 600.0,
    step_s: StepS = 60.0,
    service_s: ServiceS = 0.2,
    seed: Seed = 0,
    fit_rows: FitRows = DEFAULTS.max_rows,
    fit_rounds: FitRounds = DEFAULTS.rounds,
    service: Annotated[str, typer.Option(help="Service that the report shows over time.")] = "",
    report: Annotated[Path, typer.Option(help="Where the HTML report goes.")] = REPORT,
    json: Annotated[Path | None, typer.Option(help="Where the scores go as JSON.")] = None,
) -> None:
    """Fit on a trace's past, simulate the rest under every policy, and report."""
    from rich.console import Console

    from benchmarks.replay import ReplaySettings
    from benchmarks.report.screen import Screen
    from benchmarks.traces.trace import read_trace

    with one_line_errors():
        for file in (report, json) if json else (report,):
            check_writable(file)
        recorded = read_trace(*trace)
        settings = ReplaySettings(
            fit_until_s=moment(fit_until, recorded.start_s), step_s=step_s, start_up_s=start_up,
            drain_s=drain, concurrency=concurrency, service_s=service_s, price_s=price, seed=seed,
            learner=LearnerSettings(max_rows=fit_rows, rounds=fit_rounds),
        )  # fmt: skip
        run, screen = _replay_of(recorded, settings, service), Screen(Console())
        scores = _fit_and_run(run, prometheus, screen)
        _write_results(run, scores, _facts(trace, prometheus, run), service, report, json)
        files = f"Report: {report.resolve()}" + (f"  Scores: {json.resolve()}" if json else "")
        screen.print(files)


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
    from benchmarks.policies.policies import pod_capacity
    from benchmarks.simulator.arrivals import draw, measure
    from benchmarks.traces.openmetrics import write_openmetrics
    from benchmarks.traces.trace import read_trace

    with one_line_errors():
        recorded = read_trace(*trace)
        drawn = draw(recorded, service_s=service_s, seed=seed)
        capacity = pod_capacity(concurrency)
        demand = measure(drawn, recorded, step_s=step_s, capacity=capacity)
        with whole_file(output) as file:
            text = TextIOWrapper(file, encoding="utf-8")
            write_openmetrics(demand, text)
            text.detach()  # flushes, and leaves closing the file to whole_file


@app.command()
def prior(
    output: Annotated[Path, typer.Argument(help="Where the prior goes: for learn --prior.")],
    trace: Annotated[
        list[Path] | None,
        typer.Option(help="A trace: a file or folder that replay reads; may be repeated."),
    ] = None,
    prometheus: Annotated[
        list[str] | None,
        typer.Option(help="Address of another cluster's Prometheus; may be repeated."),
    ] = None,
    history: Annotated[str, typer.Option(help="How far back those are read, such as 14d.")] = "14d",
    concurrency: Concurrency = 1,
    step_s: StepS = 60.0,
    service_s: ServiceS = 0.2,
    seed: Seed = 0,
    fit_rows: FitRows = DEFAULTS.max_rows,
    fit_rounds: FitRounds = DEFAULTS.rounds,
) -> None:
    """Fit what forecasts services that nobody knows yet: on made services, and on those given."""
    from autoscaler.clock import SystemClock
    from benchmarks.policies.policies import pod_capacity
    from benchmarks.simulator.arrivals import draw, measure
    from benchmarks.traces.trace import read_trace
    from learner.prior.file import save_prior
    from learner.prior.fitting import fit_prior
    from learner.sources.demand_reader import PrometheusReader

    with one_line_errors():
        check_writable(output)
        capacity, past_s = pod_capacity(concurrency), moment(history, 0.0)
        end_s = SystemClock().now() // step_s * step_s
        demands = []
        for path in trace or ():
            recorded = read_trace(path)
            drawn = draw(recorded, service_s=service_s, seed=seed)
            demands.append(measure(drawn, recorded, step_s=step_s, capacity=capacity))
        for url in prometheus or ():
            reader = PrometheusReader(url, capacity=capacity)
            demands.append(reader.read(start_s=end_s - past_s, end_s=end_s, step_s=step_s))
        save_prior(
            fit_prior(demands, LearnerSettings(max_rows=fit_rows, rounds=fit_rounds)), output
        )
        typer.echo(f"Prior: {output.resolve()}, {output.stat().st_size / 2**20:.1f} MiB")


def _replay_of(trace: "Trace", settings: "ReplaySettings", service: str) -> "Replay":
    """The replay. Raises PermanentError where the service to show is not in the trace."""
    from benchmarks.replay import Replay

    run = Replay(trace, settings)
    if service and service not in run.demand.services:
        known = ", ".join(run.demand.services[:5])
        raise PermanentError(f"service {service!r} is not in the trace; it has {known}")
    return run


def _fit_and_run(run: "Replay", prometheus: str | None, screen: "Screen") -> "list[PolicyScore]":
    past = _past(run, prometheus, screen) if prometheus else None
    with screen.progress() as progress:
        run.fit(past, progress)
    return screen.run(run)


def _write_results(
    run: "Replay",
    scores: "list[PolicyScore]",
    facts: list[tuple[str, str]],
    service: str,
    report: Path,
    json: Path | None,
) -> None:
    """Write the report, and the scores where a JSON file is asked for."""
    from benchmarks.report import outcome
    from benchmarks.report.page import write_report

    page = outcome.report(run, scores, title="kn-ahead: replay", facts=facts, service=service)
    write_report(page, report)
    if json:
        outcome.write_json(run, scores, json)


def _past(run: "Replay", url: str, screen: "Screen") -> "Demand":
    from learner.sources.demand_reader import PrometheusReader

    own = run.demand.until(run.first)
    screen.print(f"Reading {own.n_steps} steps of {own.step_s:g} s from {url}")
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
        ("Drain of a pod", f"{s.drain_s:g} s"),
        ("Concurrency of a pod", str(s.concurrency or "no limit")),
        ("Price of a cold request", f"{s.price_s:g} s of idle pod"),
        ("Seed", str(s.seed)),
    ]
