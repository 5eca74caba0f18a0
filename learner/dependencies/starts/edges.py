"""Services that sleep: whose starts follow whose.

A start is a call after a time of idleness; activators report it at once, with its second. If A's
starts pull B along, then of A's starts at which B was asleep, more have B start within seconds than
of the same starts moved by some minutes: a local base rate, so that day and night, or two services
that are merely busy, make no edge.

Two timers of one period and phase follow each other every time and have nothing to do with each
other. So the same is asked hours later, when B's clock and every ordinary one is where it was
(`clocks`): a pair is believed if it stands out against both. A timer and what it alone calls never
do. They are believed if the lateness of the one is the lateness of the other, second for second
(`delay_correlation`), and if B does not keep its clock where A is not. A caller that runs like
clockwork to the millisecond therefore has no edges; its callees run by the same clock, and their
own forecast knows them.
"""

from dataclasses import dataclass

import numpy as np

from autoscaler.core.prediction.dependencies import Edges, Origin, no_edges
from autoscaler.core.types import BoolArray, FloatArray, IntArray
from learner.dependencies.significance import binomial_tail, false_rate, normal_tail
from learner.dependencies.starts.delay_correlation import LOOSE
from learner.dependencies.starts.direct import direct_starts
from learner.dependencies.starts.evidence import USUAL_WEIGHT, WEIGHT, Evidence

FALSE_RATE = 0.01  # share of edges that may be false
LEAST_TRIALS = 5.0  # times by B's clock without A that say whether it keeps it
KEEPS = 0.9  # share of such times at which B starts, from which on its own clock explains it
CLOSE = 1.0  # Fisher's z of lateness that tells a caller though B comes as often without it
SLOPES = (0.5, 2.0)  # s that what is called is late for a second that its caller is: 1, roughly
LEAST_GAIN = 0.05  # a pull weaker than this warms more in vain than it is worth testing for


def edges_from_starts(evidence: Evidence, *, rate: float = FALSE_RATE) -> Edges:
    """Edges that the evidence supports. rate: share of them that may be false.

    ``probability`` is P(B starts within the window | A starts, B asleep); ``gain`` is by how much A
    raises it above what is usual; ``evidence`` counts the starts of A at which B was asleep.
    """
    if not len(evidence.pair):
        return no_edges(evidence.services)
    pairs = _Pairs.of(evidence)
    trials, many, usual = pairs.trials, pairs.many, pairs.chance[:, -1]
    raised = np.clip((many / np.maximum(trials, 1e-9) - usual) / np.maximum(1 - usual, 1e-3), 0, 1)
    p_near = _standing_out(evidence.followed, trials, pairs.chance)
    n_tests = int((evidence.trials > 0).sum())
    apparent = false_rate(p_near, n_tests)
    clockless = false_rate(np.maximum(p_near, _against_clocks(evidence, pairs)), n_tests)
    tied = _tied(evidence, pairs, (apparent <= rate) & (raised >= 2 * LEAST_GAIN))
    believed = (((clockless <= rate) | (tied <= rate)) & (raised >= LEAST_GAIN)).nonzero()[0]
    edges = Edges(
        services=evidence.services,
        upstream=pairs.up[believed],
        downstream=pairs.down[believed],
        lag_s=_lag(evidence, pairs)[believed],
        gain=raised[believed],
        probability=np.clip(many / np.maximum(trials, 1e-9), 0.0, 1.0)[believed],
        confidence=1.0 - np.minimum(clockless, np.maximum(tied, apparent))[believed],
        evidence=trials[believed],
        seen_at_s=evidence.seen_at_s[believed],
        direct=np.ones(len(believed), dtype=np.bool_),
        origin=np.full(len(believed), Origin.LEARNED_STARTS, dtype=np.int64),
    )
    return direct_starts(edges)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pairs:
    """The pairs of some evidence; (m,) each."""

    up: IntArray
    down: IntArray
    trials: FloatArray
    near_trials: FloatArray
    many: FloatArray  # of the trials, those that were followed
    chance: FloatArray  # (m, 2 * n_bins) of following, as `_spans` has it, as it is nearby

    @classmethod
    def of(cls, evidence: Evidence) -> "_Pairs":
        """Few trials say little: one more success is reckoned with.

        It is one in as many trials as B, whoever is said to call it, takes for one.
        """
        n = len(evidence.services)
        up, down = np.divmod(evidence.pair, n)
        near_trials = evidence.near_trials[up, down]
        near = _spans(evidence.near_followed)
        of_b = np.stack([np.bincount(down, counts, n) for counts in near.T], axis=1)
        usual = (of_b + 1.0) / (evidence.near_trials.sum(axis=0) + 2.0)[:, None]
        return cls(
            up=up,
            down=down,
            trials=evidence.trials[up, down],
            near_trials=near_trials,
            many=evidence.followed.sum(axis=1),
            chance=(near + 1.0) / (near_trials[:, None] + 1.0 / np.minimum(usual[down], 0.5)),
        )


