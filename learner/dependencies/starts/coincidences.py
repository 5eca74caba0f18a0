"""Counts whose starts follow whose, for every ordered pair of services at once.

Starts are counted as they were, and for a baseline with B as it was some time later, where what
follows has nothing to do with A.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from autoscaler.core.state.rings import span
from autoscaler.core.types import BoolArray, FloatArray, IntArray
from learner.dependencies.busy_periods import BusyPeriods

CELLS = 1 << 23  # cells of a mask held at once: bounds memory


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRules:
    """What counts as idle, as following, and as near enough for a base rate.

    Twenty seconds are ten cold starts in a row; with less, the end of a long chain is never seen.
    The times nearby lie half a minute off whole minutes, where timers of one phase do not coincide;
    times at which they do are counted apart.
    """

    idle_s: float = 60.0  # s of idleness after which a call is a start
    within_s: float = 20.0  # s within which a start follows another
    bin_s: float = 2.0  # s of lag counted together; divides within_s
    nearby_s: tuple[float, ...] = tuple(
        sign * (90.0 + 60.0 * i) for i in range(10) for sign in (-1.0, 1.0)
    )
    n_cycles: int = 4  # cycles of a timer for the baseline by timer

    @property
    def n_bins(self) -> int:
        """Number of bins of lag."""
        return round(self.within_s / self.bin_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coincidences:
    """Pairs of starts of two services, B's within a window after A's."""

    before: IntArray  # (k,) index of A's busy period
    after: IntArray  # (k,) index of B's busy period
    pair: IntArray  # (k,) A's service * number of services + B's
    lag_s: FloatArray  # (k,) s from A's start to B's, shifted

    def where(self, mask: BoolArray) -> "Coincidences":
        """Those of the mask (k,)."""
        return Coincidences(
            before=self.before[mask],
            after=self.after[mask],
            pair=self.pair[mask],
            lag_s=self.lag_s[mask],
        )


def coincidences(
    busy: BusyPeriods, later_s: FloatArray, among: IntArray, window_s: tuple[float, float]
) -> Coincidences:
    """All pairs of starts with a lag in the window.

    later_s: (n,) s by which B's starts are shifted to earlier.
    among: (j,) busy periods of A to count. window_s: least and greatest lag.
    """
    shifted = busy.start_s - later_s[busy.service]
    order = np.argsort(shifted, kind="stable")
    axis, at = shifted[order], busy.start_s[among]
    first = np.searchsorted(axis, at + window_s[0], side="left")
    last = np.searchsorted(axis, at + window_s[1], side="right")
    before, after = np.repeat(among, last - first), order[span(first, last - first)]
    other = busy.service[before] != busy.service[after]
    before, after = before[other], after[other]
    return Coincidences(
        before=before,
        after=after,
        pair=busy.service[before] * busy.n + busy.service[after],
        lag_s=shifted[after] - busy.start_s[before],
    )


def observed_span(busy: BusyPeriods, rules: StartRules) -> FloatArray:
    """(2, n) Unix s from which and up to which each service was observed, as B of a pair."""
    return np.repeat([[busy.since_s], [busy.until_s - rules.within_s]], busy.n, axis=1)


def active_span(busy: BusyPeriods, rules: StartRules) -> FloatArray:
    """(2, n) the same, without the time before a service was created and after it was deleted.

    That is assumed before its first start and after its last one, further than its longest gap.
    """
    order = np.lexsort((busy.start_s, busy.service))
    owner, start_s = busy.service[order], busy.start_s[order]
    same = owner[1:] == owner[:-1]
    gap_s = np.zeros(busy.n)
    np.maximum.at(gap_s, owner[1:][same], np.diff(start_s)[same])
    first_s, last_s = np.full(busy.n, np.inf), np.full(busy.n, -np.inf)
    np.minimum.at(first_s, owner, start_s)
    np.maximum.at(last_s, owner, start_s)
    since_s, until_s = observed_span(busy, rules)
    known = gap_s > 0  # unknown of a service that started once
    first_s = np.where(known, first_s - gap_s, -np.inf)
    last_s = np.where(known, last_s + gap_s, np.inf)
    return np.stack([np.maximum(since_s, first_s), np.minimum(until_s, last_s)])


def following_starts(
    busy: BusyPeriods, later_s: FloatArray, span_s: FloatArray, rules: StartRules
) -> Coincidences:
    """Starts of B that follow a trial: B was observed, and idle, when A started.

    Simultaneous starts, to the resolution of a clock, count as following.
    """
    found = coincidences(busy, later_s, _candidates(busy, later_s), (-1e-5, rules.within_s))
    b = busy.service[found.after]
    at = busy.start_s[found.before] + later_s[b]
    idle = at - busy.previous_end_s()[found.after] >= rules.idle_s
    return found.where(idle & (at >= span_s[0, b]) & (at <= span_s[1, b]))


def trials(
    busy: BusyPeriods, later_s: FloatArray, span_s: FloatArray, rules: StartRules
) -> FloatArray:
    """(n, n) starts of A (row) at which B (column) was observed, and idle.

    later_s: (n,) s by which B's busy periods are shifted to earlier. span_s: (2, n) Unix s from
    which and up to which B was observed.
    """
    n, among = busy.n, _candidates(busy, later_s)
    at = busy.start_s[among]
    one = np.ones(len(at), dtype=np.float32)
    rows = sparse.csr_array((one, (busy.service[among], np.arange(len(at)))), (n, len(at)))
    # Time that was not observed counts as busy: two more periods of every service.
    since_s, until_s = span_s - later_s
    later, end_of_time = later_s[busy.service], np.full(n, np.inf)
    service = np.concatenate([busy.service, np.arange(n), np.arange(n)])
    begin_s = np.concatenate([busy.start_s - later, -end_of_time, until_s])
    end_s = np.concatenate([busy.end_s - later + rules.idle_s, since_s, end_of_time])
    begin, end = np.searchsorted(at, begin_s, side="right"), np.searchsorted(at, end_s)
    result = np.zeros((n, n))
    width = max(1, CELLS // (len(at) + 1))
    for first in range(0, n, width):
        block = slice(first, min(first + width, n))
        mine = np.flatnonzero((service >= block.start) & (service < block.stop))
        column = service[mine] - block.start
        idle = _idle(column, begin[mine], end[mine], (len(at), block.stop - block.start))
        result[:, block] = rows @ idle
    np.fill_diagonal(result, 0.0)
    return result


def _candidates(busy: BusyPeriods, later_s: FloatArray) -> IntArray:
    """The busy periods of A with some B that was observed so much later."""
    at = busy.start_s
    least, most = later_s.min(initial=0.0), later_s.max(initial=0.0)
    return np.flatnonzero((at + most >= busy.since_s) & (at + least <= busy.until_s))


def _idle(
    column: IntArray, begin: IntArray, end: IntArray, shape: tuple[int, int]
) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """(n_times, n_columns) 1 where the column is not busy.

    begin, end: (k,) index of the first time in the busy period, and after it.
    """
    n_times, width = shape
    change = np.zeros((n_times + 1) * width, dtype=np.int8)
    np.add.at(change, begin * width + column, np.int8(1))
    np.add.at(change, np.maximum(end, begin) * width + column, np.int8(-1))
    n_busy = np.cumsum(change.reshape(-1, width)[:-1], axis=0, dtype=np.int8)
    return np.asarray(n_busy == 0, dtype=np.float32)


def tally(n: int, found: Coincidences, weight: FloatArray | None = None) -> FloatArray:
    """(n, n) coincidences of every ordered pair of services, or sums of ``weight`` (k,)."""
    return np.bincount(found.pair, weight, n * n).reshape(n, n).astype(np.float64)


def histogram(
    n: int, found: Coincidences, rules: StartRules, weight: FloatArray | None = None
) -> FloatArray:
    """(n_bins, n * n) coincidences by lag, or sums of ``weight`` (k,)."""
    slot = np.clip((found.lag_s / rules.bin_s).astype(np.int64), 0, rules.n_bins - 1)
    counts = np.bincount(slot * n * n + found.pair, weight, rules.n_bins * n * n)
    return counts.reshape(rules.n_bins, n * n).astype(np.float64)
