"""Correlated delays: a caller that is delayed delays what it calls.

Starts of two timers coincide every time, so counts are no evidence. Therefore B's delay, measured
against A's due time, is correlated with A's own. Independent timers give zero, however
often they coincide; a caller and its callee do not. Ranks, so that one odd run in a hundred does
not decide. Timers without jitter cannot be told apart, and make no edge.

Delays may be periodic themselves (every fifth run finds a cold gateway), so the correlation has to
exceed a baseline, that with B's runs some cycles later, by more than the baselines differ among
each other. And a callee is delayed by a second for every second that its caller is: two services
that merely share a gateway, woken by the first, correlate less.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from autoscaler.core.types import BoolArray, FloatArray, IntArray
from learner.dependencies.busy_periods import BusyPeriods
from learner.dependencies.starts.coincidences import Coincidences, StartRules, coincidences, tally
from learner.dependencies.starts.timed_starts import SLACK_S, TimedStarts

LEAST_JITTER_S = 0.003  # s: the delays of a steadier timer are not used
SHARED_CAUSE_Z = 0.2  # Fisher's z up to which a shared cause explains the correlation
PRIOR_CYCLES = 6.0  # cycles of chance variation that are added to the baselines measured


@dataclass(frozen=True, slots=True, kw_only=True)
class DelayCorrelation:
    """Of every ordered pair (n, n); baselines only of pairs with ``z`` >= SHARED_CAUSE_Z."""

    z: FloatArray  # Fisher's z of the rank correlation; z * weight**0.5 is N(0, 1)
    weight: FloatArray  # 0 = nothing is known
    baseline_z: FloatArray  # the same some cycles later, where A's delay can delay nothing
    baseline_weight: FloatArray
    scatter: FloatArray  # variance of the baselines over that expected by chance; at least 1
    slope: FloatArray  # s of delay of B for a second of A

    def columns(self, pair: IntArray) -> FloatArray:
        """(m, 6) of some pairs, in the order of the fields."""
        return np.stack([getattr(self, f.name).ravel()[pair] for f in fields(self)], axis=1)


def delay_correlation(
    busy: BusyPeriods, timers: TimedStarts, cycles: Sequence[FloatArray], rules: StartRules
) -> DelayCorrelation:
    """Correlation of B's delays with A's. cycles: (n,) s each, whole cycles of each timer.

    B's starts count from a little before A's: a window that began at A's start would select, of
    independent starts, those that are delayed whenever A is.
    """
    n = busy.n
    z, weight, slope = _correlated(busy, timers, np.zeros(n), rules, np.ones(n * n, dtype=np.bool_))
    correlated = (z >= SHARED_CAUSE_Z).ravel()  # few; the others need no baseline
    baseline, baseline_weight, squares, n_cycles = np.zeros((4, n, n))
    for later_s in cycles:
        each, its_weight, _ = _correlated(busy, timers, later_s, rules, correlated)
        baseline += each * its_weight
        baseline_weight += its_weight
        squares += each**2 * its_weight
        n_cycles += its_weight > 0
    baseline /= np.maximum(baseline_weight, 1e-9)
    spread = np.maximum(squares - baseline**2 * baseline_weight, 0.0)
    scatter = (spread + PRIOR_CYCLES) / (np.maximum(n_cycles - 1.0, 0.0) + PRIOR_CYCLES)
    return DelayCorrelation(
        z=z,
        weight=weight,
        baseline_z=baseline,
        baseline_weight=baseline_weight,
        scatter=np.maximum(scatter, 1.0),
        slope=slope,
    )


def _correlated(
    busy: BusyPeriods,
    timers: TimedStarts,
    later_s: FloatArray,
    rules: StartRules,
    selected: BoolArray,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Fisher's z, its weight, and the slope, (n, n) each; B as it was later_s (n,) later.

    selected: (n * n,) pairs to compute; all others have weight 0.
    """
    lead = 2 * SLACK_S
    timed = np.flatnonzero(~np.isnan(timers.delay_s))
    found = coincidences(busy, later_s, timed, (-lead, rules.within_s + lead))
    found = found.where(selected[found.pair])
    found = found.where(_near_modal_lag(busy.n, found, rules))
    ours = timers.delay_s[found.before]
    # A loop has no due time: B's delay is then measured against its own run before.
    loop = timers.timer[found.before] < 0
    theirs = np.where(loop, timers.delay_s[found.after], found.lag_s + ours)
    has = ~np.isnan(theirs)
    found, ours, theirs = found.where(has), ours[has], theirs[has]
    x, y = (_ranks(found.pair, v) for v in (ours, theirs))
    count = tally(busy.n, found)
    divisor = np.maximum(count, 1.0)

    def covariance(a: FloatArray, b: FloatArray) -> FloatArray:
        means = [tally(busy.n, found, v) / divisor for v in (a, b)]
        return np.asarray(tally(busy.n, found, a * b) / divisor - means[0] * means[1])

    width, spread = covariance(x, x) * covariance(y, y), covariance(ours, ours)
    varies = (width > 0) & (spread > LEAST_JITTER_S**2)
    correlation = np.where(varies, covariance(x, y) / np.sqrt(np.where(varies, width, 1.0)), 0.0)
    slope = np.where(varies, covariance(ours, theirs) / np.where(varies, spread, 1.0), 0.0)
    weight = np.maximum(count - 3.0, 0.0) / 1.06
    return np.arctanh(np.clip(correlation, -0.99, 0.99)), weight, slope


def _near_modal_lag(n: int, found: Coincidences, rules: StartRules) -> BoolArray:
    """(k,) whether the lag is about the pair's most frequent one from 0 up.

    A start at another lag has another caller, or called A in the first place.
    """
    n_pairs, size, pair = n * n, rules.n_bins, found.pair
    slot = (found.lag_s / rules.bin_s).astype(np.int64)
    ahead = (found.lag_s >= 0) & (slot < size)
    count = np.bincount(slot[ahead] * n_pairs + pair[ahead], minlength=size * n_pairs)
    middle = (count.reshape(size, n_pairs).argmax(axis=0) + 0.5) * rules.bin_s
    return np.asarray(np.abs(found.lag_s - middle[pair]) <= 2 * SLACK_S + rules.bin_s / 2)


def _ranks(group: IntArray, values: FloatArray) -> FloatArray:
    """(k,) rank of each value among those of its group, from 0."""
    order = np.lexsort((values, group))
    first = np.searchsorted(group[order], group[order])
    ranks = np.empty(len(values))
    ranks[order] = np.arange(len(values)) - first
    return ranks
