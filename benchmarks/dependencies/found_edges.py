"""How good the learner's dependency search is, and how long it takes.

    python -m benchmarks.dependencies.found_edges warnings [--traces FOLDER] [--baselines]
    python -m benchmarks.dependencies.found_edges starts --traces FOLDER
    python -m benchmarks.dependencies.found_edges counts
    python -m benchmarks.dependencies.found_edges recorded --traces FOLDER
    python -m benchmarks.dependencies.found_edges scale --services 1000

``warnings`` scores what counts: starts warned of in time, against warnings in vain. Its call graphs
are drawn, or recorded where there is a folder, and arrivals are synthetic, as those of ``starts``.
``counts`` plants dependencies. ``recorded`` reads series and known edges of real applications under
load generators: counts by minute of services that are hardly ever idle, so there are no starts.
Granger and PC need packages that a benchmark is not installed with: `pip install statsmodels
causal-learn`.

The search was tuned on seeds 100 to 113, and seeds up to 39 were reported before; the default
seeds, from 40 on, were not looked at while it was built. What stays of it was decided by
``warnings`` on seeds 40 to 42; its default seeds, from 60 on, were not looked at.
"""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from autoscaler.cli.options import one_line_errors
from benchmarks.dependencies import counts_quality, starts_quality
from benchmarks.dependencies.ablation import ABLATIONS
from benchmarks.dependencies.baselines import granger, pc, same_minute, share_alone
from benchmarks.dependencies.warning_quality import Graphs, warning_tables
from benchmarks.dependencies.workload import Workload
from benchmarks.traces.call_graphs import drawn_graphs, read_graphs

CALL_GRAPHS = "alibaba2022_callgraphs.jsonl.gz"
RECORDED = (
    "nezha_onlineboutique_2022-08-22.npz",
    "nezha_onlineboutique_2022-08-23.npz",
    "petshop_low_traffic_5min.npz",
)
STARTS_SEEDS, COUNTS_SEEDS, WARNINGS_SEEDS = range(40, 50), range(10, 15), range(60, 65)
BASELINES = {
    "the learner": ABLATIONS["the learner"],
    "share alone": share_alone,
    "same minute": same_minute,
    "Granger": granger,
    "PC": pc,
}

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__)
Folder = Annotated[Path, typer.Option(help="Folder of the public traces.")]
Seeds = Annotated[list[int] | None, typer.Option(help="Seeds; those of the tables where left out.")]


@app.command()
def warnings(
    traces: Annotated[
        Path | None, typer.Option(help="Folder of the public traces; drawn graphs without.")
    ] = None,
    baselines: Annotated[
        bool, typer.Option("--baselines/--ablation", help="Compare with other methods.")
    ] = False,
    seed: Seeds = None,
    entries: Annotated[int, typer.Option(help="Entry points drawn.", min=1)] = 120,
    days: Annotated[float, typer.Option(help="Days of calls.", min=0.1)] = 3.0,
) -> None:
    """Starts warned of in time, against warnings in vain, with and without parts of the search."""
    workload = Workload(entries=entries, days=days, per_hour=8.0, jitter_s=0.3)
    methods = BASELINES if baselines else ABLATIONS
    with one_line_errors():
        graphs = _graphs(traces, entries)
        found = warning_tables(graphs, workload, seed or WARNINGS_SEEDS, methods)
    for table in found:
        Console().print(table)


def _graphs(traces: Path | None, entries: int) -> Graphs:
    if traces is None:
        return lambda rng: drawn_graphs(entries, rng)
    recorded = read_graphs(traces / CALL_GRAPHS)
    return lambda _: recorded


@app.command()
def starts(
    traces: Folder,
    seed: Seeds = None,
    entries: Annotated[int, typer.Option(help="Entry points drawn.", min=1)] = 250,
    days: Annotated[float, typer.Option(help="Days of calls.", min=0.1)] = 3.0,
    per_hour: Annotated[float, typer.Option(help="Median calls of an entry an hour.")] = 8.0,
    jitter: Annotated[float, typer.Option(help="Typical delay of a timer, s.")] = 0.3,
) -> None:
    """Services that become idle: recorded call graphs, synthetic arrivals."""
    workload = Workload(entries=entries, days=days, per_hour=per_hour, jitter_s=jitter)
    with one_line_errors():
        graphs = read_graphs(traces / CALL_GRAPHS)
    for table in starts_quality.tables(graphs, workload, seed or STARTS_SEEDS):
        Console().print(table)


@app.command()
def counts(
    seed: Seeds = None,
    services: Annotated[int, typer.Option(help="Services.", min=8)] = 200,
    days: Annotated[int, typer.Option(help="Days of one-minute steps.", min=1)] = 5,
) -> None:
    """Services that are never idle: planted dependencies at lags of 1 to 30 steps (synthetic)."""
    Console().print(counts_quality.planted_table(seed or COUNTS_SEEDS, services, days))


@app.command()
def recorded(traces: Folder) -> None:
    """Recorded series of demo applications under a load generator, with their known edges."""
    with one_line_errors():
        table = counts_quality.recorded_table([traces / name for name in RECORDED])
    Console().print(table)


@app.command()
def scale(
    services: Annotated[int, typer.Option(help="Services.", min=8)] = 1000,
    days: Annotated[int, typer.Option(help="Days of one-minute steps.", min=1)] = 14,
) -> None:
    """All ordered pairs at 31 lags: seconds, and peak memory of this process."""
    Console().print(counts_quality.cost_table(services, days))


if __name__ == "__main__":
    app()
