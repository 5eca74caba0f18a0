"""The commands `kn-ahead bench ...`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autoscaler.cli.options import FIT, Concurrency, one_line_errors
from benchmarks.harness.settings import BenchSettings

if TYPE_CHECKING:
    from benchmarks.harness.run import Backend

DEFAULTS = BenchSettings()
INTERRUPTED = 130  # exit code, as of shells
WIDTH = 170  # of tables where there is no terminal

app = typer.Typer(no_args_is_help=True)


@app.callback()
def bench() -> None:
    """Compare policies: at a desk, on traces; on a cluster, live."""


@app.command()
def run(
    trace: Annotated[
        list[Path],
        typer.Argument(help="Traces: files or folders that replay reads.", metavar="TRACE..."),
    ],
    output: Annotated[Path, typer.Option(help="Folder of all results; parts that it has stay.")],
    contenders: Annotated[
        str, typer.Option(help="Names, with commas; by default all. KPA and min-scale take part.")
    ] = "",
    seeds: Annotated[
        int, typer.Option(help="Draws of arrival times within steps.", parser=FIT)
    ] = 5,
    fit_until: Annotated[
        str, typer.Option(help="End of the past: 10d, 36h after a trace's start, or ISO time.")
    ] = DEFAULTS.fit_until,
    end: Annotated[str, typer.Option(help="End of what is simulated; by default a trace's.")] = "",
    start_up: Annotated[
        float, typer.Option(help="From creating a pod to ready, s.")
    ] = DEFAULTS.start_up_s,
    drain: Annotated[
        float, typer.Option(help="From letting a pod go to gone, s.")
    ] = DEFAULTS.drain_s,
    concurrency: Concurrency = DEFAULTS.concurrency,
    service_s: Annotated[
        float, typer.Option("--service-time", help="Execution time where a trace has none, s.")
    ] = DEFAULTS.service_s,
    processes: Annotated[
        int, typer.Option(help="In which draws are simulated side by side.", parser=FIT)
    ] = 1,
    scheduler: Annotated[
        str, typer.Option(help="Of a Dask cluster whose workers do it: tcp://HOST:PORT.")
    ] = "",
) -> None:
    """Run contenders on traces through the production's loop, and compare them.

    Each contender is simulated at all values of its one knob. Ctrl-C loses the draws that are under
    way; the same command goes on from there.
    """
    from rich.console import Console

    from benchmarks.harness.chosen import chosen, names_in
    from benchmarks.harness.run import Benchmark, named
    from benchmarks.harness.store import Store, prepared
    from benchmarks.harness.written import show, write
    from benchmarks.report.screen import Screen
    from benchmarks.traces.trace import read_trace

    with one_line_errors():
        settings = BenchSettings(
            fit_until=fit_until, end=end, concurrency=concurrency, start_up_s=start_up,
            drain_s=drain, service_s=service_s,
        )  # fmt: skip
        benchmark = Benchmark(
            traces=named(trace, read_trace),
            contenders=chosen(list(names_in(contenders))),
            settings=settings,
            seeds=seeds,
        )
        screen = Screen(Console(width=None if sys.stdout.isatty() else WIDTH))
        store = Store(prepared(output / "parts"))
        try:
            with screen.progress() as progress:
                found = benchmark.run(store, _backend(processes, scheduler), progress)
        except KeyboardInterrupt as error:
            typer.echo("kn-ahead: cut off; the same command goes on from there", err=True)
            raise typer.Exit(INTERRUPTED) from error
        show(found, screen)
        write(found, settings, output)
        screen.print(f"Report: {(output / 'bench.html').resolve()}")


@app.command()
def table(
    result: Annotated[Path, typer.Argument(help="bench.json or brief.json of a run.")],
    into: Annotated[
        Path | None,
        typer.Option(
            help="Document whose table it replaces, between marks.", exists=True, dir_okay=False
        ),
    ] = None,
) -> None:
    """Print a result as the Markdown table that documents include."""
    from autoscaler.files import whole_file
    from benchmarks.harness.tables import put_into, read_recorded, short

    with one_line_errors():
        text = short(read_recorded(result))
        if into is None:
            typer.echo(text, nl=False)
            return
        document = put_into(into.read_text(encoding="utf-8"), text)
        with whole_file(into) as file:
            file.write(document.encode())


def _backend(processes: int, scheduler: str) -> "Backend":
    from functools import partial

    from benchmarks.harness.backends import here, in_processes

    if scheduler:
        from benchmarks.harness.on_dask import on_dask

        return partial(on_dask, scheduler=scheduler)
    return here if processes == 1 else partial(in_processes, processes=processes)


@app.command()
def smoke(
    record: Annotated[
        bool, typer.Option("--record", help="Keep what comes out as what is held from now on.")
    ] = False,
) -> None:
    """Run a small fixed set; exit code 1 where decisions are worse than what was recorded."""
    from tempfile import TemporaryDirectory

    from rich.console import Console

    from benchmarks.harness import smoke as fixed
    from benchmarks.harness.backends import here
    from benchmarks.harness.chosen import chosen
    from benchmarks.harness.run import Benchmark
    from benchmarks.harness.store import Store
    from benchmarks.harness.written import show
    from benchmarks.report.screen import Screen

    with one_line_errors(), TemporaryDirectory() as folder:
        recorded = {} if record else fixed.read()
        screen = Screen(Console(width=None if sys.stdout.isatty() else WIDTH))
        benchmark = Benchmark(
            traces=fixed.smoke_traces(), contenders=chosen(fixed.CONTENDERS),
            settings=fixed.SETTINGS, seeds=1,
        )  # fmt: skip
        with screen.progress() as progress:
            found = benchmark.run(Store(Path(folder)), here, progress)
        show(found, screen)
        now = fixed.figures([each.result for each in found])
        if record:
            fixed.record(now)
            return
        faults = list(fixed.worse(now, recorded))
        for fault in faults:
            screen.print(fault)
    if faults:
        raise typer.Exit(1)
