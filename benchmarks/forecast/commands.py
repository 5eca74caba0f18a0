"""The command `kn-ahead forecast`."""

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
    from learner.sources.presets import OwnQueries

DEFAULTS = LearnerSettings()
REPORT = Path("kn-ahead-forecast.html")
QUERIED = "query/query"  # namespace and service of what a query of one's own answers

app = typer.Typer()


@app.command()
def forecast(
    prometheus: Annotated[str, typer.Option(help="Address of the Prometheus that is read.")],
    service: Annotated[
        str, typer.Option(help="namespace/service; the one called most by default.")
    ] = "",
    query: Annotated[
        str, typer.Option(help="PromQL instead: requests a second, added up to one service.")
    ] = "",
    source: Annotated[
        str, typer.Option(help="Who counted the requests; auto = who did for most of the time.")
    ] = "auto",
    history: Annotated[str, typer.Option(help="How far back is read, such as 14d.")] = "14d",
    end: Annotated[str, typer.Option(help="Until when, as ISO time; now by default.")] = "",
    check: Annotated[str, typer.Option(help="How much of it, at its end, is checked.")] = "2d",
    price: Annotated[float, typer.Option(help="Price of a cold request, s of idle pod.")] = 600.0,
    start_up: Annotated[float, typer.Option(help="From creating a pod to ready, s.")] = 5.0,
    drain: Annotated[float, typer.Option(help="From letting a pod go to gone, s.")] = 30.0,
    concurrency: Annotated[
        int, typer.Option(help="Requests that a pod takes; 0 = no limit.", parser=COUNT)
    ] = 0,
    step_s: StepS = 60.0,
    token_file: TokenFile = None,
    header: Headers = None,
    ca_file: CaFile = None,
    client_cert: ClientCert = None,
    client_key: ClientKey = None,
    fit_rows: FitRows = DEFAULTS.max_rows,
    fit_rounds: FitRounds = DEFAULTS.rounds,
    report: Annotated[Path, typer.Option(help="Where the HTML page goes.")] = REPORT,
) -> None:
    """What is ahead of a service, and how right were such forecasts? From a Prometheus alone."""
    from autoscaler.access import Access
    from autoscaler.cli.table import console
    from autoscaler.clock import SystemClock
    from benchmarks.forecast.look_ahead import look_ahead, service_of
    from benchmarks.forecast.picture import checked, print_ahead, write_page
    from benchmarks.replay import ReplaySettings
    from benchmarks.report.screen import Screen
    from benchmarks.whatif.past import DAY_S, grid_of, read_past
    from learner.sources.queries import MAX_POINTS, PrometheusServer
    from learner.sources.request_reader import POINTS

    with one_line_errors():
        check_writable(report)
        asked = _asked(service, query, source)
        grid = grid_of(history, end, step_s, SystemClock().now())
        access = Access(
            token_file=token_file, headers=tuple(header or ()), ca_file=ca_file, cert=client_cert,
            key=client_key,
        )  # fmt: skip
        server = PrometheusServer(prometheus, points=(POINTS, MAX_POINTS), access=access)
        screen = Screen(console())
        with screen.progress() as progress:
            past = read_past(server, grid, asked, progress)
            name = service_of(past, QUERIED if query else service)
            checked_s = past.scored_s(moment(check, 0.0))
            settings = ReplaySettings(
                fit_until_s=past.end_s - checked_s, step_s=step_s, start_up_s=start_up,
                drain_s=drain, price_s=price, warm_up_s=0.0,
                learner=LearnerSettings(max_rows=fit_rows, rounds=fit_rounds),
            )  # fmt: skip
            ahead = look_ahead(past, name, settings, concurrency, progress)
        for line in past.said():
            screen.print(line)
        print_ahead(ahead, price)
        section = checked(ahead, checked_s / DAY_S)
        if section.rows:
            screen.print_table(section)
        write_page(ahead, past, section, price, report)
        screen.print(f"Page: {report.resolve()}")


def _asked(service: str, query: str, source: str) -> "str | OwnQueries":
    """A preset's name, or a query of the user's own. Raises PermanentError."""
    from learner.sources.presets import OwnQueries

    if not query:
        return source
    if service or source != "auto":
        raise PermanentError("query is given beside service or source; allowed: it alone")
    labelled = f"sum({query})"
    for label in ("namespace", "service"):
        labelled = f'label_replace({labelled}, "{label}", "query", "", "")'
    return OwnQueries(requests=labelled, duration="", labels=("namespace", "service"))