def _spans(counts: FloatArray) -> FloatArray:
    """(m, 2 * n_bins) counts by lag, of neighbours together (lags do not keep to bins), of all."""
    both = counts[:, 1:] + counts[:, :-1]
    return np.concatenate([counts, both, counts.sum(axis=1, keepdims=True)], axis=1)


def _standing_out(followed: FloatArray, trials: FloatArray, chance: FloatArray) -> FloatArray:
    """p-value (m,) of any lag standing out, or all lags together."""
    every = _spans(followed)
    p = binomial_tail(every, np.broadcast_to(trials[:, None], every.shape), chance)
    return np.asarray(np.minimum(p.min(axis=1) * every.shape[1], 1.0))


def _beyond(pairs: _Pairs, came: FloatArray, asked: FloatArray) -> FloatArray:
    """p-value (m,) of following more often than another time: (m,) came, of (m,) asked."""
    return binomial_tail(pairs.many, pairs.trials, (came + pairs.chance[:, -1]) / (asked + 1.0))


def _against_clocks(evidence: Evidence, pairs: _Pairs) -> FloatArray:
    """p-value (m,) of following more often than hours later, by B's clock."""
    followed, trials = evidence.clock_followed, evidence.clock_trials[pairs.up, pairs.down]
    at_all = _beyond(pairs, followed.sum(axis=1), trials)
    # Of A without a clock every lag tells; the lags of two clocks wander, hour by hour.
    chance = (_spans(followed) + pairs.chance) / (trials[:, None] + 1.0)
    by_lag = _standing_out(evidence.followed, pairs.trials, chance)
    by_clock = (evidence.late[:, [WEIGHT, USUAL_WEIGHT]] > 0).any(axis=1)
    return np.where(by_clock, at_all, by_lag)


def _tied(evidence: Evidence, pairs: _Pairs, asked: BoolArray) -> FloatArray:
    """(m,) share of false ones if this pair and all better ones are believed for their lateness.

    asked: (m,) pairs that it is asked of.
    """
    z, weight, usual_z, usual_weight, scatter, slope = evidence.late.T
    came, without = evidence.alone.T
    known = without >= LEAST_TRIALS
    explained = known & (came >= KEEPS * without)
    as_often = known & (_beyond(pairs, came, without) > FALSE_RATE)
    enough = z - usual_z >= np.where(as_often, CLOSE, LOOSE)
    alike = enough & (slope >= SLOPES[0]) & (slope <= SLOPES[1])

    rate = np.ones(len(z))
    held = (weight > 0) & (usual_weight >= weight)  # against as much at least, hours later
    which = np.flatnonzero(asked & held & ~explained)
    chance = 1.0 / weight[which] + 1.0 / usual_weight[which]
    more = (z[which] - usual_z[which]) / np.sqrt(chance * scatter[which])
    rate[which] = np.where(alike[which], false_rate(normal_tail(more), len(which)), 1.0)
    return rate


def _lag(evidence: Evidence, pairs: _Pairs) -> FloatArray:
    """(m,) s: mean lag of those starts that are more than usual."""
    usual = evidence.near_followed
    usual = usual * (pairs.trials / np.maximum(pairs.near_trials, 1e-9))[:, None]
    # Bins barely above the usual are noise, and there are many of them.
    more = evidence.followed - usual
    more = np.where(more > 2.0 * np.sqrt(usual), more, 0.0)
    more = np.where(more.any(axis=1, keepdims=True), more, evidence.followed)
    mean = evidence.lag_s / np.maximum(evidence.followed, 1e-9)
    lag = (more * mean).sum(axis=1) / np.maximum(more.sum(axis=1), 1e-9)
    return np.asarray(np.maximum(lag, 0.0))  # clocks may differ by a hair
