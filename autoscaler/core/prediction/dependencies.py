"""Dependencies: directed edges between services, as the learner finds them and services declare.

An edge leads from a service to one that is called thereupon, directly or through others: both kinds
are acted on, direct ones alone are what people want to see. Cycles are normal. Two services whose
calls come together, in no order that could be told, are edges both ways, for acting; people are
shown one relation without an arrow. Every edge has an
origin; if several sources have a pair, the most reliable one counts, and the others fill in the
values that it lacks.
"""

from dataclasses import dataclass, fields
from enum import IntEnum

import numpy as np

from autoscaler.core.types import BoolArray, FloatArray, IntArray
from autoscaler.errors import PermanentError


class Origin(IntEnum):
    """Where an edge comes from; the lower, the more reliable."""

    ANNOTATION = 0
    ISTIO = 1
    PROMETHEUS = 2
    LEARNED_STARTS = 3
    LEARNED_COUNTS = 4


LEARNED = (Origin.LEARNED_STARTS, Origin.LEARNED_COUNTS)
Pair = tuple[str, str]  # upstream and downstream, "namespace/service"
TOGETHER_S = 1.0  # s: a shorter lag, learned both ways, is no order


@dataclass(frozen=True, slots=True, kw_only=True)
class Edges:
    """Directed edges between services. NaN = not known to the source."""

    services: tuple[str, ...]  # (n,) "namespace/service"
    upstream: IntArray  # (m,) index into services
    downstream: IntArray  # (m,) index into services
    lag_s: FloatArray  # (m,) s from a call upstream to the call downstream
    gain: FloatArray  # (m,) calls downstream that a call upstream brings; of starts: starts
    probability: FloatArray  # (m,) P(downstream is called about lag_s later | upstream is called)
    confidence: FloatArray  # (m,) 0 to 1
    evidence: FloatArray  # (m,) observations, old ones weighted less
    seen_at_s: FloatArray  # (m,) Unix s of the newest of them
    direct: BoolArray  # (m,) whether no service in between explains it
    origin: IntArray  # (m,) an Origin

    def __post_init__(self) -> None:
        """Check shapes and values once, where edges enter."""
        n, m = len(self.services), len(self.upstream)
        if len(set(self.services)) != n:
            raise PermanentError("services of edges hold a name twice; allowed: once")
        for name in COLUMNS:
            if getattr(self, name).shape != (m,):
                shape = getattr(self, name).shape
                raise PermanentError(f"{name} of edges has shape {shape}; allowed: ({m},)")
        ends = np.concatenate([self.upstream, self.downstream])
        if m and not 0 <= ends.min() <= ends.max() < n:
            wrong = int(ends[(ends < 0) | (ends >= n)][0])
            raise PermanentError(f"an edge ends at service {wrong}; allowed: 0 to {n - 1}")
        if (self.upstream == self.downstream).any():
            name = self.services[int(self.upstream[self.upstream == self.downstream][0])]
            raise PermanentError(f"an edge leads from {name!r} to itself; allowed: to another")
        for name in ("lag_s", "gain", "evidence"):
            _check(name, getattr(self, name), np.inf)
        for name in ("probability", "confidence"):
            _check(name, getattr(self, name), 1.0)

    def __len__(self) -> int:
        return len(self.upstream)

    @property
    def key(self) -> IntArray:
        """(m,) a number for each ordered pair of services."""
        return np.asarray(self.upstream * len(self.services) + self.downstream)

    def pair(self, edge: int) -> Pair:
        """The services of one edge."""
        return self.services[int(self.upstream[edge])], self.services[int(self.downstream[edge])]

    @property
    def together(self) -> BoolArray:
        """(m,) edges of pairs in no order: both ways are learned, with a lag that is none."""
        back, no_order = self._back(), self._without_order()
        return np.asarray(no_order & (back >= 0) & no_order[back])

    @property
    def shown(self) -> BoolArray:
        """(m,) edges to show: a pair that comes together once, one in an order as it is known.

        Of the two ways of a pair together, one that is direct is shown, or the alphabetical one.
        """
        if not len(self):
            return np.zeros(0, dtype=np.bool_)
        back, together = self._back(), self.together
        rank = np.argsort(np.argsort(np.array(self.services)))
        first = rank[self.upstream] < rank[self.downstream]
        better = np.where(self.direct == self.direct[back], first, self.direct)
        ordered = (back >= 0) & ~np.isin(self.origin[back], LEARNED)  # by who knows better
        return np.where(together, better, ~(self._without_order() & ordered))

    def both_ways(self, chosen: BoolArray) -> BoolArray:
        """(m,) the chosen edges, and the other way of pairs that come together."""
        back = self._back()
        return np.asarray(chosen | (self.together & chosen[back])) if len(self) else chosen

    def _without_order(self) -> BoolArray:
        return np.asarray(np.isin(self.origin, LEARNED) & (self.lag_s < TOGETHER_S))

    def _back(self) -> IntArray:
        """(m,) index of the edge that leads back; -1 = there is none."""
        if not len(self):
            return np.zeros(0, dtype=np.int64)
        order = np.argsort(self.key, kind="stable")
        back = self.downstream * len(self.services) + self.upstream
        at = np.searchsorted(self.key, back, sorter=order)
        found = order[np.minimum(at, len(self) - 1)]
        return np.where(self.key[found] == back, found, -1)

    def where(self, chosen: BoolArray | IntArray) -> "Edges":
        """Some of the edges, by mask or by index."""
        columns = {name: getattr(self, name)[chosen] for name in COLUMNS}
        return Edges(services=self.services, **columns)

    def onto(self, services: tuple[str, ...]) -> "Edges":
        """The same edges over other services; edges with an end outside them are left out."""
        place = {name: row for row, name in enumerate(services)}
        row = np.array([place.get(name, -1) for name in self.services], dtype=np.int64)
        upstream, downstream = (row[end] for end in (self.upstream, self.downstream))
        present = (upstream >= 0) & (downstream >= 0)
        columns = {name: getattr(self, name)[present] for name in COLUMNS}
        columns |= {"upstream": upstream[present], "downstream": downstream[present]}
        return Edges(services=services, **columns)

    def by_upstream(self) -> tuple["Edges", IntArray]:
        """Edges in order of upstream, and the index of each service's first one.

        Service i is the upstream of edges ``first[i]`` to ``first[i + 1] - 1``; first: (n + 1,).
        """
        ordered = self.where(np.argsort(self.key, kind="stable"))
        rows = np.arange(len(self.services) + 1)
        return ordered, np.searchsorted(ordered.upstream, rows).astype(np.int64)


