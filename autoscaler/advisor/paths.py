"""Paths: which services are called, directly or through others, once a service is called.

Learned edges may lead through other services already; those from an annotation or a mesh are single
calls. Both are followed further. Along a path probabilities, confidences and gains multiply and
lags add up. Of all paths from one service to another the one with the greatest value is chosen
(probability x confidence; of equal values the one with fewer edges, then with the shorter lag). No
path returns to its first service, so that cycles have no effect.

The search starts at one upstream at a time, best first (Dijkstra's algorithm on products of numbers
up to 1). It settles downstreams in order of falling value and ends after the fan-out of each
namespace is reached, so that the most valuable are found. The work is bounded for any graph: by
services x fan-out x edges of one service, and each edge is examined once an upstream.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from heapq import heappop, heappush

import numpy as np

from autoscaler import limits
from autoscaler.advisor.namespaces import CAPS, Caps, Namespaces, most_valuable, one_namespace
from autoscaler.core.prediction.advice import Paths
from autoscaler.core.prediction.dependencies import Edges
from autoscaler.core.types import FloatArray, IntArray

LEAST_VALUE = 0.05  # probability x confidence; a path with less is followed no further
_BLOCK = 65_536  # paths found between two selections of the most valuable


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedPaths:
    """The best path of each ordered pair of services, in order of upstream and downstream."""

    services: tuple[str, ...]  # (n,) "namespace/service"
    upstream: IntArray  # (m,) as all that follow; index into services
    downstream: IntArray  # index into services
    probability: FloatArray  # P(downstream is called about lag_s later | upstream starts)
    confidence: FloatArray  # 0 ... 1
    gain: FloatArray  # calls downstream for one upstream, up to PATH_GAIN
    lag_s: FloatArray  # s from the upstream's call to the downstream's, up to PATH_LAG_S
    hops: IntArray  # edges along the path
    origin: IntArray  # the least reliable Origin of its edges
    excess: Mapping[str, int]  # least number that each limit left out or changed, by its name

    def __len__(self) -> int:
        return len(self.upstream)

    def without_names(self) -> Paths:
        """The columns that a tick needs; indices into the same services."""
        return Paths(
            upstream=self.upstream,
            downstream=self.downstream,
            probability=self.probability,
            confidence=self.confidence,
            gain=self.gain,
            lag_s=self.lag_s,
        )


def best_paths(
    edges: Edges,
    *,
    namespaces: Namespaces | None = None,
    caps: Caps = CAPS,
    stop: Callable[[], bool] = lambda: False,
) -> NamedPaths | None:
    """All paths along edges, within the caps; None if ``stop`` returned true.

    NaN among the edges counts as lag 0, gain 1, probability 1, confidence 1; of several edges of a
    pair the best counts. namespaces: of ``edges.services``; None = all are of one. stop: called
    before each upstream, to give up the search when there are newer edges.
    """
    namespaces = namespaces or one_namespace(edges.services)
    graph = _Graph(edges, namespaces)
    found = _MostValuablePaths(namespaces, caps)
    for upstream in graph.upstreams:
        if stop():
            return None
        search = _Search(graph, namespaces, caps, upstream)
        search.run()
        found.add(search)
    return found.paths(edges.services, graph.clipped)


def value_of(edges: Edges) -> FloatArray:
    """(m,) probability x confidence; what is not known counts as 1."""
    return np.asarray(_filled(edges.probability, 1.0) * _filled(edges.confidence, 1.0))


def _filled(values: FloatArray, unknown: float) -> FloatArray:
    return np.where(np.isnan(values), unknown, values)


class _Graph:
    """Edges as lists, sorted by their pairs, each pair once; and by upstream, the best first."""

    def __init__(self, edges: Edges, namespaces: Namespaces) -> None:
        value, probability = value_of(edges), _filled(edges.probability, 1.0)
        confidence = _filled(edges.confidence, 1.0)
        gain, lag_s = _filled(edges.gain, 1.0), _filled(edges.lag_s, 0.0)
        most_gain, most_lag_s = limits.PATH_GAIN, limits.PATH_LAG_S
        self.clipped = Counter(
            {
                most_gain.name: int((gain > most_gain.most).sum()),
                most_lag_s.name: int((lag_s > most_lag_s.most).sum()),
            }
        )
        gain, lag_s = np.minimum(gain, most_gain.most), np.minimum(lag_s, most_lag_s.most)
        order = np.lexsort((edges.origin, confidence, -gain, lag_s, -value, edges.key))
        order = order[np.diff(edges.key[order], prepend=-1) > 0]
        order = order[value[order] >= LEAST_VALUE]
        self.up: list[int] = edges.upstream[order].tolist()
        self.down: list[int] = edges.downstream[order].tolist()
        self.value: list[float] = value[order].tolist()
        self.lag_s: list[float] = lag_s[order].tolist()
        self.gain: list[float] = gain[order].tolist()
        self.probability: list[float] = probability[order].tolist()
        self.confidence: list[float] = confidence[order].tolist()
        self.origin: list[int] = edges.origin[order].tolist()
        self.namespace: list[int] = namespaces.of.tolist()
        self.upstreams = sorted(set(self.up))
        # By service: all edges that lead on, and those that stay within its namespace.
        self.onward: list[list[int]] = [[] for _ in edges.services]
        self.inside: list[list[int]] = [[] for _ in edges.services]
        for edge in np.lexsort((lag_s[order], -value[order])).tolist():
            up, down = self.up[edge], self.down[edge]
            self.onward[up].append(edge)
            if self.namespace[up] == self.namespace[down]:
                self.inside[up].append(edge)


class _Search:
    """The search from one upstream. Paths are in a heap, each with its last edge.

    The heap is ordered by (-value, hops, lag, edge): the least is the best. Edges are sorted by
    their services, so that the result does not depend on the order in which edges were given.
    """

    def __init__(self, graph: _Graph, namespaces: Namespaces, caps: Caps, upstream: int) -> None:
        self._graph, self.upstream = graph, upstream
        self._own = graph.namespace[upstream]
        self._trusting, self._longest = namespaces.trusting, caps.path_edges
        self._elsewhere = namespaces.fan_out_elsewhere(caps)
        self._places = {self._own: caps.fan_out}  # left in each namespace
        self._open = len(namespaces.named)  # namespaces with places left
        # By service: -value, hops and lag of its path, and its last edge.
        self.settled: dict[int, tuple[float, int, float, int]] = {upstream: (-1.0, 0, 0.0, -1)}
        # The last of each entry is the edge's index in the list of its upstream.
        self._heap: list[tuple[float, int, float, int, int]] = []
        self._crowded: set[int] = set()  # services whose namespace had no place left
        self._too_far: set[int] = set()  # services that only longer paths lead to

    def run(self) -> None:
        """Settle downstreams, the most valuable first."""
        self._follow(self.upstream, 0)
        while self._heap and self._open:
            value, hops, lag_s, edge, place = heappop(self._heap)
            service = self._graph.down[edge]
            if service not in self.settled and self._occupy(service):
                self.settled[service] = value, hops, lag_s, edge
                self._follow(service, 0)
            self._follow(self._graph.up[edge], place + 1)
        for *_, edge, place in self._heap:  # no place is left: only to count what is left out
            if self._graph.down[edge] not in self.settled:
                self._crowded.add(self._graph.down[edge])
            elif not self._crowded:
                self._follow(self._graph.up[edge], place + 1)

    def _occupy(self, service: int) -> bool:
        """Use a place of a service's namespace; whether there was one."""
        namespace = self._graph.namespace[service]
        left = self._places.get(namespace, self._elsewhere)
        if left:
            self._places[namespace] = left - 1
            self._open -= left == 1
        else:
            self._crowded.add(service)
        return left > 0

    def _follow(self, service: int, place: int) -> None:
        """Push the best continuation of a settled service's path by one edge onto the heap.

        place: index of the first of the service's edges to consider; those before are done.
        """
        graph, settled = self._graph, self.settled
        free = self._trusting or graph.namespace[service] == self._own
        edges = (graph.onward if free else graph.inside)[service]
        value, hops, lag_s, _ = settled[service]
        for at in range(place, len(edges)):
            edge = edges[at]
            new = value * graph.value[edge]
            if new > -LEAST_VALUE:
                return  # the edges after it are worth less
            down = graph.down[edge]
            if down in settled:
                continue
            if hops == self._longest:
                self._too_far.add(down)
            elif not self._places.get(graph.namespace[down], self._elsewhere):
                self._crowded.add(down)
            else:
                lag_s = min(lag_s + graph.lag_s[edge], limits.PATH_LAG_S.most)
                heappush(self._heap, (new, hops + 1, lag_s, edge, at))
                return

    def excess(self) -> Counter[str]:
        """How many downstreams were left out, as far as known, by the name of the limit."""
        crowded = self._crowded.difference(self.settled)
        too_far = self._too_far.difference(self.settled, crowded)
        return Counter({limits.FAN_OUT.name: len(crowded), limits.PATH_EDGES.name: len(too_far)})

    def paths(self) -> list[tuple[float, ...]]:
        """A row of `_MostValuablePaths` for each path, the most valuable first."""
        graph, most = self._graph, limits.PATH_GAIN.most
        # By service: probability, confidence and gain of its path, and the least reliable origin.
        along = {self.upstream: (1.0, 1.0, 1.0, 0)}
        rows: list[tuple[float, ...]] = []
        for service, (_, hops, lag_s, edge) in self.settled.items():
            if edge < 0:
                continue
            probability, confidence, gain, origin = along[graph.up[edge]]
            probability *= graph.probability[edge]
            confidence *= graph.confidence[edge]
            gain = min(gain * graph.gain[edge], most)
            origin = max(origin, graph.origin[edge])
            along[service] = probability, confidence, gain, origin
            rows.append(
                (self.upstream, service, probability, confidence, gain, lag_s, hops, origin)
            )
        return rows


