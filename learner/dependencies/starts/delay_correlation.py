"""Is it the caller's clock or one's own? A caller that is late makes late what it calls.

For pairs whose starts coincide by the clock, counting says nothing: both come every time. So B's
lateness, measured against A's clock, is correlated with A's own. Independent clocks give zero,
however often they coincide; a caller and its callee do not. Ranks, so that one odd run in a hundred
does not decide. Clocks without any jitter cannot be told apart, and make no edge.

Lateness may keep time itself (every fifth run finds a cold gateway), so the correlation has to
exceed that with B's runs some cycles later, by more than those differ from each other. And what A
calls is late by the second for every second that A is: two that merely share a gateway, which the
first of them wakes, are tied more loosely.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from autoscaler.core.types import BoolArray, FloatArray, IntArray
from learner.dependencies.busy_periods import BusyPeriods
from learner.dependencies.starts.coincidences import Coincidences, StartRules, coincidences, tally
from learner.dependencies.starts.timed_starts import SLACK_S, TimedStarts

LEAST_S = 0.003  # s: a clock steadier than this shows nothing
LOOSE = 0.2  # Fisher's z up to which two share something, rather than one calling the other
CALM = 6.0  # cycles that are taken to have varied by chance alone, beside those that were seen


@dataclass(frozen=True, slots=True, kw_only=True)
class DelayCorrelation:
    """Of every ordered pair (n, n); what is usual only of those that are not loosely tied."""

    z: FloatArray  # Fisher's z of the rank correlation; z * weight**0.5 is N(0, 1)
    weight: FloatArray  # 0 = nothing is known
    usual_z: FloatArray  # the same some cycles later, where A's lateness can make nobody late
    usual_weight: FloatArray
    scatter: FloatArray  # variance of the usual ones over what chance allows them; at least 1
    slope: FloatArray  # s that B is later for a second that A is

    def columns(self, pair: IntArray) -> FloatArray:
        """(m, 6) of some pairs, in the order of the fields."""
        each = (self.z, self.weight, self.usual_z, self.usual_weight, self.scatter, self.slope)
        return np.stack([values.ravel()[pair] for values in each], axis=1)


def delay_correlation(
    busy: BusyPeriods, timers: TimedStarts, cycles: Sequence[FloatArray], rules: StartRules
) -> DelayCorrelation:
    """How late B comes when A is late. cycles: (n,) s each, after which clocks are where they were.

    B's starts count from a little before A's: a window that began at A's start would let in, of
    independent starts, only those that are late whenever A is.
    """
    n = busy.n
    z, weight, slope = _correlated(busy, timers, np.zeros(n), rules, np.ones(n * n, dtype=np.bool_))
    tied = (z >= LOOSE).ravel()  # of the others, which are nearly all, no more need be known
    usual, usual_weight, squares, many = np.zeros((4, n, n))
    for later_s in cycles:
        each, its_weight, _ = _correlated(busy, timers, later_s, rules, tied)
        usual += each * its_weight
        usual_weight += its_weight
        squares += each**2 * its_weight
        many += its_weight > 0
    usual /= np.maximum(usual_weight, 1e-9)
    spread = np.maximum(squares - usual**2 * usual_weight, 0.0)
    scatter = (spread + CALM) / (np.maximum(many - 1.0, 0.0) + CALM)
    return DelayCorrelation(
        z=z,
        weight=weight,
        usual_z=usual,
        usual_weight=usual_weight,
        scatter=np.maximum(scatter, 1.0),
        slope=slope,
    )


def _correlated(
    busy: BusyPeriods,
    timers: TimedStarts,
    later_s: FloatArray,
    rules: StartRules,
    asked: BoolArray,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Fisher's z, its weight, and the slope, (n, n) each; B as it was later_s (n,) later.

    asked: (n * n,) pairs that it is asked of; of all others nothing is known.
    """
    lead = 2 * SLACK_S
    known = np.flatnonzero(~np.isnan(timers.late_s))
    found = coincidences(busy, later_s, known, (-lead, rules.within_s + lead))
    found = found.where(asked[found.pair])
    found = found.where(_about_usual(busy.n, found, rules))
    late = timers.late_s[found.before]
    # A loop has no time at which it is due: B's delay stands against its own run before.
    delay = np.where(timers.timer[found.before] < 0, timers.late_s[found.after], found.lag_s + late)
    has = ~np.isnan(delay)
    found, late, delay = found.where(has), late[has], delay[has]
    ranks = [_ranks(found.pair, v) for v in (late, delay)]
    count = tally(busy.n, found)
    many = np.maximum(count, 1.0)

    def covariance(a: FloatArray, b: FloatArray) -> FloatArray:
        means = [tally(busy.n, found, v) / many for v in (a, b)]
        return np.asarray(tally(busy.n, found, a * b) / many - means[0] * means[1])

    x, y = ranks
    width, spread = covariance(x, x) * covariance(y, y), covariance(late, late)
    told = (width > 0) & (spread > LEAST_S**2)
    correlation = np.where(told, covariance(x, y) / np.sqrt(np.where(told, width, 1.0)), 0.0)
    slope = np.where(told, covariance(late, delay) / np.where(told, spread, 1.0), 0.0)
    weight = np.maximum(count - 3.0, 0.0) / 1.06
    return np.arctanh(np.clip(correlation, -0.99, 0.99)), weight, slope


def _about_usual(n: int, found: Coincidences, rules: StartRules) -> BoolArray:
    """(k,) whether the lag is about the pair's most frequent one from 0 up.

    What comes at quite another lag came by another way, or called A in the first place.
    """
    n_pairs, size, pair = n * n, rules.n_bins, found.pair
    slot = (found.lag_s / rules.bin_s).astype(np.int64)
    ahead = (found.lag_s >= 0) & (slot < size)
    many = np.bincount(slot[ahead] * n_pairs + pair[ahead], minlength=size * n_pairs)
    middle = (many.reshape(size, n_pairs).argmax(axis=0) + 0.5) * rules.bin_s
    return np.asarray(np.abs(found.lag_s - middle[pair]) <= 2 * SLACK_S + rules.bin_s / 2)


def _ranks(group: IntArray, values: FloatArray) -> FloatArray:
    """(k,) rank of each value among those of its group, from 0."""
    order = np.lexsort((values, group))
    first = np.searchsorted(group[order], group[order])
    ranks = np.empty(len(values))
    ranks[order] = np.arange(len(values)) - first
    return ranks
