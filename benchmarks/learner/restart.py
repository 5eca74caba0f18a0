"""Cost of a restart of the learner: from its saved state and model to published forecasts.

    python -m benchmarks.learner.restart --services 10000

A made-up fleet, two weeks of minutes; the learner was away for some minutes. What it asks for is
held in memory instead of a Prometheus: the steps since, and a few before them. Each number of
services is measured in a process of its own, without the second or two that importing takes.
"""

import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ParamSpec, TypeVar

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from autoscaler.clock import SimulatedClock
from benchmarks.learner.fleet import BEGIN_S, STEP_S, Fleet
from benchmarks.learner.refresh import FleetSource
from learner.calibration.rolling import RollingCalibration
from learner.engine import ExpertsFactory
from learner.experts.recency import Recency
from learner.models import RECENT_STEPS
from learner.models.pooled import Pooled
from learner.prior.file import load_prior
from learner.publishing.checkpoint import Checkpoint, WarmStart
from learner.publishing.fitted_file import Fitted, save_fitted
from learner.publishing.publisher import Publisher, PublishSettings, settle_s
from learner.settings import WINDOWS
from learner.sources.remembered import Remembered
from learner.state.file import save_state
from learner.state.fill import fill
from learner.state.level_state import WINDOW

AWAY = 10  # steps
FITTED_ON = 20, 720  # services and steps: trees are as many as of the whole fleet
SIZES = (1_000, 10_000)

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a restart costs; times are elapsed."""

    first_s: float  # until the first forecasts are published
    first_cpu_s: float  # CPU time of it, all threads
    second_s: float  # a step later
    peak_mb: float


def prepare(services: int, folder: Path) -> None:
    """Write what a learner of so many services would have saved."""
    fleet = Fleet(services)
    state = fill(fleet.pieces(WINDOW))
    assert state is not None
    recent = fleet.demand(WINDOW - RECENT_STEPS, RECENT_STEPS)
    save_state(state, recent, folder / "forecasts.state.npz")
    few = Fleet(FITTED_ON[0]).demand(0, FITTED_ON[1])
    model = Pooled(seeds=(0,), max_rows=20_000).fit(few)
    weights = {
        "weighed_services": np.array(recent.services),
        "gain": np.zeros((3, services, len(WINDOWS) - 1), dtype=np.float32),
        "weighed_until": np.array(0),
    }
    fitted = Fitted(
        model=model,
        recency=Recency(WINDOWS).fit(recent),
        weights=weights,
        calibration=RollingCalibration(WINDOWS),
        fitted_at_s=state.end_s,
        step_s=STEP_S,
    )
    save_fitted(fitted, folder / "forecasts.model.npz")


def measure(services: int, folder: Path, away: int = AWAY) -> Cost:
    """Start with what is in the folder, so many steps later. Nothing runs beside the loop."""
    clock = SimulatedClock(BEGIN_S + (WINDOW + away) * STEP_S + settle_s(STEP_S) + 1)
    settings = PublishSettings(
        bundle=folder / "forecasts.npz", step_s=STEP_S, history_s=WINDOW * STEP_S
    )
    begin, cpu = time.perf_counter(), time.process_time()
    source = Remembered(FleetSource(services), begin=lambda _work: Future())
    prior = load_prior()
    experts = ExpertsFactory(WINDOWS, prior.model(windows=WINDOWS, step_s=STEP_S), prior.rows)
    checkpoint = Checkpoint(
        settings.bundle, source, windows=WINDOWS, step_s=STEP_S, history_s=settings.history_s,
        experts=experts, begin=lambda _work: Future(),
    )  # fmt: skip
    warm = WarmStart(prior=experts.prior, checkpoint=checkpoint)
    publisher = Publisher(
        source, settings, clock, clock.advance, warm=warm, start=lambda _fit: Future()
    )
    publisher.publish()
    first_s, first_cpu_s = time.perf_counter() - begin, time.process_time() - cpu
    clock.advance(STEP_S)
    begin = time.perf_counter()
    publisher.publish()
    return Cost(
        first_s=first_s,
        first_cpu_s=first_cpu_s,
        second_s=time.perf_counter() - begin,
        peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )


def main(
    services: Annotated[list[int] | None, typer.Option(min=1, help="May be repeated.")] = None,
) -> None:
    """Print the cost at each number of services."""
    table = Table(title=f"Restart after {AWAY} steps, from what was saved")
    for name in ("services", "saved MB", "first s", "its CPU s", "next step s", "peak MB"):
        table.add_column(name)
    for size in services or SIZES:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            _apart(prepare, size, folder)
            saved = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
            cost = _apart(measure, size, folder)
        table.add_row(
            f"{size:,}", f"{saved:,.0f}", f"{cost.first_s:.1f}", f"{cost.first_cpu_s:.1f}",
            f"{cost.second_s:.2f}", f"{cost.peak_mb:,.0f}",
        )  # fmt: skip
    Console().print(table)


def _apart(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """In a new process: memory that one measurement had is none of the next."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as apart:
        return apart.submit(work, *args, **kwargs).result()


if __name__ == "__main__":
    typer.run(main)
