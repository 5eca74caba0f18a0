"""The command `kn-ahead bench live`."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from autoscaler.cli.exit_codes import ExitCode
from autoscaler.cli.options import COUNT, moment, one_line_errors, within
from autoscaler.errors import PermanentError
from autoscaler.files import check_writable
from benchmarks.live.policies import DEFAULT

if TYPE_CHECKING:
    from benchmarks.live.run import Asked
    from benchmarks.report.screen import Screen

T = TypeVar("T")

app = typer.Typer()
REPORT = Path("kn-ahead-live.html")
SECONDS, ROUNDS = within(0, 86_400), within(1, 1_000)
STEP = within(5, 3_600)  # Prometheus reads every 5 s


@app.command()
def live(
    context: Annotated[str, typer.Option(help="Of a kubeconfig; by default its current one.")] = "",
    image: Annotated[str, typer.Option(help="Of the services that are called.")] = "",
    kubeconfig: Annotated[
        Path | None, typer.Option(help="That file; by default KUBECONFIG's, or ~/.kube/config.")
    ] = None,
    namespace: Annotated[str, typer.Option(help="Where services are made.")] = "default",
    kind: Annotated[
        list[str] | None, typer.Option(help="Of traffic; may be repeated. All by default.")
    ] = None,
    policy: Annotated[
        list[str] | None,
        typer.Option(help=f"May be repeated; by default {', '.join(DEFAULT)}."),
    ] = None,
    learning: Annotated[
        int, typer.Option(help="First part, which is discarded, s.", parser=SECONDS)
    ] = 1500,
    round_s: Annotated[
        int, typer.Option("--round", help="Length of a round, s.", parser=within(10, 86_400))
    ] = 300,
    rounds: Annotated[int, typer.Option(help="That are measured.", parser=ROUNDS)] = 6,
    step: Annotated[
        int, typer.Option(help="Of the demand that the learner learns from, s.", parser=STEP)
    ] = 10,
    refit: Annotated[str, typer.Option(help="How often the learner fits anew.")] = "5m",
    prometheus_image: Annotated[str, typer.Option(help="Of Prometheus.")] = "prom/prometheus",
    ingress: Annotated[
        str, typer.Option(help="URL of the cluster's gateway, where this does not run within it.")
    ] = "",
    domain: Annotated[str, typer.Option(help="Of the cluster's Services.")] = "cluster.local",
    seed: Annotated[int, typer.Option(help="Of the times of requests.", parser=COUNT)] = 0,
    starts: Annotated[
        str,
        typer.Option(
            help="Only start services, so many a second, as 1,2,4,8, until it is too much;"
            " a table, and JSON, but no report."
        ),
    ] = "",
    report: Annotated[Path, typer.Option(help="Where the HTML report goes.")] = REPORT,
    json: Annotated[Path | None, typer.Option(help="Where all goes as JSON.")] = None,
    cleanup: Annotated[
        bool, typer.Option("--cleanup", help="Only take away what an earlier run has left.")
    ] = False,
) -> None:
    """Compare policies on a real cluster, at the same time, on copies of the same services.

    All that is made is taken away in the end, also after Ctrl-C.
    """
    from rich.console import Console

    from benchmarks.live.copies import Span
    from benchmarks.live.kinds import kinds_of
    from benchmarks.live.learning import Learning
    from benchmarks.live.policies import policies_of
    from benchmarks.live.run import Asked
    from benchmarks.report.screen import Screen

    with one_line_errors():
        screen = Screen(Console())
        if cleanup:
            screen.print(f"Taken away: {_taken_away(context, kubeconfig, namespace)} objects")
            return
        moment(refit, 0.0)  # the learner would refuse another only in the cluster
        if not image:
            raise PermanentError("image is missing; allowed: that of a service, by --image")
        for file in (json, None if starts else report):
            if file:
                check_writable(file)
        asked = Asked(
            context=context, kubeconfig=kubeconfig, namespace=namespace, image=image,
            prometheus_image=prometheus_image, kinds=kinds_of(tuple(kind or ())),
            policies=policies_of(tuple(policy or DEFAULT)),
            span=Span(learning_s=learning, round_s=round_s, rounds=rounds), seed=seed,
            learning=Learning(step_s=step, refit=refit), ingress=ingress, domain=domain,
        )  # fmt: skip
        if starts:
            _start(asked, starts, screen, json)
        else:
            _compare(asked, screen, report, json)


def _start(asked: "Asked", rates: str, screen: "Screen", json: Path | None) -> None:
    from benchmarks.live.starts import rates_of, section, sweep, verdict, write_json

    with screen.progress() as progress:
        found = _until_interrupted(sweep(asked, rates_of(rates), progress))
    if json:
        write_json(asked, found, json)
    screen.print_table(section(found))
    screen.say(verdict(found))
    if json:
        screen.print(f"JSON: {json.resolve()}")


def _compare(asked: "Asked", screen: "Screen", report: Path, json: Path | None) -> None:
    from benchmarks.live.record import write_json
    from benchmarks.live.report import page_of
    from benchmarks.live.run import run
    from benchmarks.live.tables import Found, sections, verdict
    from benchmarks.report.page import write_report

    with screen.progress() as progress:
        found = Found.of(_until_interrupted(run(asked, progress)))
    if json:
        write_json(found, json)
    for section in sections(found):
        screen.print_table(section)
    screen.say(verdict(found))
    write_report(page_of(found), report)
    files = f"Report: {report.resolve()}" + (f"  JSON: {json.resolve()}" if json else "")
    screen.print(files)


def _until_interrupted(what: Coroutine[Any, Any, T]) -> T:
    """Run something. Ends the command in one line where it is interrupted."""
    from benchmarks.live.run import SOMETHING_LEFT, CutOffError

    try:
        return asyncio.run(what)
    except (CutOffError, KeyboardInterrupt) as error:  # the latter by a second Ctrl-C
        typer.echo(f"kn-ahead: {str(error) or SOMETHING_LEFT}", err=True)
        raise typer.Exit(ExitCode.INTERRUPTED) from error


def _taken_away(context: str, kubeconfig: Path | None, namespace: str) -> int:
    from benchmarks.live.run import connected

    async def remove() -> int:
        async with connected(context, kubeconfig, namespace) as cluster:
            await cluster.check_rights()
            return await cluster.remove()

    return asyncio.run(remove())
