"""How long one decide() pass takes, and how much memory a revision costs.

    python -m benchmarks.decide --revisions 10000

The fleet is a mix: most revisions idle, a quarter busy, some in panic, one in twenty with a
scale-down delay, one in fifty with exponential averaging, all with a forecast. A pass is what a
tick costs beyond looking and writing: decide() and `Fleet.remember`.
"""

import json
import statistics
import time
from dataclasses import replace
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from autoscaler.core.decider import decide
from autoscaler.core.fleet import Fleet
from autoscaler.core.predictive import Outlook
from autoscaler.core.revision import KNATIVE_DEFAULTS, Mode, Revision

SIZES = (100, 1_000, 10_000, 100_000)
WARM_S = 70  # s of statistics before measuring: more than a stable window
PASSES = 30


def made_fleet(n: int, rng: np.random.Generator) -> tuple[Fleet, Outlook]:
    """A fleet of n revisions with a window's statistics behind it, and an outlook for it."""
    fleet = Fleet()
    fleet.add({f"made/r{i:06d}": _revision(i) for i in range(n)}, now=0.0)
    busy = np.flatnonzero(rng.random(n) < 0.25)
    level = rng.gamma(1.0, 20.0, len(busy))
    fleet.seen.ready[busy] = np.ceil(level / 70.0)
    for second in range(WARM_S):
        load = rng.poisson(level).astype(np.float64)
        fleet.record(busy, np.full(len(busy), second), np.stack([load, load]))
    edges = WARM_S + np.array([0.0, 60.0, 120.0, 300.0, 900.0, 3600.0])
    demand = rng.gamma(0.5, 20.0, (n, 5))
    return fleet, Outlook(starts_s=edges[:-1], ends_s=edges[1:], demand=demand, layout=fleet.layout)


def _revision(i: int) -> Revision:
    delay = 30.0 if i % 20 == 0 else 0.0
    return replace(
        KNATIVE_DEFAULTS,
        mode=Mode.OUTWARD,
        scale_down_delay_s=delay,
        weighted_exponential=i % 50 == 0,
    )


def measure(n: int, seed: int = 0) -> dict[str, float]:
    """Milliseconds per pass (median and worst of many) and bytes per revision at n revisions."""
    fleet, outlook = made_fleet(n, np.random.default_rng(seed))
    took = []
    for turn in range(PASSES):
        begin = time.perf_counter()
        fleet.remember(decide(fleet, outlook, now=WARM_S + 2.0 * turn))
        took.append((time.perf_counter() - begin) * 1e3)
    return {
        "revisions": n,
        "median_ms": statistics.median(took),
        "worst_ms": max(took),
        "bytes_per_revision": fleet.nbytes / n,
    }


def main(
    revisions: Annotated[
        list[int] | None, typer.Option(help="Fleet sizes; the standard four where left out.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON lines.")] = False,
) -> None:
    """Print what one pass costs."""
    sizes = revisions or list(SIZES)
    wrong = [n for n in sizes if n < 1]
    if wrong:
        typer.echo(f"decide: --revisions is {wrong[0]}; allowed: >= 1", err=True)
        raise typer.Exit(2)
    results = [measure(n) for n in sizes]
    if as_json:
        for result in results:
            typer.echo(json.dumps(result))
        return
    table = Table("revisions", "ms a pass (median)", "ms (worst)", "bytes a revision")
    for r in results:
        cells = (f"{r['median_ms']:.2f}", f"{r['worst_ms']:.2f}", f"{r['bytes_per_revision']:,.0f}")
        table.add_row(f"{r['revisions']:,.0f}", *cells)
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
