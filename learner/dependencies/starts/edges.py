"""Edges between intermittent services: whose starts follow whose.

A start is a call after idleness; activators report it at once, to the second. If A calls B, then of
A's starts at which B was idle, more have B start within seconds than of the same starts shifted by
some minutes. With this local base rate, day and night, and services that are merely busy, make
no edges.

Two timers of one period and phase coincide every time without calling each other. So a second base
rate is taken hours later, when B's timer and every common one are at the same phase (`own_timer`):
a pair is an edge if it exceeds both. A timer and what only it calls never exceed the second. They
are an edge if their delays are correlated, second for second (`delay_correlation`), and if B's
starts do not come by a timer of its own when A does not start. A caller exact to the millisecond
therefore has no edges; its callees start by the same timer, and their own forecast expects them.
"""

from dataclasses import dataclass

import numpy as np

from autoscaler.core.prediction.dependencies import Edges, Origin, no_edges
from autoscaler.core.types import BoolArray, FloatArray, IntArray
from learner.dependencies.significance import binomial_tail, false_rate, normal_tail
from learner.dependencies.starts.delay_correlation import SHARED_CAUSE_Z
from learner.dependencies.starts.direct import direct_starts
from learner.dependencies.starts.evidence import BASELINE_WEIGHT, WEIGHT, Evidence

FALSE_RATE = 0.01  # share of edges that may be false
LEAST_TRIALS = 5.0  # times by B's timer without A, below which they are not used
OWN_TIMER_SHARE = 0.9  # of such times at which B starts, from which on its own timer explains it
CALLER_Z = 1.0  # Fisher's z of delays of a caller, although B starts as often without it
SLOPES = (0.5, 2.0)  # s of delay of a callee for a second of its caller: 1, roughly
LEAST_GAIN = 0.05  # an edge weaker than this warms in vain more than it is worth


def edges_from_starts(evidence: Evidence, *, rate: float = FALSE_RATE) -> Edges:
    """Edges that the evidence supports. rate: share of them that may be false.

    ``probability`` is P(B starts within the window | A starts, B idle); ``gain`` is by how much A
    raises it above the base rate; ``evidence`` counts the starts of A at which B was idle.
    """
    if not len(evidence.pair):
        return no_edges(evidence.services)
    pairs = _Pairs.of(evidence)
    base_rate = pairs.base_rates[:, -1]
    share = pairs.followed / np.maximum(pairs.trials, 1e-9)
    gain = np.clip((share - base_rate) / np.maximum(1 - base_rate, 1e-3), 0, 1)
    p_near = _p_by_lag(evidence.followed, pairs.trials, pairs.base_rates)
    n_tests = int((evidence.trials > 0).sum())
    near = false_rate(p_near, n_tests)
    both = false_rate(np.maximum(p_near, _p_against_timers(evidence, pairs)), n_tests)
    delays = _false_rate_of_delays(evidence, pairs, (near <= rate) & (gain >= 2 * LEAST_GAIN))
    accepted = (((both <= rate) | (delays <= rate)) & (gain >= LEAST_GAIN)).nonzero()[0]
    edges = Edges(
        services=evidence.services,
        upstream=pairs.up[accepted],
        downstream=pairs.down[accepted],
        lag_s=_lag(evidence, pairs)[accepted],
        gain=gain[accepted],
        probability=np.clip(share, 0.0, 1.0)[accepted],
        confidence=1.0 - np.minimum(both, np.maximum(delays, near))[accepted],
        evidence=pairs.trials[accepted],
        seen_at_s=evidence.seen_at_s[accepted],
        direct=np.ones(len(accepted), dtype=np.bool_),
        origin=np.full(len(accepted), Origin.LEARNED_STARTS, dtype=np.int64),
    )
    return direct_starts(edges)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pairs:
    """The pairs of some evidence; (m,) each."""

    up: IntArray
    down: IntArray
    trials: FloatArray
    near_trials: FloatArray
    followed: FloatArray  # of the trials
    base_rates: FloatArray  # (m, 2 * n_bins) of following near in time, by lag as `_spans`

    @classmethod
    def of(cls, evidence: Evidence) -> "_Pairs":
        """Base rates have a prior of one success, in the trials that B takes for one on average."""
        n = len(evidence.services)
        up, down = np.divmod(evidence.pair, n)
        near_trials = evidence.near_trials[up, down]
        near = _spans(evidence.near_followed)
        of_b = np.stack([np.bincount(down, counts, n) for counts in near.T], axis=1)
        mean_rate = (of_b + 1.0) / (evidence.near_trials.sum(axis=0) + 2.0)[:, None]
        prior_trials = 1.0 / np.minimum(mean_rate[down], 0.5)
        return cls(
            up=up,
            down=down,
            trials=evidence.trials[up, down],
            near_trials=near_trials,
            followed=evidence.followed.sum(axis=1),
            base_rates=(near + 1.0) / (near_trials[:, None] + prior_trials),
        )