class _MostValuablePaths:
    """The most valuable of the paths that were found so far, within the caps."""

    def __init__(self, namespaces: Namespaces, caps: Caps) -> None:
        self._namespaces, self._caps = namespaces, caps
        # (m, 8) upstream, downstream, probability, confidence, gain, lag, hops, origin
        self._rows = np.zeros((0, 8))
        self._found: list[tuple[float, ...]] = []
        self._excess: Counter[str] = Counter()

    def add(self, search: _Search) -> None:
        """Add the paths of one upstream."""
        self._found += search.paths()
        self._excess += search.excess()
        if len(self._found) >= _BLOCK:
            self._select()

    def _select(self) -> None:
        """Select within the caps; what is left out now would be at the end, too."""
        rows = np.concatenate([self._rows, np.array(self._found).reshape(-1, 8)])
        self._found.clear()
        up, down, hops = (rows[:, column].astype(np.int64) for column in (0, 1, 6))
        chosen = most_valuable(
            self._namespaces.groups(up, down),
            self._namespaces.share(self._caps.paths, up, down),
            rows[:, 2] * rows[:, 3],
            hops,
            up,
            down,
        )
        self._excess[limits.PATHS.name] += int((~chosen).sum())
        self._rows = rows[chosen]

    def paths(self, services: tuple[str, ...], clipped: Counter[str]) -> NamedPaths:
        """The selected paths in order."""
        self._select()
        rows = self._rows[np.lexsort((self._rows[:, 1], self._rows[:, 0]))]
        up, down, hops, origin = (rows[:, column].astype(np.int64) for column in (0, 1, 6, 7))
        probability, confidence, gain, lag_s = rows[:, 2:6].T.copy()
        return NamedPaths(
            services=services,
            upstream=up,
            downstream=down,
            probability=probability,
            confidence=confidence,
            gain=gain,
            lag_s=lag_s,
            hops=hops,
            origin=origin,
            excess={name: n for name, n in (self._excess + clipped).items() if n},
        )
