"""Cost of a refresh by the number of services, up to where one machine no longer holds them.

    python -m benchmarks.learner.shards --services 1000 --services 100000

A made-up fleet, two weeks of minutes, of which two days are drawn and repeated. One of its shards
is made, filled and stepped; the others cost the same, and are not made: of 100,000 services the
past alone would be 16 GB. What is left to the learner (services to tasks, as they are sent, and
answers to one forecast) is timed for all of them, with that shard's answer as every one's.
"""

import multiprocessing
import resource
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.learner.fleet import Fleet
from learner.demand import Demand
from learner.models import RECENT_STEPS, Forecast, Model
from learner.models.pooled import Pooled
from learner.settings import LearnerSettings
from learner.sharding.local import Local
from learner.sharding.remote import packed
from learner.sharding.shard import Answer, Asked, answer
from learner.sharding.shards import Shards, shards_of
from learner.state.level_state import WINDOW

SIZES = (1_000, 3_000, 10_000, 30_000, 100_000)
STEPS = 5  # timed
DRAWN = 2 * 1440  # steps
LEARNED_FROM = 100, DRAWN  # services and steps of the model; forecasts cost what its trees do
MODEL_ROWS = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What so many services cost; CPU s."""

    services: int
    shards: int
    fill_s: float  # of one shard's state, once
    step_s: float  # median of one shard's refresh
    learner_s: float  # median of what a refresh takes beside its shards
    peak_mb: float  # of the process that held one shard, and the past that it is made of

    @property
    def refresh_s(self) -> float:
        """All shards' and the learner's."""
        return self.step_s * self.shards + self.learner_s


class _Answered:
    """Every shard's answer is that of the first one's services, again and again."""

    def __init__(self, forecast: Forecast) -> None:
        self._forecast = forecast

    def answers(self, asked: Sequence[Asked]) -> list[Answer]:
        return [self._answer(packed(answer, one), one.n) for one in asked]

    def fitting(self) -> AbstractContextManager[object]:
        return nullcontext()

    def _answer(self, _: bytes, n: int) -> Forecast:
        some = np.arange(n) % len(self._forecast.reason)
        return Forecast(
            demand_edges=self._forecast.demand_edges[some],
            exceedance=self._forecast.exceedance[some],
            reason=("",) * n,
        )


def measure(services: int) -> Cost:
    """One shard, filled and some steps on; and all of them but for what shards do."""
    model = _model()
    n_shards = shards_of(services)
    fleet, shards = Fleet(-(-services // n_shards)), Shards(Local())
    past = _demand(fleet, 0, WINDOW)
    begin = time.process_time()
    forecast = shards.forecast(model, past)
    fill_s = time.process_time() - begin
    recent = past.last(RECENT_STEPS)
    del past
    took = []
    for step in range(WINDOW, WINDOW + STEPS):
        recent = _followed_by(recent, fleet.demand(step, 1))
        begin = time.process_time()
        forecast = shards.forecast(model, recent)
        took.append(time.process_time() - begin)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    everything, rest = _demand(Fleet(services), WINDOW, RECENT_STEPS), []
    learner = Shards(_Answered(forecast))
    for _ in range(STEPS):
        begin = time.process_time()
        learner.forecast(model, everything)
        rest.append(time.process_time() - begin)
    return Cost(
        services=services,
        shards=n_shards,
        fill_s=fill_s,
        step_s=float(np.median(took)),
        learner_s=float(np.median(rest)),
        peak_mb=peak_mb,
    )


def _model() -> Model:
    services, steps = LEARNED_FROM
    s = LearnerSettings()
    model = Pooled(windows=s.windows, seeds=s.seeds, max_rows=MODEL_ROWS, rounds=s.rounds)
    return model.fit(_demand(Fleet(services), 0, steps))


def _demand(fleet: Fleet, first: int, n_steps: int) -> Demand:
    """In memory once: arrivals are the peak."""
    drawn = np.concatenate(
        [piece.peak for piece in fleet.pieces(min(n_steps, DRAWN), first)], axis=1
    )
    peak = np.empty((len(drawn), n_steps))
    for begin in range(0, n_steps, DRAWN):
        part = peak[:, begin : begin + DRAWN]
        part[:] = drawn[:, : part.shape[1]]
    return replace(fleet.demand(first, 0), arrivals=peak, peak=peak)


def _followed_by(demand: Demand, step: Demand) -> Demand:
    """The last steps, and one more."""
    peak = np.concatenate([demand.peak, step.peak], axis=1)
    return replace(demand, arrivals=peak, peak=peak).last(RECENT_STEPS)


def main(
    services: Annotated[list[int] | None, typer.Option(min=1, help="May be repeated.")] = None,
) -> None:
    """Print the cost curve."""
    table = Table(title="A refresh by shards, CPU s")
    for name in ("services", "shards", "fill one", "step one", "learner", "refresh", "a 1,000"):
        table.add_column(name, justify="right")
    table.add_column("MB", justify="right")
    for size in services or SIZES:
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as apart:
            cost = apart.submit(measure, size).result()
        table.add_row(
            f"{cost.services:,}",
            f"{cost.shards}",
            f"{cost.fill_s:.1f}",
            f"{cost.step_s:.2f}",
            f"{cost.learner_s:.2f}",
            f"{cost.refresh_s:.2f}",
            f"{cost.refresh_s / size * 1e3:.3f}",
            f"{cost.peak_mb:,.0f}",
        )
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
