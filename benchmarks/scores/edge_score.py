"""How good found edges are: against the truth of a made workload, and as warnings."""

from dataclasses import dataclass

import numpy as np

from autoscaler.core.prediction.dependencies import Edges
from autoscaler.core.state.rings import span
from autoscaler.core.types import BoolArray, FloatArray, IntArray
from benchmarks.traces.call_graphs import HOP_S, MadeCalls
from learner.dependencies.busy_periods import BusyPeriods, busy_periods_of

LEAST_TRIALS = 5  # starts of A at which B was asleep, below which a pair is not judged


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeScore:
    """Edges against "B is called after A within the request with probability >= p"."""

    p: float
    n_true: int  # pairs that are so, and were judged
    n_not_judged: int  # pairs that are so, with too few trials to judge
    n_found: int
    n_right: int

    @property
    def precision(self) -> float:
        """Share of found ones that are true; 1 where none was found."""
        return self.n_right / self.n_found if self.n_found else 1.0

    @property
    def recall(self) -> float:
        """Share of true ones that were found; 1 where none is."""
        return self.n_right / self.n_true if self.n_true else 1.0

    @property
    def f1(self) -> float:
        """Harmonic mean of the two."""
        return 2 * self.n_right / max(self.n_found + self.n_true, 1)


def judge(edges: Edges, truth: FloatArray, trials: FloatArray, p: float) -> EdgeScore:
    """Edges with a gain of p or more against pairs whose true probability (n, n) is p or more."""
    judged = trials >= LEAST_TRIALS
    found = spread(edges, edges.gain) >= p
    true = truth >= p
    return EdgeScore(
        p=p,
        n_true=int((true & judged).sum()),
        n_not_judged=int((true & ~judged).sum()),
        n_found=int((found & judged).sum()),
        n_right=int((found & true & judged).sum()),
    )


def asleep(
    made: MadeCalls, until_s: float, *, idle_s: float = 60.0
) -> tuple[FloatArray, FloatArray]:
    """(n, n) twice: A's starts at which B slept, and those whose own request called B afterwards.

    What acting on a start can be about: of a B that is in use there is nothing to warm.
    """
    n = len(made.services)
    inside = made.at_s < until_s
    who, when, request = made.service[inside], made.at_s[inside], made.request[inside]
    order = np.lexsort((when, who))
    who, when, request = who[order], when[order], request[order]
    fresh = np.diff(who, prepend=-1) != 0
    fresh[1:] |= np.diff(when) >= idle_s
    begin = np.flatnonzero(fresh)
    start, at, of = who[begin], when[begin], request[begin]
    first = np.searchsorted(who, np.arange(n + 1))
    slept, called = np.zeros((2, n, n))
    latest = np.full(made.n_requests, -np.inf)  # call of B in each request
    for b in range(n):
        calls, by = when[first[b] : first[b + 1]], request[first[b] : first[b + 1]]
        before = np.append(-np.inf, calls)[np.searchsorted(calls, at - HOP_S / 2)]
        idle = np.flatnonzero((at - before >= idle_s) & (start != b))
        np.maximum.at(latest, by, calls)
        then = latest[of[idle]] >= at[idle] - HOP_S / 2
        slept[:, b] = np.bincount(start[idle], minlength=n)
        called[:, b] = np.bincount(start[idle], then, n)
        latest[by] = -np.inf
    return slept, called


def spread(edges: Edges, values: FloatArray | BoolArray) -> FloatArray:
    """Values of edges as a table (n, n), 0 where there is no edge."""
    n = len(edges.services)
    table = np.zeros((n, n))
    table[edges.upstream, edges.downstream] = values
    return table


def errors(edges: Edges, made: MadeCalls) -> tuple[FloatArray, FloatArray]:
    """Of right edges (true p >= 0.2): lag less the true one (s), and gain relative to the true."""
    true = made.probability()[edges.upstream, edges.downstream]
    times = made.cold_after[edges.upstream, edges.downstream]
    right = (edges.gain >= 0.2) & (true >= 0.2) & (times > 0)
    lag = made.cold_lag_s[edges.upstream, edges.downstream][right] / times[right]
    return edges.lag_s[right] - lag, edges.gain[right] / true[right] - 1.0


def cut(made: MadeCalls, since_s: float, until_s: float) -> tuple[BusyPeriods, BoolArray]:
    """Spells of a span of time, and of each whether another service's call started it."""
    inside = (made.at_s >= since_s) & (made.at_s < until_s)
    who, when, by = made.service[inside], made.at_s[inside], made.by_service[inside]
    busy = busy_periods_of(made.services, who, when, since_s=since_s, until_s=until_s)
    order = np.lexsort((when, who))
    reach = until_s - since_s + 1.0
    line = when[order] + who[order] * reach
    first = np.searchsorted(line, busy.start_s + busy.service * reach)
    return busy, by[order][first]


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned:
    """What acting on edges of some strength would have done."""

    threshold: float  # edges with at least this gain warn
    starts: int  # starts that another service's call brought
    before: float  # share of them that a warning came before
    in_time: float  # share that a warning came before by a whole start-up
    warnings: int  # of services asleep
    in_vain: float  # share of warnings that nobody called within the window


def warned(
    edges: Edges,
    busy: BusyPeriods,
    brought: BoolArray,
    threshold: float,
    *,
    idle_s: float = 60.0,
    within_s: float = 20.0,
    startup_s: float = 1.9,
) -> Warned:
    """Let every start warn what it pulls, in spells that the edges were not learned from.

    brought: (n_spells,) starts to be warned of. startup_s: s that a start-up takes at least.
    """
    ordered, first = edges.where(edges.gain >= threshold).by_upstream()
    n_out = (first[1:] - first[:-1])[busy.service]
    start = np.repeat(np.arange(len(busy.service)), n_out)
    target = ordered.downstream[span(first[:-1][busy.service], n_out)]
    at = busy.start_s[start]
    reach = busy.until_s - busy.since_s + 1e4
    order = np.argsort(busy.service * reach + busy.start_s - busy.since_s, kind="stable")
    line = (busy.service * reach + busy.start_s - busy.since_s)[order]
    ahead = np.searchsorted(line, target * reach + at - busy.since_s)  # B's next start
    asleep = at - _ends(busy, order, ahead - 1, target) >= idle_s
    ahead, at, target = ahead[asleep], at[asleep], target[asleep]
    later = order[np.minimum(ahead, len(order) - 1)]
    followed = (ahead < len(order)) & (busy.service[later] == target)
    lead = np.where(followed, busy.start_s[later] - at, np.inf)
    needed = lead <= within_s
    best = np.zeros(len(busy.service))
    np.maximum.at(best, later[needed], lead[needed] + 1e-9)
    return Warned(
        threshold=threshold,
        starts=int(brought.sum()),
        before=float((best[brought] > 0).mean()) if brought.any() else 0.0,
        in_time=float((best[brought] >= startup_s).mean()) if brought.any() else 0.0,
        warnings=len(needed),
        in_vain=float(1.0 - needed.mean()) if len(needed) else 0.0,
    )


def _ends(busy: BusyPeriods, order: IntArray, place: IntArray, target: IntArray) -> FloatArray:
    """(k,) Unix s at which the spell at a place of the order ended; -inf if not the target's."""
    before = order[np.maximum(place, 0)]
    own = (place >= 0) & (busy.service[before] == target)
    return np.where(own, busy.end_s[before], -np.inf)
