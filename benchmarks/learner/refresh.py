"""Cost of the learner's loop: the first reading and fit, and then a step: read, forecast, publish.

    python -m benchmarks.learner.refresh --services 1000

A made-up fleet, two weeks of minutes, held in memory instead of a Prometheus. Each number of
services is measured in a process of its own, of which the peak memory is.
"""

import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from autoscaler.clock import SimulatedClock
from benchmarks.learner.fleet import BEGIN_S, STEP_S, Fleet
from learner.demand import Demand, DemandSource
from learner.engine import Learner
from learner.publishing.publisher import Publisher, PublishSettings, settle_s
from learner.settings import LearnerSettings
from learner.sources.remembered import Remembered

DAYS = 14
SIZES = (100, 1_000, 3_000)
STEPS = 5  # timed


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What so many services cost; times are elapsed."""

    services: int
    days: float  # of the past that are held: fewer where all are more than may be
    first_s: float  # reading, fit and first forecasts
    fit_s: float  # of it the fit
    step_s: float  # median of a later step
    step_cpu_s: float  # median CPU time of it, all threads
    peak_mb: float


class FleetSource:
    """A fleet's demand, step by step where little is asked for."""

    def __init__(self, services: int) -> None:
        self._fleet = Fleet(services)

    def read(self, *, start_s: float, end_s: float, step_s: float) -> Demand:
        """Demand over [start_s, end_s), Unix s."""
        first, n_steps = round((start_s - BEGIN_S) / step_s), round((end_s - start_s) / step_s)
        pieces = list(self._fleet.pieces(n_steps, first))
        peak = np.concatenate([piece.peak for piece in pieces], axis=1)
        return replace(pieces[0], arrivals=peak, peak=peak)


class _Watched:
    """A source, and how many steps it gave last."""

    def __init__(self, source: DemandSource) -> None:
        self._source, self.n_steps = source, 0

    def read(self, *, start_s: float, end_s: float, step_s: float) -> Demand:
        demand = self._source.read(start_s=start_s, end_s=end_s, step_s=step_s)
        self.n_steps = demand.n_steps
        return demand


def measure(services: int, days: int = DAYS, fit: LearnerSettings | None = None) -> Cost:
    """Some days, and some steps on. fit: what it may cost."""
    fits: list[float] = []

    def at_once(fitting: Callable[[], Learner]) -> "Future[Learner]":
        future: Future[Learner] = Future()
        begin = time.perf_counter()
        future.set_result(fitting())
        fits.append(time.perf_counter() - begin)
        return future

    clock = SimulatedClock(BEGIN_S + days * 86_400 + settle_s(STEP_S) + 1)
    with tempfile.TemporaryDirectory() as folder:
        settings = PublishSettings(
            bundle=Path(folder) / "forecasts.npz", step_s=STEP_S, history_s=days * 86_400.0,
            learner=fit or LearnerSettings(),
        )  # fmt: skip
        source = _Watched(Remembered(FleetSource(services)))
        publisher = Publisher(source, settings, clock, clock.advance, start=at_once)
        begin = time.perf_counter()
        publisher.publish()
        first_s = time.perf_counter() - begin
        took = []
        for _ in range(STEPS):
            clock.advance(STEP_S)
            begin, cpu = time.perf_counter(), time.process_time()
            publisher.publish()
            took.append((time.perf_counter() - begin, time.process_time() - cpu))
    step_s, step_cpu_s = np.median(took, axis=0)
    return Cost(
        services=services,
        days=source.n_steps * STEP_S / 86_400,
        first_s=first_s,
        fit_s=fits[0],
        step_s=step_s,
        step_cpu_s=step_cpu_s,
        peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )


def main(
    services: Annotated[list[int] | None, typer.Option(min=1, help="May be repeated.")] = None,
) -> None:
    """Print the cost at each number of services."""
    table = Table(title="The learner's loop")
    for name in ("services", "days", "first s", "fit s", "step s", "step CPU s", "peak MB"):
        table.add_column(name)
    for size in services or SIZES:
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as apart:
            cost = apart.submit(measure, size).result()
        table.add_row(
            f"{cost.services:,}", f"{cost.days:.3g}", f"{cost.first_s:.1f}", f"{cost.fit_s:.1f}",
            f"{cost.step_s:.2f}", f"{cost.step_cpu_s:.2f}", f"{cost.peak_mb:,.0f}",
        )  # fmt: skip
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