COLUMNS = tuple(f.name for f in fields(Edges) if f.name != "services")
KINDS: dict[str, type] = dict.fromkeys(COLUMNS, np.float64) | {
    "upstream": np.int64,
    "downstream": np.int64,
    "direct": np.bool_,
    "origin": np.int64,
}
_FILLED = ("lag_s", "gain", "probability", "confidence", "evidence", "seen_at_s")


def no_edges(services: tuple[str, ...]) -> Edges:
    """No edges between these services."""
    return Edges(services=services, **{name: np.zeros(0, KINDS[name]) for name in COLUMNS})


def merged(*sources: Edges) -> Edges:
    """Edges of several sources over the same services, each pair once, of its best origin.

    A value that the best origin lacks (NaN) is the next best's. A pair is direct if any source says
    so. Raises PermanentError if the services differ.
    """
    services = sources[0].services
    if any(source.services != services for source in sources):
        raise PermanentError("edges to merge are of different services; allowed: see Edges.onto")
    columns = {name: np.concatenate([getattr(s, name) for s in sources]) for name in COLUMNS}
    every = Edges(services=services, **columns)
    every = every.where(np.lexsort((every.origin, every.key)))
    key = every.key
    first = np.flatnonzero(np.diff(key, prepend=-1))  # of each pair, its best
    columns = {name: getattr(every, name)[first].copy() for name in COLUMNS}
    pair = np.cumsum(np.diff(key, prepend=-1) > 0) - 1
    for name in _FILLED:
        known = np.flatnonzero(~np.isnan(getattr(every, name)))[::-1]
        columns[name][pair[known]] = getattr(every, name)[known]  # the best is written last
    np.logical_or.at(columns["direct"], pair, every.direct)
    return Edges(services=services, **columns)


def _check(name: str, values: FloatArray, most: float) -> None:
    wrong = ~np.isnan(values) & ~((values >= 0) & (values <= most) & np.isfinite(values))
    if wrong.any():
        raise PermanentError(
            f"{name} of an edge is {values[wrong][0]:g}; allowed: finite, 0 to {most:g}, or nan"
        )
