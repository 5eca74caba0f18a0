"""Timers: services that somebody's clock calls, found from the time between their starts.

A run of calls begins where a step needs a pod and the one before did not. One timer, or up to
three of the same period overlaid, shows itself in that nearly every start comes one period, give or
take a step, after the start so many places before it. The next one is then due; what follows a due
time, step by step, is learned from the past ones. A missed one halves the trust in the next.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np

from autoscaler.core.types import FloatArray, IntArray
from learner.demand import Demand
from learner.models import WINDOWS, Forecast
from learner.models.levels import LEVELS
from learner.models.single_service import forecast_each, learn_each

OVERLAID = (1, 2, 3)  # timers of one period that are looked for
EXACT_SHARE = 0.85  # of the starts that must come a period after their forerunner
FEWEST_PERIODS = 4  # seen before a period is believed
SHORTEST = 3  # steps; what comes more often is no start of its own
OFTEN = 0.1  # share of appointments from which on a step belongs to them
NO_TIMER = "no exact period found"
NOT_YET = "the timer has not kept an appointment yet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timer:
    """A period, and what its appointments look like."""

    period: int  # steps
    overlaid: int  # timers of that period
    active: (
        FloatArray  # (period,) share of appointments with calls so many steps after one step early
    )
    otherwise: float  # share of steps with calls that no appointment explains
    passes: FloatArray  # (n_grid,) share of the steps with calls that needed each level


class Timers:
    """Exact periods of each service; silent where there is none."""

    name = "timers"

    def __init__(self, *, windows: tuple[int, ...] = WINDOWS) -> None:
        self.windows = windows

    def fit(self, demand: Demand) -> Self:
        """Find each service's timer."""
        self.timer_ = learn_each(demand, timer_of, None)
        return self

    def predict(self, demand: Demand, origins: IntArray) -> Forecast:
        """Answer where the service had a timer when it was fitted, and a start has been seen."""

        def answer(row: int, need: FloatArray, n_cells: int) -> FloatArray | str:
            timer = self.timer_.get(demand.services[row])
            if timer is None:
                return NO_TIMER
            chance = _chance_ahead(timer, starts_of(need), origins, self.windows)
            return (
                NOT_YET if np.isnan(chance).all() else chance[:, :, None] * timer.passes[:n_cells]
            )

        return forecast_each(demand, origins, len(self.windows) - 1, answer)


def starts_of(need: FloatArray) -> IntArray:
    """Steps at which a run of calls begins; need: (n_steps,) pods, NaN = gap, taken as no call."""
    active = np.nan_to_num(need) > 0
    return np.flatnonzero(active & ~np.concatenate([[False], active[:-1]]))


def timer_of(need: FloatArray) -> Timer | None:
    """The timer behind a series (n_steps,), NaN = gap; fewest overlaid first; None if none is."""
    starts = starts_of(need)
    for overlaid in OVERLAID:
        gaps = starts[overlaid:] - starts[:-overlaid]
        if len(gaps) < FEWEST_PERIODS * overlaid:
            return None
        period = _modal(gaps)
        if period >= SHORTEST and (np.abs(gaps - period) <= 1).mean() >= EXACT_SHARE:
            return _described(need, starts, period, overlaid)
    return None


def _modal(gaps: IntArray) -> int:
    """The most frequent gap; neighbours count half, so that jitter does not split the vote."""
    votes = np.bincount(gaps).astype(np.float64)
    votes[1:] += 0.5 * np.bincount(gaps)[:-1]
    votes[:-1] += 0.5 * np.bincount(gaps)[1:]
    return int(votes.argmax())


def _described(need: FloatArray, starts: IntArray, period: int, overlaid: int) -> Timer:
    active = np.nan_to_num(need) > 0
    due = starts[:-overlaid] + period
    step = due[:, None] + np.arange(-1, period - 1)
    inside = step < len(need)
    hits = active[np.where(inside, step, 0)] & inside
    share = hits.sum(axis=0) / (inside.sum(axis=0) + 1)
    share[1:] *= np.cumprod(share[1:] > OFTEN)  # one appointment is one run, not the next one too
    explained = np.zeros(len(need), dtype=bool)
    covered = inside & (share > OFTEN)
    explained[step[covered]] = True
    called = need[active]
    return Timer(
        period=period,
        overlaid=overlaid,
        active=share,
        otherwise=float((active & ~explained).sum() / max((~explained).sum(), 1)),
        passes=(called[:, None] >= LEVELS).mean(axis=0),
    )


def _kept(starts: IntArray, period: int) -> IntArray:
    """Starts that kept an appointment: another one lies a period before, give or take a step."""
    forerunner = np.searchsorted(starts, starts - period - 1)
    return starts[starts[forerunner] <= starts - period + 1]


def _chance_ahead(
    timer: Timer, starts: IntArray, origins: IntArray, windows: tuple[int, ...]
) -> FloatArray:
    """(n_origins, n_windows) chance of any call; NaN before an appointment was kept."""
    kept = _kept(starts, timer.period)
    before = np.searchsorted(kept, origins)[:, None] - 1 - np.arange(timer.overlaid)
    latest = np.append(kept, 0)[np.where(before >= 0, before, -1)]  # (n_origins, overlaid) step
    missed = np.maximum((origins[:, None] - latest - 2) // timer.period, 0)
    trust = np.where(before >= 0, 0.5 ** np.minimum(missed, 60), 0.0)
    ahead = (origins[:, None] + np.arange(windows[-1]))[:, :, None] - latest[:, None, :]
    expected = timer.active[(ahead + 1) % timer.period] * trust[:, None, :]
    by_step = expected.max(axis=2)
    chance = np.empty((len(origins), len(windows) - 1))
    for window, (begin, end) in enumerate(pairwise(windows)):
        surprise = 1 - (1 - timer.otherwise) ** (end - begin)
        due = by_step[:, begin:end].max(axis=1)
        chance[:, window] = due + (1 - due) * surprise
    return np.where(before[:, :1] >= 0, chance, np.nan)
