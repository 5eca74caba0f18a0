"""How good found edges are, against the true ones."""

from dataclasses import dataclass

import numpy as np

from autoscaler.core.prediction.dependencies import Edges
from autoscaler.core.types import BoolArray, FloatArray
from benchmarks.traces.synthetic_calls import HOP_S, SyntheticCalls
from learner.dependencies.busy_periods import BusyPeriods, busy_periods_of

LEAST_TRIALS = 5  # starts of A with B idle; a pair (A, B) with fewer is not scored


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeScore:
    """Found edges against true ones: B is called after A within the request, P >= p."""

    p: float
    n_true: int  # true pairs, scored
    n_not_scored: int  # true pairs with too few trials
    n_found: int  # scored
    n_correct: int  # found and true

    @property
    def precision(self) -> float:
        """Share of found pairs that are true; 1 where none was found."""
        return self.n_correct / self.n_found if self.n_found else 1.0

    @property
    def recall(self) -> float:
        """Share of true pairs that were found; 1 where there are none."""
        return self.n_correct / self.n_true if self.n_true else 1.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return 2 * self.n_correct / max(self.n_found + self.n_true, 1)


def score_edges(edges: Edges, truth: FloatArray, trials: FloatArray, p: float) -> EdgeScore:
    """Score edges with a gain >= p. truth: (n, n) probabilities; a pair is true where >= p."""
    scored = trials >= LEAST_TRIALS
    found = as_matrix(edges, edges.gain) >= p
    true = truth >= p
    return EdgeScore(
        p=p,
        n_true=int((true & scored).sum()),
        n_not_scored=int((true & ~scored).sum()),
        n_found=int((found & scored).sum()),
        n_correct=int((found & true & scored).sum()),
    )


def starts_with_idle_downstream(
    calls: SyntheticCalls, until_s: float, *, idle_s: float = 60.0
) -> tuple[FloatArray, FloatArray]:
    """(n, n) starts of A with B idle, and those of them whose own request then called B.

    Only these starts can pre-warm B: a B in use needs no warming.
    """
    n = len(calls.services)
    inside = calls.at_s < until_s
    service, when, request = calls.service[inside], calls.at_s[inside], calls.request[inside]
    order = np.lexsort((when, service))
    service, when, request = service[order], when[order], request[order]
    fresh = np.diff(service, prepend=-1) != 0
    fresh[1:] |= np.diff(when) >= idle_s
    begin = np.flatnonzero(fresh)
    start, at, of = service[begin], when[begin], request[begin]
    first = np.searchsorted(service, np.arange(n + 1))
    with_idle, called = np.zeros((2, n, n))
    latest = np.full(calls.n_requests, -np.inf)  # last call of B in each request
    for b in range(n):
        times, by = when[first[b] : first[b + 1]], request[first[b] : first[b + 1]]
        before = np.append(-np.inf, times)[np.searchsorted(times, at - HOP_S / 2)]
        idle = np.flatnonzero((at - before >= idle_s) & (start != b))
        np.maximum.at(latest, by, times)
        then = latest[of[idle]] >= at[idle] - HOP_S / 2
        with_idle[:, b] = np.bincount(start[idle], minlength=n)
        called[:, b] = np.bincount(start[idle], then, n)
        latest[by] = -np.inf
    return with_idle, called


def as_matrix(edges: Edges, values: FloatArray | BoolArray) -> FloatArray:
    """(n, n) values of edges, upstream by downstream; 0 where there is no edge."""
    n = len(edges.services)
    table = np.zeros((n, n))
    table[edges.upstream, edges.downstream] = values
    return table


def transitive_closure(calls: BoolArray) -> BoolArray:
    """(n, n) services that a call of a service may reach, by Warshall's algorithm.

    calls: (n, n) whether a service calls another directly.
    """
    reachable = calls.copy()
    for via in range(len(reachable)):
        reachable |= np.outer(reachable[:, via], reachable[via])
    np.fill_diagonal(reachable, val=False)
    return reachable


def common_callers(reachable: BoolArray) -> BoolArray:
    """(n, n) whether one service reaches both."""
    return np.asarray(reachable.T.astype(np.int64) @ reachable > 0)


def lag_and_gain_errors(edges: Edges, calls: SyntheticCalls) -> tuple[FloatArray, FloatArray]:
    """Of correct edges (true p >= 0.2): lag - true lag in s, and gain / true gain - 1."""
    true = calls.probability()[edges.upstream, edges.downstream]
    times = calls.cold_after[edges.upstream, edges.downstream]
    correct = (edges.gain >= 0.2) & (true >= 0.2) & (times > 0)
    lag = calls.cold_lag_s[edges.upstream, edges.downstream][correct] / times[correct]
    return edges.lag_s[correct] - lag, edges.gain[correct] / true[correct] - 1.0


def busy_periods_between(
    calls: SyntheticCalls, since_s: float, until_s: float
) -> tuple[BusyPeriods, BoolArray]:
    """Busy periods within a time span, and of each whether another service's call started it."""
    inside = (calls.at_s >= since_s) & (calls.at_s < until_s)
    service, when, by = calls.service[inside], calls.at_s[inside], calls.by_service[inside]
    busy = busy_periods_of(calls.services, service, when, since_s=since_s, until_s=until_s)
    order = np.lexsort((when, service))
    reach = until_s - since_s + 1.0
    line = when[order] + service[order] * reach
    first = np.searchsorted(line, busy.start_s + busy.service * reach)
    return busy, by[order][first]
