"""From edges between services to links between the rows of a fleet.

Learned edges are reach already; known ones (an annotation, a mesh) are single hops. All are closed
over: whoever is pulled pulls on. Along a path probabilities and gains multiply and lags add up; of
several paths to the same service the most probable one stands. A path never leads back to where it
began, so that a cycle counts nothing.
"""

from collections.abc import Sequence

import numpy as np

from autoscaler.core.dependencies import COLUMNS, Edges
from autoscaler.core.surge import Links
from autoscaler.core.types import FloatArray, IntArray

LONGEST = 16  # edges in a path
LEAST = 0.05  # a path less probable than this is followed no further


def closed(edges: Edges) -> Edges:
    """The edges, and all paths of theirs, as edges that are not direct."""
    hop, first = _said(edges).by_upstream()
    reach = hop
    paths = hop
    for _ in range(LONGEST):
        paths = _longer(paths, hop, first)
        found = _best(reach, paths)
        if len(found) == len(reach) and (found.needed == reach.needed).all():
            return found
        reach = found
        paths = _kept(paths, reach)
    return reach


def links_of(reach: Edges, service_of_row: Sequence[str], *, layout: int) -> Links:
    """Closed edges between the rows of a fleet. service_of_row: (n_rows,) "namespace/service"."""
    rows: dict[str, list[int]] = {}
    for row, service in enumerate(service_of_row):
        rows.setdefault(service, []).append(row)
    of = [rows.get(service, []) for service in reach.services]
    pairs = [
        (edge, up, down)
        for edge, (u, d) in enumerate(
            zip(reach.upstream.tolist(), reach.downstream.tolist(), strict=True)
        )
        for up in of[u]
        for down in of[d]
    ]
    edge, up, down = np.array(pairs, dtype=np.int64).reshape(-1, 3).T
    return Links(
        upstream=up,
        downstream=down,
        needed=reach.needed[edge],
        confidence=reach.confidence[edge],
        gain=reach.gain[edge],
        lag_s=reach.lag_s[edge],
        name=tuple(reach.services[u] for u in reach.upstream[edge].tolist()),
        layout=layout,
    )


def _said(edges: Edges) -> Edges:
    """Edges without gaps: what nobody says is what a caller that always calls on would show."""
    filled = {
        "lag_s": np.nan_to_num(edges.lag_s, nan=0.0),
        "gain": np.nan_to_num(edges.gain, nan=1.0),
        "needed": np.nan_to_num(edges.needed, nan=1.0),
        "confidence": np.nan_to_num(edges.confidence, nan=1.0),
    }
    columns = {name: getattr(edges, name) for name in COLUMNS} | filled
    return Edges(services=edges.services, **columns)


def _longer(paths: Edges, hop: Edges, first: IntArray) -> Edges:
    """Every path with every edge that goes on from its end, but not back to its beginning."""
    begin, end = first[paths.downstream], first[paths.downstream + 1]
    count = end - begin
    path = np.repeat(np.arange(len(paths)), count)
    step = (
        np.arange(len(path)) - np.repeat(np.cumsum(count) - count, count) + np.repeat(begin, count)
    )
    new = hop.downstream[step] != paths.upstream[path]
    path, step = path[new], step[new]
    needed = paths.needed[path] * hop.needed[step]
    sure = paths.confidence[path] * hop.confidence[step]
    far = needed * sure >= LEAST
    path, step, needed, sure = path[far], step[far], needed[far], sure[far]
    return Edges(
        services=hop.services,
        upstream=paths.upstream[path],
        downstream=hop.downstream[step],
        lag_s=paths.lag_s[path] + hop.lag_s[step],
        gain=paths.gain[path] * hop.gain[step],
        needed=needed,
        confidence=sure,
        evidence=np.fmin(paths.evidence[path], hop.evidence[step]),
        seen_at_s=np.fmin(paths.seen_at_s[path], hop.seen_at_s[step]),
        direct=np.zeros(len(path), dtype=np.bool_),
        origin=np.maximum(paths.origin[path], hop.origin[step]),
    )


def _best(*some: Edges) -> Edges:
    """Of each pair the most probable edge; of equals the first."""
    columns = {name: np.concatenate([getattr(e, name) for e in some]) for name in COLUMNS}
    every = Edges(services=some[0].services, **columns)
    chance: FloatArray = every.needed * every.confidence
    ordered = every.where(np.lexsort((-chance, every.key)))
    return ordered.where(np.diff(ordered.key, prepend=-1) > 0)


def _kept(paths: Edges, reach: Edges) -> Edges:
    """Those of the paths that are the best of their pair."""
    place = np.searchsorted(reach.key, paths.key)
    return paths.where(
        reach.needed[place] * reach.confidence[place] <= paths.needed * paths.confidence
    )
