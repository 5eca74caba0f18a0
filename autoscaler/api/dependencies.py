"""Who pulls whom, from edges to answers and back: the API writes them, `kn-ahead graph` reads them.

NaN, which is "the source does not say" among edges, is null in an answer.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from autoscaler.api.answers import Dependencies, Dependency, OriginName
from autoscaler.core.dependencies import COLUMNS, KINDS, Edges, Origin, merged
from autoscaler.core.types import IntArray

ORIGINS: dict[Origin, OriginName] = {
    Origin.ANNOTATION: "annotation",
    Origin.ISTIO: "istio",
    Origin.PROMETHEUS: "prometheus",
    Origin.LEARNED_STARTS: "learned from starts",
    Origin.LEARNED_COUNTS: "learned from counts",
}
_BY_NAME = {name: origin for origin, name in ORIGINS.items()}


def dependencies(
    edges: Edges, *, service: str | None, direct: bool | None, limit: int, offset: int
) -> Dependencies:
    """A page of the edges in alphabetical order.

    service: only those that lead to it or from it. direct: only those that are, or are not.
    """
    chosen = in_order(chosen_of(edges, service=service, direct=direct))
    page = chosen.where(np.arange(len(chosen))[offset : offset + limit])
    return Dependencies(total=len(chosen), limit=limit, offset=offset, dependencies=listed(page))


def chosen_of(edges: Edges, *, service: str | None, direct: bool | None) -> Edges:
    """Those that lead to a service or from it, and those that are direct, or are not."""
    kept = np.ones(len(edges), dtype=np.bool_)
    if service is not None:
        at = edges.services.index(service) if service in edges.services else -1
        kept &= (edges.upstream == at) | (edges.downstream == at)
    if direct is not None:
        kept &= edges.direct == direct
    return edges.where(kept)


def in_order(edges: Edges) -> Edges:
    """Edges by the names of their upstream, then of their downstream."""
    rank = np.empty(len(edges.services), dtype=np.int64)
    rank[np.argsort(np.array(edges.services, dtype=np.str_))] = np.arange(len(edges.services))
    return edges.where(np.lexsort((rank[edges.downstream], rank[edges.upstream])))


def listed(edges: Edges) -> list[Dependency]:
    """Each edge as an answer."""
    return [dependency(edges, i) for i in range(len(edges))]


def dependency(edges: Edges, i: int) -> Dependency:
    """The i-th edge as an answer."""
    seen_at_s = _known(float(edges.seen_at_s[i]))
    return Dependency(
        upstream=edges.services[int(edges.upstream[i])],
        downstream=edges.services[int(edges.downstream[i])],
        lag_s=_known(float(edges.lag_s[i])),
        gain=_known(float(edges.gain[i])),
        needed=_known(float(edges.needed[i])),
        confidence=_known(float(edges.confidence[i])),
        evidence=_known(float(edges.evidence[i])),
        seen_at=None if seen_at_s is None else datetime.fromtimestamp(seen_at_s, UTC),
        direct=bool(edges.direct[i]),
        origin=ORIGINS[Origin(int(edges.origin[i]))],
    )


def edges_of(answers: Sequence[Dependency]) -> Edges:
    """Edges from answers; a pair once, as the best origin says.

    Raises PermanentError where a number is out of its range.
    """
    ends = [(a.upstream, a.downstream) for a in answers]
    services = tuple(sorted({name for pair in ends for name in pair}))
    place = {name: i for i, name in enumerate(services)}
    rows = [
        {
            **a.model_dump(include=set(COLUMNS)),
            "upstream": place[a.upstream],
            "downstream": place[a.downstream],
            "seen_at_s": a.seen_at.timestamp() if a.seen_at else None,
            "origin": int(_BY_NAME[a.origin]),
        }
        for a in answers
    ]
    columns: dict[str, Any] = {
        name: np.array([r[name] for r in rows], dtype=KINDS[name]) for name in COLUMNS
    }
    return merged(Edges(services=services, **columns))


def counts(edges: Edges) -> dict[OriginName, int]:
    """How many edges come from each origin, zeros too."""
    many: IntArray = np.bincount(edges.origin, minlength=len(ORIGINS))
    return {name: int(many[int(origin)]) for origin, name in ORIGINS.items()}


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value
