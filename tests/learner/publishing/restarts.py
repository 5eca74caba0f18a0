"""A learner's process that is killed and begun again, over services whose demand is known."""

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

import numpy as np

from autoscaler.bundle.file import load_bundle
from autoscaler.clock import SimulatedClock
from autoscaler.core.prediction.forecasts import ForecastBundle
from learner.demand import Demand
from learner.engine import ExpertsFactory, Learner
from learner.models import Exceedance
from learner.publishing.checkpoint import Checkpoint, WarmStart
from learner.publishing.publisher import Publisher, PublishSettings, settle_s
from learner.settings import LearnerSettings
from learner.sources.remembered import Remembered

STEP_S = 60.0
START_S = 6_000 * STEP_S
HISTORY = 700  # steps
WINDOWS = (0, 1, 2, 5)
SERVICES = ("shop/a", "shop/b", "till/c")
T = TypeVar("T")
Unbroken = tuple[Path, list[tuple[ForecastBundle, Exceedance]]]


class Calls:
    """Three services, the last of them called long ago; remembers how many steps were asked for."""

    def __init__(self) -> None:
        random = np.random.default_rng(3)
        step = np.arange(9_000)
        self.need = np.stack([(step % 10 == 0) * 2.0, random.poisson(0.2, 9_000), step * 0.0])
        self.need[2, 5_500:5_520] = 1.0
        self.asked: list[int] = []

    def read(self, *, start_s: float, end_s: float, step_s: float) -> Demand:
        begin, end = round(start_s / STEP_S), round(end_s / STEP_S)
        self.asked.append(end - begin)
        rows = np.flatnonzero(self.need[:, begin:end].any(axis=1))
        need = self.need[rows, begin:end].astype(np.float64)
        return Demand(
            services=tuple(SERVICES[row] for row in rows),
            start_s=start_s,
            step_s=step_s,
            arrivals=need,
            peak=need,
            capacity=np.ones(len(rows)),
        )


def at_once(work: Callable[[], T], /) -> "Future[T]":
    future: Future[T] = Future()
    future.set_result(work())
    return future


class Later:
    """Work is done when it is told to."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []

    def begin(self, work: Callable[[], T], /) -> "Future[T]":
        future: Future[T] = Future()
        self.waiting.append(lambda: future.set_result(work()))
        return future


class Process:
    """A learner's process; ``killed`` after some steps by being forgotten."""

    def __init__(
        self,
        folder: Path,
        clock: SimulatedClock,
        beside: Later | None = None,
        windows: tuple[int, ...] = WINDOWS,
        history: int = HISTORY,
    ) -> None:
        self.path, self.clock, self.calls = folder / "forecasts.npz", clock, Calls()
        self.settings = PublishSettings(
            bundle=self.path,
            step_s=STEP_S,
            history_s=history * STEP_S,
            refit_s=200 * STEP_S,
            learner=LearnerSettings(windows=windows, max_rows=2_000, rounds=10),
        )
        self.fits, self.experts = 0, ExpertsFactory(windows)
        source = Remembered(self.calls, begin=beside.begin if beside else at_once)
        checkpoint = Checkpoint(
            self.path,
            source,
            windows=windows,
            step_s=STEP_S,
            history_s=self.settings.history_s,
            experts=self.experts,
            begin=at_once,
        )
        self.publisher = Publisher(
            source,
            self.settings,
            clock,
            clock.advance,
            warm=WarmStart(model=self.experts, checkpoint=checkpoint),
            start=self._fit,
        )

    def _fit(self, fit: Callable[[], Learner]) -> "Future[Learner]":
        self.fits += 1
        return at_once(fit)

    def given(self) -> Exceedance:
        """(n_windows, n_experts, n, n_cells) what they gave last, not mixed, nor calibrated."""
        given = self.experts.mixture._given
        last = max(given)[0]
        return np.stack([given[last, window].answers for window in range(len(WINDOWS) - 1)])

    def publish(self, steps: int = 1) -> ForecastBundle:
        for _ in range(steps):
            self.publisher.publish()
            self.clock.advance(STEP_S)
        return load_bundle(self.path)


def clock_at(step: int) -> SimulatedClock:
    return SimulatedClock(START_S + step * STEP_S + settle_s(STEP_S) + 1.0)
