"""Counts whose starts follow whose, for every ordered pair of services at once."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from autoscaler.core.state.rings import span
from autoscaler.core.types import FloatArray, IntArray
from learner.dependencies.busy_periods import BusyPeriods

HOUR_S = 3600.0
CELLS = 1 << 23  # cells of a mask held at once: bounds memory


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRules:
    """What counts as idle, and as following.

    Twenty seconds are ten cold starts in a row; with less, the end of a long chain is never seen.
    """

    idle_s: float = 60.0  # s of idleness after which a call is a start
    within_s: float = 20.0  # s within which a start follows another


@dataclass(frozen=True, slots=True, kw_only=True)
class Coincidences:
    """Pairs of starts of two services, B's within a window after A's."""

    after: IntArray  # (k,) index of B's busy period
    pair: IntArray  # (k,) A's service * number of services + B's
    lag_s: FloatArray  # (k,) s from A's start to B's


def following_starts(busy: BusyPeriods, rules: StartRules) -> Coincidences:
    """Starts of B that follow a trial: a start of A at which B was idle.

    Simultaneous starts, to the resolution of a clock, count as following.
    """
    among = _trials_of_a(busy, rules)
    at = busy.start_s[among]
    first = np.searchsorted(busy.start_s, at - 1e-5, side="left")
    last = np.searchsorted(busy.start_s, at + rules.within_s, side="right")
    before, after = np.repeat(among, last - first), span(first, last - first)
    other = busy.service[before] != busy.service[after]
    idle = busy.start_s[before] - busy.previous_end_s()[after] >= rules.idle_s
    before, after = before[other & idle], after[other & idle]
    return Coincidences(
        after=after,
        pair=busy.service[before] * busy.n + busy.service[after],
        lag_s=busy.start_s[after] - busy.start_s[before],
    )


def trials(busy: BusyPeriods, rules: StartRules) -> FloatArray:
    """(n, n) starts of A (row) at which B (column) was idle."""
    n, among = busy.n, _trials_of_a(busy, rules)
    at = busy.start_s[among]
    one = np.ones(len(at), dtype=np.float32)
    rows = sparse.csr_array((one, (busy.service[among], np.arange(len(at)))), (n, len(at)))
    begin = np.searchsorted(at, busy.start_s, side="right")
    end = np.searchsorted(at, busy.end_s + rules.idle_s)
    result = np.zeros((n, n))
    width = max(1, CELLS // (len(at) + 1))
    for first in range(0, n, width):
        block = slice(first, min(first + width, n))
        mine = np.flatnonzero((busy.service >= block.start) & (busy.service < block.stop))
        column = busy.service[mine] - block.start
        idle = _idle(column, begin[mine], end[mine], (len(at), block.stop - block.start))
        result[:, block] = rows @ idle
    np.fill_diagonal(result, 0.0)
    return result


def starts_and_expected(busy: BusyPeriods, rules: StartRules) -> tuple[FloatArray, FloatArray]:
    """(n,) starts of A, and (n, n) how many of them an idle B would follow by chance.

    B starts by chance at its rate of the hour, so that day and night make no edges; with a prior of
    one start in all its idle time.
    """
    within_s = rules.within_s
    first_s = busy.start_s.min(initial=busy.since_s)
    n_hours = max(int(np.ceil((busy.until_s - busy.since_s) / HOUR_S)), 1)
    edges = np.maximum(busy.until_s - HOUR_S * np.arange(n_hours, -1, -1.0), first_s)
    mine = _trials_of_a(busy, rules)
    ours, theirs = (_by_hour(busy, rows, edges) for rows in (mine, np.arange(len(busy.service))))
    idle_s = np.diff(edges)[:, None] - np.diff([_busy_s(busy, at, rules) for at in edges], axis=0)
    all_idle_s = busy.until_s - first_s - _busy_s(busy, busy.until_s, rules)
    per_s = theirs / np.maximum(idle_s, within_s) + 1.0 / np.maximum(all_idle_s, within_s)
    expected = ours.T @ -np.expm1(-per_s * within_s)
    np.fill_diagonal(expected, 0.0)
    return ours.sum(axis=0), expected


def _by_hour(busy: BusyPeriods, rows: IntArray, edges: FloatArray) -> FloatArray:
    """(n_hours, n) starts of some busy periods."""
    hour = np.searchsorted(edges, busy.start_s[rows], side="right") - 1
    inside = (hour >= 0) & (hour < len(edges) - 1)
    key = hour[inside] * busy.n + busy.service[rows[inside]]
    counts = np.bincount(key, minlength=(len(edges) - 1) * busy.n)
    return counts.reshape(len(edges) - 1, busy.n).astype(np.float64)


def _busy_s(busy: BusyPeriods, until_s: float, rules: StartRules) -> FloatArray:
    """(n,) s up to a time at which each service was not idle."""
    length_s = busy.end_s + rules.idle_s - busy.start_s
    passed_s = np.clip(until_s - busy.start_s, 0.0, length_s)
    return np.bincount(busy.service, passed_s, busy.n).astype(np.float64)


def _trials_of_a(busy: BusyPeriods, rules: StartRules) -> IntArray:
    """The busy periods whose start counts: what follows it is known."""
    at = busy.start_s
    return np.flatnonzero((at >= busy.since_s) & (at <= busy.until_s - rules.within_s))


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
