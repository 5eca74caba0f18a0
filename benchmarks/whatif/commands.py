"""The command `kn-ahead whatif`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autoscaler.cli.options import (
    COUNT,
    CaFile,
    ClientCert,
    ClientKey,
    FitRounds,
    FitRows,
    Headers,
    StepS,
    TokenFile,
    moment,
    one_line_errors,
)
from autoscaler.errors import PermanentError
from autoscaler.files import check_writable
from learner.settings import LearnerSettings

if TYPE_CHECKING:
    from learner.sources.counters import Grid
    from learner.sources.presets import OwnQueries

DEFAULTS = LearnerSettings()

app = typer.Typer()
REPORT = Path("kn-ahead-whatif.html")

Prometheus = Annotated[str, typer.Option(help="Address of the Prometheus that has the metrics.")]
Source = Annotated[
    str, typer.Option(help="Who counted the requests; auto = who did for most of the time.")
]
History = Annotated[str, typer.Option(help="How far back is read, such as 14d.")]
Requests = Annotated[
    str, typer.Option(help="PromQL of your own instead: requests a second, by service.")
]
Duration = Annotated[
    str, typer.Option(help="PromQL beside it: mean time that a request takes, s, by service.")
]
Names = Annotated[
    str, typer.Option("--labels", help="Of your own queries: those of namespace and service.")
]
Until = Annotated[str, typer.Option("--end", help="Until when, as ISO time; now by default.")]
Scored = Annotated[str, typer.Option(help="How much of it, at its end, is simulated.")]


@app.command()
def whatif(
    prometheus: Prometheus,
    source: Source = "auto",
    requests: Requests = "",
    duration: Duration = "",
    labels: Names = "namespace,service",
    history: History = "14d",
    end: Until = "",
    score: Scored = "2d",
    step_s: StepS = 60.0,
    start_up: Annotated[float, typer.Option(help="From creating a pod to ready, s.")] = 5.0,
    drain: Annotated[float, typer.Option(help="From letting a pod go to gone, s.")] = 30.0,
    concurrency: Annotated[
        int, typer.Option(help="Requests that a pod takes; 0 = no limit.", parser=COUNT)
    ] = 0,
    price: Annotated[float, typer.Option(help="Price of a cold request, s of idle pod.")] = 600.0,
    token_file: TokenFile = None,
    header: Headers = None,
    ca_file: CaFile = None,
    client_cert: ClientCert = None,
    client_key: ClientKey = None,
    fit_rows: FitRows = DEFAULTS.max_rows,
    fit_rounds: FitRounds = DEFAULTS.rounds,
    report: Annotated[Path, typer.Option(help="Where the HTML report goes.")] = REPORT,
    json: Annotated[Path | None, typer.Option(help="Where the scores go as JSON.")] = None,
) -> None:
    """What if kn-ahead had run here? From a Prometheus alone; nothing is installed or changed."""
    from rich.console import Console

    from autoscaler.clock import SystemClock
    from benchmarks.policies.policies import FULL
    from benchmarks.replay import WARM_UP_S, ReplaySettings
    from benchmarks.report.screen import Screen
    from benchmarks.whatif.past import read_past
    from benchmarks.whatif.run import answered
    from learner.sources.access import Access
    from learner.sources.queries import MAX_POINTS, PrometheusServer
    from learner.sources.request_reader import POINTS

    with one_line_errors():
        for file in (report, json) if json else (report,):
            check_writable(file)
        asked = _asked(source, requests, duration, labels)
        grid = _grid(history, end, step_s, SystemClock().now())
        access = Access(
            token_file=token_file, headers=tuple(header or ()), ca_file=ca_file, cert=client_cert,
            key=client_key,
        )  # fmt: skip
        server = PrometheusServer(prometheus, points=(POINTS, MAX_POINTS), access=access)
        screen = Screen(Console())
        with screen.progress() as progress:
            past = read_past(server, grid, asked, progress)
        scored_s = past.scored_s(moment(score, 0.0))
        settings = ReplaySettings(
            fit_until_s=past.end_s - scored_s, step_s=step_s, start_up_s=start_up,
            drain_s=drain, concurrency=concurrency, price_s=price, swept=(FULL,),
            warm_up_s=min(WARM_UP_S, scored_s // (4 * step_s) * step_s),
            learner=LearnerSettings(max_rows=fit_rows, rounds=fit_rounds),
        )  # fmt: skip
        answered(past, settings, screen, report, json)


def _asked(source: str, requests: str, duration: str, labels: str) -> "str | OwnQueries":
    """A preset's name, or queries of the user's own. Raises PermanentError."""
    from learner.sources.presets import OwnQueries

    if not requests:
        if duration:
            raise PermanentError("duration is given without requests; allowed: with it alone")
        return source
    if source != "auto":
        raise PermanentError(f"source is {source!r} beside requests; allowed: one of the two")
    names = tuple(name.strip() for name in labels.split(","))
    if len(names) != 2 or not all(names):
        raise PermanentError(f"labels is {labels!r}; allowed: two, as namespace,service")
    return OwnQueries(requests=requests, duration=duration, labels=names)


def _grid(history: str, end: str, step_s: float, now_s: float) -> "Grid":
    """All steps that are read. Raises PermanentError."""
    from learner.sources.counters import Grid

    if not (step_s >= 1 and step_s % 1 == 0):
        raise PermanentError(f"step is {step_s:g}; allowed: whole seconds >= 1")
    end_s = (moment(end, now_s) if end else now_s) // step_s * step_s
    number = int(moment(history, 0.0) // step_s)
    if not 0 < number * step_s <= end_s <= now_s:
        raise PermanentError(
            f"history is {history}, until {end or 'now'}; allowed: a time after 1970 that is over"
        )
    start_s = int(end_s - number * step_s)
    return Grid(start_s=start_s, step_s=int(step_s), n_points=number + 1)
