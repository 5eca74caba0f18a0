"""Cost of the learner's state: filling it, a step, the features of a refresh, and memory.

    python -m benchmarks.learner.state --services 10000

Each number of services is measured in a process of its own, of which the peak memory is. Times are
CPU times of that process, which other processes of the machine affect little.
"""

import json
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.learner.fleet import Fleet
from learner.demand import Demand
from learner.models import RECENT_STEPS
from learner.settings import WINDOWS
from learner.state.features import features
from learner.state.file import load_state, save_state
from learner.state.fill import fill
from learner.state.level_state import WINDOW, LevelState
from learner.state.stepping import advance

STEPS = 90  # timed: in thirty of them periods are refreshed
ASKED_EVERY = 9  # steps in which features are asked for
SIZES = (1_000, 3_000, 10_000, 30_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a state of so many services costs."""

    services: int
    rows: int  # levels in reach
    needed: int  # levels that were needed within the window
    fill_s: float  # of the whole window, without drawing the demand
    step_ms: float  # median: one that refreshes no periods
    worst_step_ms: float  # one that refreshes periods
    features_ms: float  # median
    bytes_a_service: float
    save_s: float  # elapsed
    load_s: float  # elapsed
    peak_mb: float  # before it is saved and loaded


def measure(services: int, steps: int = STEPS) -> Cost:
    """Fill a window that ends just before all periods are refreshed, and step on."""
    fleet, window = Fleet(services), WINDOW - 1
    drawing: list[float] = []  # CPU s
    begin = time.process_time()
    state = fill(_timed(fleet.pieces(window), drawing))
    filled_s = time.process_time() - begin - sum(drawing)
    assert state is not None
    n_rows = 0
    stepped, asked = [], []
    for first in range(window, window + steps):
        demand = fleet.demand(first, 1)
        begin = time.process_time()
        state = advance(state, demand)
        stepped.append(time.process_time() - begin)
        if first % ASKED_EVERY == 0:
            begin = time.process_time()
            n_rows = len(features(state, WINDOWS)[0])
            asked.append(time.process_time() - begin)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    save_s, load_s = _file_times(state, fleet.demand(first - RECENT_STEPS, RECENT_STEPS))
    return Cost(
        services=services,
        rows=n_rows,
        needed=len(state.levels),
        fill_s=filled_s,
        step_ms=float(np.median(stepped)) * 1e3,
        worst_step_ms=max(stepped) * 1e3,
        features_ms=float(np.median(asked)) * 1e3,
        bytes_a_service=state.nbytes / services,
        save_s=save_s,
        load_s=load_s,
        peak_mb=peak_mb,
    )


def main(
    services: Annotated[list[int] | None, typer.Option(min=1, help="May be repeated.")] = None,
    steps: Annotated[int, typer.Option(min=ASKED_EVERY, help="That are timed.")] = STEPS,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON lines.")] = False,
) -> None:
    """Print the cost at each number of services."""
    table = Table(title="State of the learner")
    for name in ("services", "levels", "needed", "fill s", "step ms", "worst", "features ms",
                 "bytes a service", "save s", "load s", "peak MB"):  # fmt: skip
        table.add_column(name)
    for size in services or SIZES:
        cost = _measured_apart(size, steps)
        if as_json:
            typer.echo(json.dumps(asdict(cost)))
        else:
            table.add_row(*(_shown(number) for number in asdict(cost).values()))
    if not as_json:
        Console().print(table)


def _shown(number: float) -> str:
    return f"{number:,.1f}" if number < 100 else f"{number:,.0f}"


def _measured_apart(services: int, steps: int) -> Cost:
    """In a new process: memory that one measurement had is none of the next."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as apart:
        return apart.submit(measure, services, steps).result()


def _file_times(state: LevelState, demand: Demand) -> tuple[float, float]:
    """Elapsed s of saving and of loading."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state.npz"
        begin = time.perf_counter()
        save_state(state, demand, path)
        saved = time.perf_counter()
        load_state(path)
        return saved - begin, time.perf_counter() - saved


def _timed(pieces: Iterator[Demand], spent: list[float]) -> Iterator[Demand]:
    """The pieces; what making each costs is appended to ``spent``, CPU s."""
    while True:
        begin = time.process_time()
        piece = next(pieces, None)
        spent.append(time.process_time() - begin)
        if piece is None:
            return
        yield piece


if __name__ == "__main__":
    typer.run(main)