def _spans(counts: FloatArray) -> FloatArray:
    """(m, 2 * n_bins) counts by bin of lag, by two neighbouring bins together, and of all bins."""
    both = counts[:, 1:] + counts[:, :-1]
    return np.concatenate([counts, both, counts.sum(axis=1, keepdims=True)], axis=1)


def _p_by_lag(followed: FloatArray, trials: FloatArray, rates: FloatArray) -> FloatArray:
    """p-value (m,) of following more often than by ``rates`` at any lag, or at all lags."""
    every = _spans(followed)
    p = binomial_tail(every, np.broadcast_to(trials[:, None], every.shape), rates)
    return np.asarray(np.minimum(p.min(axis=1) * every.shape[1], 1.0))


def _p_against(pairs: _Pairs, followed: FloatArray, trials: FloatArray) -> FloatArray:
    """p-value (m,) of following more often than in other trials (m,), with the base rate prior."""
    rate = (followed + pairs.base_rates[:, -1]) / (trials + 1.0)
    return binomial_tail(pairs.followed, pairs.trials, rate)


def _p_against_timers(evidence: Evidence, pairs: _Pairs) -> FloatArray:
    """p-value (m,) of following more often than whole cycles of B's timer later."""
    followed, trials = evidence.clock_followed, evidence.clock_trials[pairs.up, pairs.down]
    at_all = _p_against(pairs, followed.sum(axis=1), trials)
    # If A has no timer, each lag is tested; the lags of two timers drift from hour to hour.
    rates = (_spans(followed) + pairs.base_rates) / (trials[:, None] + 1.0)
    by_lag = _p_by_lag(evidence.followed, pairs.trials, rates)
    timed = (evidence.delay[:, [WEIGHT, BASELINE_WEIGHT]] > 0).any(axis=1)
    return np.where(timed, at_all, by_lag)


def _false_rate_of_delays(evidence: Evidence, pairs: _Pairs, selected: BoolArray) -> FloatArray:
    """(m,) share of false ones if this pair and all better ones are accepted for their delays.

    selected: (m,) pairs to test; 1 for all others.
    """
    z, weight, baseline_z, baseline_weight, scatter, slope = evidence.delay.T
    started, trials = evidence.own_timer.T
    known = trials >= LEAST_TRIALS
    explained = known & (started >= OWN_TIMER_SHARE * trials)
    as_often = known & (_p_against(pairs, started, trials) > FALSE_RATE)
    correlated = z - baseline_z >= np.where(as_often, CALLER_Z, SHARED_CAUSE_Z)
    passed_on = correlated & (slope >= SLOPES[0]) & (slope <= SLOPES[1])

    rate = np.ones(len(z))
    comparable = (weight > 0) & (baseline_weight >= weight)
    rows = np.flatnonzero(selected & comparable & ~explained)
    variance = 1.0 / weight[rows] + 1.0 / baseline_weight[rows]
    deviation = (z[rows] - baseline_z[rows]) / np.sqrt(variance * scatter[rows])
    rate[rows] = np.where(passed_on[rows], false_rate(normal_tail(deviation), len(rows)), 1.0)
    return rate


def _lag(evidence: Evidence, pairs: _Pairs) -> FloatArray:
    """(m,) s: mean lag of the starts in excess of the base rate."""
    expected = evidence.near_followed
    expected = expected * (pairs.trials / np.maximum(pairs.near_trials, 1e-9))[:, None]
    # Bins barely above what is expected are noise, and there are many of them.
    excess = evidence.followed - expected
    excess = np.where(excess > 2.0 * np.sqrt(expected), excess, 0.0)
    excess = np.where(excess.any(axis=1, keepdims=True), excess, evidence.followed)
    mean = evidence.lag_s / np.maximum(evidence.followed, 1e-9)
    lag = (excess * mean).sum(axis=1) / np.maximum(excess.sum(axis=1), 1e-9)
    return np.asarray(np.maximum(lag, 0.0))  # clocks may differ slightly
