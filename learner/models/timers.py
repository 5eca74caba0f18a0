"""Timers: services that are called at an exact period, found from the gaps between starts.

A start is a step that needs a pod after one that did not. One timer, or up to three of the same
period overlaid, is found where nearly every start comes one period, give or take a step, after the
start so many places before it. The next start is then due a period later; the share of steps with
calls around a due time is learned from past ones. Each due time that is missed halves the
probability of the next.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np

from autoscaler.core.types import FloatArray, IntArray
from learner.demand import Demand
from learner.models import Forecast
from learner.models.levels import LEVELS
from learner.models.single_service import fit_by_service, forecast_by_service
from learner.settings import WINDOWS

OVERLAID = (1, 2, 3)  # timers of one period that are looked for
EXACT_SHARE = 0.85  # of the starts that must come a period after their predecessor
FEWEST_PERIODS = 4  # seen before a period is accepted
SHORTEST = 3  # steps; shorter periods leave no idle step between runs
LEAST_SHARE = 0.1  # of due times with calls in a step, from which on the step belongs to the run
NO_TIMER = "no exact period found"
NOT_YET = "no start has come a period after another yet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timer:
    """A period, and the calls around its due times."""

    period: int  # steps
    overlaid: int  # timers of that period
    active: FloatArray  # (period,) share of due times with calls so many steps after one step early
    unscheduled: float  # share of the other steps that have calls
    exceedance: FloatArray  # (n_grid,) share of the steps with calls that needed each level


class Timers:
    """Exact periods of each service; no answer where there is none."""

    name = "timers"

    def __init__(self, *, windows: tuple[int, ...] = WINDOWS) -> None:
        self.windows = windows

    def fit(self, demand: Demand) -> Self:
        """Find each service's timer."""
        self.timer_ = fit_by_service(demand, timer_of, None)
        return self

    def predict(self, demand: Demand, origins: IntArray) -> Forecast:
        """Answer where the service had a timer when it was fitted, and has repeated since."""

        def answer(row: int, need: FloatArray, n_cells: int) -> FloatArray | str:
            timer = self.timer_.get(demand.services[row])
            if timer is None:
                return NO_TIMER
            probability = _probability(timer, starts_of(need), origins, self.windows)
            if np.isnan(probability).all():
                return NOT_YET
            return probability[:, :, None] * timer.exceedance[:n_cells]

        return forecast_by_service(demand, origins, len(self.windows) - 1, answer)


def starts_of(need: FloatArray) -> IntArray:
    """Steps at which a run of calls begins; need: (n_steps,) pods, NaN = gap, taken as no call."""
    active = np.nan_to_num(need) > 0
    return np.flatnonzero(active & ~np.concatenate([[False], active[:-1]]))


def timer_of(need: FloatArray) -> Timer | None:
    """The timer of a series (n_steps,), NaN = gap; fewest overlaid first; None if there is none."""
    starts = starts_of(need)
    for overlaid in OVERLAID:
        gaps = starts[overlaid:] - starts[:-overlaid]
        if len(gaps) < FEWEST_PERIODS * overlaid:
            return None
        period = _modal(gaps)
        if period >= SHORTEST and (np.abs(gaps - period) <= 1).mean() >= EXACT_SHARE:
            return _fitted(need, starts, period, overlaid)
    return None


def _modal(gaps: IntArray) -> int:
    """The most frequent gap; those a step away count half, so that jitter does not split it."""
    count = np.bincount(gaps).astype(np.float64)
    count[1:] += 0.5 * np.bincount(gaps)[:-1]
    count[:-1] += 0.5 * np.bincount(gaps)[1:]
    return int(count.argmax())


def _fitted(need: FloatArray, starts: IntArray, period: int, overlaid: int) -> Timer:
    active = np.nan_to_num(need) > 0
    due = starts[:-overlaid] + period
    step = due[:, None] + np.arange(-1, period - 1)
    inside = step < len(need)
    hits = active[np.where(inside, step, 0)] & inside
    share = hits.sum(axis=0) / (inside.sum(axis=0) + 1)
    share[1:] *= np.cumprod(share[1:] > LEAST_SHARE)  # up to the end of the run that is due
    scheduled = np.zeros(len(need), dtype=bool)
    scheduled[step[inside & (share > LEAST_SHARE)]] = True
    return Timer(
        period=period,
        overlaid=overlaid,
        active=share,
        unscheduled=float((active & ~scheduled).sum() / max((~scheduled).sum(), 1)),
        exceedance=(need[active][:, None] >= LEVELS).mean(axis=0),
    )


def _repeated(starts: IntArray, period: int) -> IntArray:
    """Starts that come a period after another one, give or take a step."""
    predecessor = np.searchsorted(starts, starts - period - 1)
    return starts[starts[predecessor] <= starts - period + 1]


def _probability(
    timer: Timer, starts: IntArray, origins: IntArray, windows: tuple[int, ...]
) -> FloatArray:
    """(n_origins, n_windows) of any call; NaN before a start has repeated."""
    repeated = _repeated(starts, timer.period)
    before = np.searchsorted(repeated, origins)[:, None] - 1 - np.arange(timer.overlaid)
    latest = np.append(repeated, 0)[np.where(before >= 0, before, -1)]  # (n_origins, overlaid) step
    missed = np.maximum((origins[:, None] - latest - 2) // timer.period, 0)
    weight = np.where(before >= 0, 0.5 ** np.minimum(missed, 60), 0.0)
    ahead = (origins[:, None] + np.arange(windows[-1]))[:, :, None] - latest[:, None, :]
    expected = timer.active[(ahead + 1) % timer.period] * weight[:, None, :]
    by_step = expected.max(axis=2)
    probability = np.empty((len(origins), len(windows) - 1))
    for window, (begin, end) in enumerate(pairwise(windows)):
        unscheduled = 1 - (1 - timer.unscheduled) ** (end - begin)
        due = by_step[:, begin:end].max(axis=1)
        probability[:, window] = due + (1 - due) * unscheduled
    return np.where(before[:, :1] >= 0, probability, np.nan)
