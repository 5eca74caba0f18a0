"""The commands `kn-ahead whatif` and `kn-ahead floors`."""

from enum import StrEnum
from json import dumps
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
    one_line_errors,
)
from autoscaler.errors import PermanentError
from autoscaler.files import check_writable
from learner.settings import LearnerSettings

if TYPE_CHECKING:
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


StartUp = Annotated[
    float, typer.Option(help="From creating a pod to ready, s, where none was seen to start.")
]
Drain = Annotated[float, typer.Option(help="From letting a pod go to gone, s.")]
Slots = Annotated[
    int,
    typer.Option(
        "--concurrency",
        help="Requests that a pod takes, where no cluster says so; 0 = no limit.",
        parser=COUNT,
    ),
]
Price = Annotated[float, typer.Option(help="Price of a cold request, s of idle pod.")]
Context = Annotated[
    str, typer.Option(help="Of a kubeconfig: settings of each service are read from its cluster.")
]
FloorContext = Annotated[
    str, typer.Option("--context", help="Of a kubeconfig; by default its current one.")
]
Kubeconfig = Annotated[
    Path | None, typer.Option(help="That file; by default KUBECONFIG's, or ~/.kube/config.")
]
PriceFile = Annotated[
    Path | None,
    typer.Option("--prices", help="TOML of cpu_hour, gib_hour, currency; example prices else."),
]


class Output(StrEnum):
    """How an answer is written."""

    TABLE = "table"
    JSON = "json"


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
    start_up: StartUp = 5.0,
    drain: Drain = 30.0,
    concurrency: Slots = 0,
    price: Price = 600.0,
    context: Context = "",
    kubeconfig: Kubeconfig = None,
    prices: PriceFile = None,
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
    """What if kn-ahead had run here? From a Prometheus alone; nothing is installed or changed.

    With a context, each service is simulated as it is set in that cluster, which is only read.
    """
    from rich.console import Console

    from autoscaler.access import Access
    from autoscaler.clock import SystemClock
    from benchmarks.report.screen import Screen
    from benchmarks.whatif.asking import Asked
    from benchmarks.whatif.past import grid_of
    from benchmarks.whatif.run import answered

    with one_line_errors():
        for file in (report, json) if json else (report,):
            check_writable(file)
        queries = _queries(source, requests, duration, labels)
        grid = grid_of(history, end, step_s, SystemClock().now())
        access = Access(
            token_file=token_file, headers=tuple(header or ()), ca_file=ca_file, cert=client_cert,
            key=client_key,
        )  # fmt: skip
        asked = Asked(
            prometheus=prometheus, access=access, queries=queries, grid=grid, score=score,
            start_up_s=start_up, drain_s=drain, concurrency=concurrency, price_s=price,
            learner=LearnerSettings(max_rows=fit_rows, rounds=fit_rounds),
            of_cluster=bool(context or kubeconfig), context=context, kubeconfig=kubeconfig,
            prices=prices,
        )  # fmt: skip
        screen = Screen(Console())
        answered(asked.question(screen), screen, report, json)


@app.command()
def floors(
    prometheus: Prometheus,
    context: FloorContext = "",
    kubeconfig: Kubeconfig = None,
    source: Source = "auto",
    requests: Requests = "",
    duration: Duration = "",
    labels: Names = "namespace,service",
    history: History = "14d",
    end: Until = "",
    score: Scored = "2d",
    step_s: StepS = 60.0,
    start_up: StartUp = 5.0,
    drain: Drain = 30.0,
    price: Price = 600.0,
    prices: PriceFile = None,
    token_file: TokenFile = None,
    header: Headers = None,
    ca_file: CaFile = None,
    client_cert: ClientCert = None,
    client_key: ClientKey = None,
    fit_rows: FitRows = DEFAULTS.max_rows,
    fit_rounds: FitRounds = DEFAULTS.rounds,
    output: Annotated[Output, typer.Option(help="How the answer is written.")] = Output.TABLE,
) -> None:
    """What does each min-scale buy, for how much, and what would be as warm for less?

    Read as by whatif, from a Prometheus and the cluster of a context; nothing is changed.
    """
    from rich.console import Console

    from autoscaler.access import Access
    from autoscaler.clock import SystemClock
    from benchmarks.report.screen import Screen
    from benchmarks.whatif.asking import Asked
    from benchmarks.whatif.past import grid_of
    from benchmarks.whatif.run import floors_alone, show

    with one_line_errors():
        queries = _queries(source, requests, duration, labels)
        grid = grid_of(history, end, step_s, SystemClock().now())
        access = Access(
            token_file=token_file, headers=tuple(header or ()), ca_file=ca_file, cert=client_cert,
            key=client_key,
        )  # fmt: skip
        asked = Asked(
            prometheus=prometheus, access=access, queries=queries, grid=grid, score=score,
            start_up_s=start_up, drain_s=drain, price_s=price,
            learner=LearnerSettings(max_rows=fit_rows, rounds=fit_rounds), of_cluster=True,
            context=context, kubeconfig=kubeconfig, prices=prices,
        )  # fmt: skip
        as_json = output is Output.JSON
        screen = Screen(Console(stderr=as_json))  # what is read by programs stands alone
        question = asked.question(screen)
        assert question.own  # as it is of a cluster
        found = floors_alone(question, question.own, screen)
        if as_json:
            typer.echo(dumps(found.as_json(), indent=1))
        else:
            show(found, found.said(), screen)


def _queries(source: str, requests: str, duration: str, labels: str) -> "str | OwnQueries":
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
