"""Whose starts follow whose: the counting, for every ordered pair of services at once."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from autoscaler.ragged import span
from autoscaler.types import BoolArray, FloatArray, IntArray
from learner.dependencies.spells import Spells
from learner.dependencies.timers import Timers

CELLS = 1 << 23  # cells of a mask held at once: bounds memory


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRules:
    """What counts as asleep, as following, and as near enough for a base rate.

    Twenty seconds are ten cold hops; shorter, and the end of a long chain is never seen.
    """

    idle_s: float = 60.0  # s of idleness after which a call is a start
    within_s: float = 20.0  # s within which a start follows another
    bin_s: float = 2.0  # s of lag counted together; divides within_s
    shifts_s: tuple[float, ...] = tuple(
        float(s) for d in np.linspace(90.0, 900.0, 10).round() for s in (-d, d)
    )

    @property
    def n_bins(self) -> int:
        """Number of bins of lag."""
        return round(self.within_s / self.bin_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coincidences:
    """Pairs of starts of two services, B's within a window after A's (as moved)."""

    before: IntArray  # (k,) index of A's spell
    after: IntArray  # (k,) index of B's spell
    lag_s: FloatArray  # (k,) s from A's moved start to B's start

    def where(self, kept: BoolArray) -> "Coincidences":
        """Those that are kept (k,)."""
        return Coincidences(
            before=self.before[kept], after=self.after[kept], lag_s=self.lag_s[kept]
        )


def coincidences(
    spells: Spells, shift_s: FloatArray, window_s: tuple[float, float]
) -> Coincidences:
    """All pairs of starts with a lag in the window, A's starts moved by ``shift_s``.

    shift_s: (n_spells,) s, NaN = the start is left out. window_s: least and greatest lag.
    """
    moved = spells.start_s + shift_s
    counted = np.flatnonzero(~np.isnan(moved))
    first = np.searchsorted(spells.start_s, moved[counted] + window_s[0], side="left")
    last = np.searchsorted(spells.start_s, moved[counted] + window_s[1], side="right")
    before = np.repeat(counted, last - first)
    after = span(first, last - first)
    other = spells.service[before] != spells.service[after]
    before, after = before[other], after[other]
    return Coincidences(before=before, after=after, lag_s=spells.start_s[after] - moved[before])


def following(spells: Spells, shift_s: FloatArray, rules: StartRules) -> Coincidences:
    """Starts that follow, as `trials` counts: B was asleep when A started (as moved).

    What the clocks of one machine do not tell apart counts as following.
    """
    found = coincidences(spells, _watched(spells, shift_s, rules), (-1e-5, rules.within_s))
    moved = spells.start_s[found.before] + shift_s[found.before]
    asleep = moved - spells.previous_end_s()[found.after] >= rules.idle_s
    return found.where(asleep)


def clockless(spells: Spells, timers: Timers, found: Coincidences, rules: StartRules) -> BoolArray:
    """(k,) which coincidences no clock explains, as the second of `trials` counts them."""
    free = ~timers.clocked
    kept = free[found.before] & free[found.after]
    moved = spells.start_s[found.after] - found.lag_s
    order = np.argsort(timers.service, kind="stable")
    service = spells.service[found.after]
    first = np.searchsorted(timers.service[order], service)
    n_of = np.bincount(timers.service, minlength=spells.n)[service]
    for i in range(int(n_of.max(initial=0))):
        rows = np.flatnonzero(kept & (n_of > i))
        kept[rows] &= ~timers.due(moved[rows], order[first[rows] + i], rules.within_s)
    return kept


def _watched(spells: Spells, shift_s: FloatArray, rules: StartRules) -> FloatArray:
    """The shifts, NaN where they move a start out of the time that was watched."""
    moved = spells.start_s + shift_s
    inside = (moved >= spells.since_s) & (moved <= spells.until_s - rules.within_s)
    return np.where(inside, shift_s, np.nan)


def trials(
    spells: Spells, timers: Timers, shift_s: FloatArray, rules: StartRules
) -> tuple[FloatArray, FloatArray]:
    """(n, n) twice: A's (row) starts, moved by ``shift_s``, at which B (column) was asleep.

    First all of them; then those that no timer of A explains, and at which no timer of B was due.
    shift_s: (n_spells,) s, NaN = the start is left out.
    """
    moved = spells.start_s + _watched(spells, shift_s, rules)
    counted = np.flatnonzero(~np.isnan(moved))
    counted = counted[np.argsort(moved[counted], kind="stable")]
    at, n = moved[counted], spells.n
    one = np.ones(len(at), dtype=np.float32)
    rows = sparse.csr_array((one, (spells.service[counted], np.arange(len(at)))), (n, len(at)))
    mask = ~timers.clocked[counted]
    free_rows = sparse.csr_array(
        (one[mask], (spells.service[counted[mask]], np.flatnonzero(mask))), (n, len(at))
    )
    awake = np.searchsorted(at, spells.start_s, side="right")
    asleep = np.searchsorted(at, spells.end_s + rules.idle_s, side="left")
    everything, free = np.zeros((2, n, n))
    width = max(1, CELLS // (len(at) + 1))
    for begin in range(0, n, width):
        block = slice(begin, min(begin + width, n))
        idle = _idle(spells, awake, asleep, block, len(at))
        everything[:, block] = rows @ idle
        inside = (timers.service >= block.start) & (timers.service < block.stop)
        for t in np.flatnonzero(inside).tolist():
            idle[timers.due(at, t, rules.within_s), timers.service[t] - begin] = 0.0
        free[:, block] = free_rows @ idle
    np.fill_diagonal(everything, 0.0)
    np.fill_diagonal(free, 0.0)
    return everything, free


def _idle(
    spells: Spells, awake: IntArray, asleep: IntArray, block: slice, n_times: int
) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """(n_times, services of the block) 1 where the service sleeps.

    awake, asleep: (n_spells,) index of the first time after a spell's start, and after its end.
    """
    mine = np.flatnonzero((spells.service >= block.start) & (spells.service < block.stop))
    width = block.stop - block.start
    column = spells.service[mine] - block.start
    change = np.zeros((n_times + 1) * width, dtype=np.int8)
    np.add.at(change, awake[mine] * width + column, np.int8(1))
    np.add.at(change, np.maximum(asleep, awake)[mine] * width + column, np.int8(-1))
    busy = np.cumsum(change.reshape(-1, width)[:-1], axis=0, dtype=np.int8)
    return np.asarray(busy == 0, dtype=np.float32)


def tally(spells: Spells, found: Coincidences, weight: FloatArray | None = None) -> FloatArray:
    """(n, n) coincidences of every ordered pair of services, or sums of ``weight`` (k,)."""
    key = spells.service[found.before] * spells.n + spells.service[found.after]
    return np.bincount(key, weight, spells.n**2).reshape(spells.n, spells.n).astype(np.float64)


def histogram(
    spells: Spells, found: Coincidences, rules: StartRules, weight: FloatArray | None = None
) -> FloatArray:
    """(n_bins, n, n) coincidences by lag, or sums of ``weight`` (k,)."""
    slot = np.clip((found.lag_s / rules.bin_s).astype(np.int64), 0, rules.n_bins - 1)
    pair = spells.service[found.before] * spells.n + spells.service[found.after]
    size = spells.n**2
    counts = np.bincount(slot * size + pair, weight, rules.n_bins * size)
    return counts.reshape(rules.n_bins, spells.n, spells.n).astype(np.float64)
