"""What B's own timer does without A: B's starts some cycles of its timer later.

Timers that people set divide the hour, so an hour later each of them is at the same phase; a timer
of another period is so after whole cycles of its own.
"""

import numpy as np

from autoscaler.core.state.rings import span
from autoscaler.core.types import BoolArray, FloatArray, IntArray
from learner.dependencies.busy_periods import BusyPeriods
from learner.dependencies.starts.coincidences import CELLS, StartRules
from learner.dependencies.starts.timed_starts import COMMON_PERIODS_S, SLACK_S, TimedStarts

HOUR_S = 3600.0


def cycles_s(timers: TimedStarts, n: int) -> tuple[FloatArray, FloatArray]:
    """(n,) s twice: the period of each service's timer (NaN = none), and about an hour.

    The second is a multiple of the first. A loop of seven minutes also fits a timer of one minute:
    of timer and loop, the longer one is used.
    """
    period = np.full(n, np.nan)
    period[timers.service[::-1]] = timers.period_s[::-1]  # of several timers the most regular one
    loop = _rounded(timers.loop_s)
    period = np.where(~np.isnan(loop) & ~(loop < 1.5 * period), loop, period)
    one = np.where(np.isnan(period), HOUR_S, period)
    return period, one * np.maximum(np.round(HOUR_S / one), 1.0)


def _rounded(loop_s: FloatArray) -> FloatArray:
    """(n,) s: the loops, rounded to a common period where one is near."""
    distance = np.abs(np.nan_to_num(loop_s)[:, None] - COMMON_PERIODS_S)
    nearest = COMMON_PERIODS_S[np.argmin(distance, axis=1)]
    return np.where(np.abs(loop_s - nearest) <= 2 * SLACK_S, nearest, loop_s)


def starts_without_upstream(
    busy: BusyPeriods, period_s: FloatArray, pair: IntArray, rules: StartRules
) -> tuple[FloatArray, FloatArray]:
    """(m,) twice: of times by B's timer at which A did not start, those at which B did; and all.

    They lie some cycles after a start of A, and B was idle. period_s: (n,) of each service's timer,
    NaN = none. pair: (m,) A * n + B.
    """
    up, down = np.divmod(pair, busy.n)
    order = np.lexsort((busy.start_s, busy.service))
    first = np.searchsorted(busy.service[order], np.arange(busy.n + 1))
    timed = np.flatnonzero(~np.isnan(period_s[down]))
    n_of = (first[1:] - first[:-1])[up[timed]]
    axis = _TimeAxis.of(busy, order)
    started, trials = np.zeros((2, len(pair)))
    for block in np.split(np.arange(len(timed)), _cuts(n_of)):
        of = np.repeat(timed[block], n_of[block])
        start = busy.start_s[order[span(first[up[timed[block]]], n_of[block])]]
        for k in range(1, rules.n_cycles + 1):
            at = start + k * period_s[down[of]]
            counts = (at >= busy.since_s) & (at <= busy.until_s - rules.within_s)
            counts &= ~axis.starts(up[of], at - rules.within_s, at + rules.within_s)
            counts &= axis.idle(down[of], at, rules.idle_s)
            trials += np.bincount(of[counts], minlength=len(pair))
            counts &= axis.starts(down[of], at - 1e-5, at + rules.within_s)
            started += np.bincount(of[counts], minlength=len(pair))
    return started, trials


def _cuts(size: IntArray) -> IntArray:
    """Where to cut, for blocks of no more than `CELLS` together."""
    return np.flatnonzero(np.diff(np.cumsum(size) // CELLS)) + 1


class _TimeAxis:
    """All busy periods on one ascending axis, those of different services far apart."""

    def __init__(self, start: FloatArray, end: FloatArray, service: IntArray, reach_s: float):
        self._start, self._end, self._service, self._reach_s = start, end, service, reach_s

    @classmethod
    def of(cls, busy: BusyPeriods, order: IntArray) -> "_TimeAxis":
        """order: (n_busy,) by service, then by start."""
        first_s, last_s = busy.start_s.min(initial=0.0), busy.until_s
        reach_s = 3.0 * max(last_s - first_s, 1.0) + 1e6
        service = busy.service[order]
        shift = service * reach_s
        return cls(busy.start_s[order] + shift, busy.end_s[order] + shift, service, reach_s)

    def starts(self, service: IntArray, since_s: FloatArray, until_s: FloatArray) -> BoolArray:
        """(k,) whether the service starts in [since_s, until_s]."""
        shift = service * self._reach_s
        first = np.searchsorted(self._start, since_s + shift, side="left")
        return np.asarray(np.searchsorted(self._start, until_s + shift, side="right") > first)

    def idle(self, service: IntArray, at_s: FloatArray, idle_s: float) -> BoolArray:
        """(k,) whether the service has had no call for ``idle_s`` at a time."""
        at = at_s + service * self._reach_s
        last = np.searchsorted(self._start, at, side="left") - 1
        own = (last >= 0) & (self._service[last] == service)
        return np.asarray(~own | (at - self._end[last] >= idle_s))
