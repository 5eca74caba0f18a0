"""Edges between intermittent services: whose starts follow whose.

A start is a call after idleness; activators report it at once, to the second. If A calls B, then of
A's starts at which B was idle, more have B start within seconds than of any times in the same hours
at which B is idle: day and night make no edges.

Two timers of one period and phase do so as well, without calling each other. They are edges all the
same: a pod that is warned of is needed then, whoever calls, and nothing is in vain. Tests on clocks
and delays that left them out left 3 to 9 of 100 starts unwarned, at as many warnings in vain.
"""

import numpy as np

from autoscaler.core.prediction.dependencies import Edges, Origin, no_edges
from learner.dependencies.significance import binomial_tail, false_rate
from learner.dependencies.starts.coincidences import StartRules
from learner.dependencies.starts.direct import direct_starts
from learner.dependencies.starts.evidence import Evidence

FALSE_RATE = 1e-4  # share of edges that may be false; few: pairs along two chains are so together
LEAST_GAIN = 0.05  # an edge weaker than this warms in vain more than it is worth


def edges_from_starts(
    evidence: Evidence, rules: StartRules | None = None, *, rate: float = FALSE_RATE
) -> Edges:
    """Edges that the evidence supports. rate: share of them that may be false.

    ``probability`` is P(B starts within the window | A starts, B idle); ``gain`` is by how much A
    raises it above the base rate; ``evidence`` counts the starts of A at which B was idle.
    """
    if not len(evidence.pair):
        return no_edges(evidence.services)
    within_s = (rules or StartRules()).within_s
    up, down = np.divmod(evidence.pair, len(evidence.services))
    trials, followed = evidence.trials[up, down], evidence.followed
    base_rate = evidence.expected[up, down] / np.maximum(evidence.starts[up], 1e-9)
    share = np.minimum(followed / np.maximum(trials, 1e-9), 1.0)
    gain = np.clip((share - base_rate) / np.maximum(1 - base_rate, 1e-3), 0, 1)
    p = binomial_tail(followed, trials, base_rate)
    false = false_rate(p, int((evidence.trials > 0).sum()))
    accepted = np.flatnonzero((false <= rate) & (gain >= LEAST_GAIN) & (followed > 1.0))
    # Lags are spread over the window where B starts by chance; what followed A is no chance.
    others = np.clip(1.0 - followed / np.maximum(evidence.starts[down], 1e-9), 0.0, 1.0)
    coincident = np.minimum(others * base_rate * trials, 0.9 * followed)
    lag_s = (evidence.lag_s - coincident * within_s / 2) / np.maximum(followed - coincident, 1e-9)
    edges = Edges(
        services=evidence.services,
        upstream=up[accepted],
        downstream=down[accepted],
        lag_s=np.clip(lag_s, 0.0, within_s)[accepted],
        gain=gain[accepted],
        probability=share[accepted],
        confidence=1.0 - false[accepted],
        evidence=trials[accepted],
        seen_at_s=evidence.seen_at_s[accepted],
        direct=np.ones(len(accepted), dtype=np.bool_),
        origin=np.full(len(accepted), Origin.LEARNED_STARTS, dtype=np.int64),
    )
    return direct_starts(edges)
