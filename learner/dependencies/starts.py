"""Services that sleep: whose starts follow whose.

A start is a call after a time of idleness; activators report it at once, with its second. If A's
starts pull B along, then of A's starts at which B was asleep, more have B start within seconds than
of the same starts moved by some minutes: a local base rate, so that day and night, or two services
that are merely busy, make no edge.

Two timers of one period and phase follow each other every time and have nothing to do with each
other. So starts that a service's own clock explains are no evidence for anybody else. An edge is
believed if it stands out without them (`following.clockless`), or if it stands out with them and
the lateness of the one is the lateness of the other (`lateness`). A caller that runs like clockwork
to the millisecond therefore has no edges; its callees run by the same clock, and their own forecast
knows them.

How often B follows is then what both ways of counting allow: with all starts, and where clocks were
left out, without.
"""

import numpy as np

from autoscaler.dependencies import Edges, Origin, no_edges
from autoscaler.types import FloatArray
from learner.dependencies.direct import direct_starts
from learner.dependencies.evidence import Evidence
from learner.dependencies.significance import binomial_tail, false_rate, normal_tail

FALSE_RATE = 0.01  # share of edges that may be false
LEAST_TRIALS = 5.0  # starts without a clock that say anything about how often
LEAST_GAIN = 0.05  # a pull weaker than this warms more in vain than it is worth testing for


def edges_from_starts(evidence: Evidence, *, rate: float = FALSE_RATE) -> Edges:
    """Edges that the evidence supports. rate: share of them that may be false.

    ``needed`` is P(B starts within the window | A starts, B asleep); ``gain`` is by how much A
    raises it above what is usual; ``evidence`` counts the starts of A at which B was asleep.
    """
    n = len(evidence.services)
    if not len(evidence.pair):
        return no_edges(evidence.services)
    up, down = np.divmod(evidence.pair, n)
    trials, free, base_trials, base_free = (
        getattr(evidence, name)[up, down]
        for name in ("trials", "free_trials", "base_trials", "base_free_trials")
    )
    n_tests = int((evidence.trials > 0).sum())
    p, chance = _test(evidence.followed, trials, evidence.base_followed, base_trials)
    p_free, chance_free = _test(
        evidence.free_followed, free, evidence.base_free_followed, base_free
    )
    raised = _raised(evidence.followed, trials, chance)
    raised_free = _raised(evidence.free_followed, free, chance_free)

    apparent = false_rate(p, n_tests)
    clockless = false_rate(p_free, n_tests)
    shared = np.ones(len(p))
    weight = evidence.late[:, 1]
    asked = np.flatnonzero((apparent <= rate) & (raised >= 2 * LEAST_GAIN) & (weight > 0))
    z = evidence.late[asked, 0] / np.sqrt(weight[asked])
    shared[asked] = false_rate(normal_tail(z), len(asked))

    late_too = shared <= rate
    gain = np.where(~late_too & (free >= LEAST_TRIALS), np.minimum(raised, raised_free), raised)
    believed = (((clockless <= rate) | late_too) & (gain >= LEAST_GAIN)).nonzero()[0]
    many = evidence.followed.sum(axis=1)
    edges = Edges(
        services=evidence.services,
        upstream=up[believed],
        downstream=down[believed],
        lag_s=_lag(evidence, trials, base_trials)[believed],
        gain=gain[believed],
        needed=np.clip(many / np.maximum(trials, 1e-9), 0.0, 1.0)[believed],
        confidence=1.0 - np.minimum(clockless, np.maximum(shared, apparent))[believed],
        evidence=trials[believed],
        seen_at_s=evidence.seen_at_s[believed],
        direct=np.ones(len(believed), dtype=np.bool_),
        origin=np.full(len(believed), Origin.LEARNED_STARTS, dtype=np.int64),
    )
    return direct_starts(edges)


def _test(
    followed: FloatArray, trials: FloatArray, base: FloatArray, base_trials: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """p-value (m,) of any lag standing out, or all lags together; chance (m,) of following."""
    every, moved = (
        np.concatenate([counts, counts.sum(axis=1, keepdims=True)], axis=1)
        for counts in (followed, base)
    )
    chance = (moved + 1.0) / (base_trials[:, None] + 2.0)
    p = binomial_tail(every, np.broadcast_to(trials[:, None], every.shape), chance)
    return np.minimum(p.min(axis=1) * every.shape[1], 1.0), chance[:, -1]


def _raised(followed: FloatArray, trials: FloatArray, chance: FloatArray) -> FloatArray:
    """(m,) of the starts that would not have been followed anyway, the share that were."""
    share = followed.sum(axis=1) / np.maximum(trials, 1e-9)
    return np.asarray(np.clip((share - chance) / np.maximum(1.0 - chance, 1e-3), 0.0, 1.0))


def _lag(evidence: Evidence, trials: FloatArray, base_trials: FloatArray) -> FloatArray:
    """(m,) s: mean lag of those starts that are more than usual."""
    usual = evidence.base_followed * (trials / np.maximum(base_trials, 1e-9))[:, None]
    # Bins barely above the usual are noise, and there are many of them.
    more = evidence.followed - usual
    more = np.where(more > 2.0 * np.sqrt(usual), more, 0.0)
    more = np.where(more.any(axis=1, keepdims=True), more, evidence.followed)
    mean = evidence.lag_s / np.maximum(evidence.followed, 1e-9)
    lag = (more * mean).sum(axis=1) / np.maximum(more.sum(axis=1), 1e-9)
    return np.asarray(np.maximum(lag, 0.0))  # clocks may differ by a hair
