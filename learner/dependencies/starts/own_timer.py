"""What B's own clock does, whoever else starts: asked some cycles of that clock later.

Timers that people set divide the hour, so an hour later every one of them is where it was; a clock
of another period is where it was after whole cycles of its own.
"""

import numpy as np

from autoscaler.core.state.rings import span
from autoscaler.core.types import BoolArray, FloatArray, IntArray
from learner.dependencies.busy_periods import BusyPeriods
from learner.dependencies.starts.coincidences import CELLS, StartRules
from learner.dependencies.starts.timed_starts import SLACK_S, USUAL_S, TimedStarts

HOUR_S = 3600.0


def cycles_s(timers: TimedStarts, n: int) -> tuple[FloatArray, FloatArray]:
    """(n,) s twice: the period of each service's clock (NaN = none), and about an hour.

    The second is a multiple of the first, so that everything by that clock is where it was. A loop
    of seven minutes keeps every minute, too: of timer and loop the longer one is the clock.
    """
    period = np.full(n, np.nan)
    period[timers.service[::-1]] = timers.period_s[::-1]  # of several timers the clearest stays
    loop = _whole(timers.loop_s)
    period = np.where(~np.isnan(loop) & ~(loop < 1.5 * period), loop, period)
    one = np.where(np.isnan(period), HOUR_S, period)
    return period, one * np.maximum(np.round(HOUR_S / one), 1.0)


def _whole(loop_s: FloatArray) -> FloatArray:
    """(n,) s: the loops, those about as long as an ordinary timer as long as that."""
    nearest = USUAL_S[np.argmin(np.abs(np.nan_to_num(loop_s)[:, None] - USUAL_S), axis=1)]
    return np.where(np.abs(loop_s - nearest) <= 2 * SLACK_S, nearest, loop_s)


def alone(
    busy: BusyPeriods, period_s: FloatArray, pair: IntArray, rules: StartRules
) -> tuple[FloatArray, FloatArray]:
    """(m,) twice: times by B's clock at which A did not start, and B did; of them, and of all.

    They lie some cycles after a start of A, and B was asleep. period_s: (n,) of each service's
    clock, NaN = none. pair: (m,) A * n + B.
    """
    up, down = np.divmod(pair, busy.n)
    order = np.lexsort((busy.start_s, busy.service))
    first = np.searchsorted(busy.service[order], np.arange(busy.n + 1))
    clocked = np.flatnonzero(~np.isnan(period_s[down]))
    n_of = (first[1:] - first[:-1])[up[clocked]]
    line = _Line.of(busy, order)
    came, asked = np.zeros((2, len(pair)))
    for block in np.split(np.arange(len(clocked)), _cuts(n_of)):
        of = np.repeat(clocked[block], n_of[block])
        start = busy.start_s[order[span(first[up[clocked[block]]], n_of[block])]]
        for k in range(1, rules.n_cycles + 1):
            at = start + k * period_s[down[of]]
            free = (at >= busy.since_s) & (at <= busy.until_s - rules.within_s)
            free &= ~line.starts(up[of], at - rules.within_s, at + rules.within_s)
            free &= line.asleep(down[of], at, rules.idle_s)
            asked += np.bincount(of[free], minlength=len(pair))
            free &= line.starts(down[of], at - 1e-5, at + rules.within_s)
            came += np.bincount(of[free], minlength=len(pair))
    return came, asked


def _cuts(size: IntArray) -> IntArray:
    """Where to cut, for blocks of no more than `CELLS` together."""
    return np.flatnonzero(np.diff(np.cumsum(size) // CELLS)) + 1


class _Line:
    """All spells on one ascending line of time, each service out of the others' reach."""

    def __init__(self, start: FloatArray, end: FloatArray, service: IntArray, reach_s: float):
        self._start, self._end, self._service, self._reach_s = start, end, service, reach_s

    @classmethod
    def of(cls, busy: BusyPeriods, order: IntArray) -> "_Line":
        first_s, last_s = busy.start_s.min(initial=0.0), busy.until_s
        reach_s = 3.0 * max(last_s - first_s, 1.0) + 1e6
        service = busy.service[order]
        shift = service * reach_s
        return cls(busy.start_s[order] + shift, busy.end_s[order] + shift, service, reach_s)

    def starts(self, who: IntArray, since_s: FloatArray, until_s: FloatArray) -> BoolArray:
        """(k,) whether the service starts in [since_s, until_s]."""
        shift = who * self._reach_s
        first = np.searchsorted(self._start, since_s + shift, side="left")
        return np.asarray(np.searchsorted(self._start, until_s + shift, side="right") > first)

    def asleep(self, who: IntArray, at_s: FloatArray, idle_s: float) -> BoolArray:
        """(k,) whether the service was not called for so long at a time."""
        at = at_s + who * self._reach_s
        last = np.searchsorted(self._start, at, side="left") - 1
        own = (last >= 0) & (self._service[last] == who)
        return np.asarray(~own | (at - self._end[last] >= idle_s))
