"""Is it the caller's clock or one's own? A caller that is late makes late what it calls.

For pairs whose starts coincide by the clock, counting says nothing: both come every time. So B's
lateness, measured against A's clock, is correlated with A's own. Independent clocks give zero,
however often they coincide; a caller and its callee do not. Ranks, so that one odd run in a hundred
does not decide. Clocks without any jitter cannot be told apart, and make no edge.
"""

import numpy as np

from autoscaler.types import BoolArray, FloatArray, IntArray
from learner.dependencies.following import Coincidences, StartRules, coincidences, tally
from learner.dependencies.spells import Spells
from learner.dependencies.timers import SLACK_S, Timers

LEAST_S = 0.003  # s: a clock steadier than this shows nothing


def lateness(spells: Spells, timers: Timers, rules: StartRules) -> tuple[FloatArray, FloatArray]:
    """Fisher's z of the rank correlation and its weight, both (n, n): z * weight**0.5 is N(0, 1).

    B's starts count from a little before A's: a window that began at A's start would let in, of
    independent starts, only those that are late whenever A is.
    """
    lead = 2 * SLACK_S
    counted = np.where(np.isnan(timers.late_s), np.nan, 0.0)
    found = coincidences(spells, counted, (-lead, rules.within_s + lead))
    found = found.where(_about_usual(spells, found, rules))
    late = timers.late_s[found.before]
    # A loop has no time at which it is due: B's delay stands against its own run before.
    delay = np.where(timers.timer[found.before] < 0, timers.late_s[found.after], found.lag_s + late)
    known = ~np.isnan(delay)
    found, late, delay = found.where(known), late[known], delay[known]
    pair = spells.service[found.before] * spells.n + spells.service[found.after]
    ranks = [_ranks(pair, v) for v in (late, delay)]
    count = tally(spells, found)
    many = np.maximum(count, 1.0)

    def covariance(a: FloatArray, b: FloatArray) -> FloatArray:
        means = [tally(spells, found, v) / many for v in (a, b)]
        return np.asarray(tally(spells, found, a * b) / many - means[0] * means[1])

    x, y = ranks
    width = covariance(x, x) * covariance(y, y)
    told = (width > 0) & (covariance(late, late) > LEAST_S**2)
    correlation = np.where(told, covariance(x, y) / np.sqrt(np.where(told, width, 1.0)), 0.0)
    weight = np.maximum(count - 3.0, 0.0) / 1.06
    return np.arctanh(np.clip(correlation, -0.99, 0.99)), weight


def _about_usual(spells: Spells, found: Coincidences, rules: StartRules) -> BoolArray:
    """(k,) whether the lag is about the pair's most frequent one from 0 up.

    What comes at quite another lag came by another way, or called A in the first place.
    """
    n_pairs, size = spells.n**2, rules.n_bins
    pair = spells.service[found.before] * spells.n + spells.service[found.after]
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
