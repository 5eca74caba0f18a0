"""Dependencies, from edges to answers and back: the API writes them, `kn-ahead graph` reads them.

NaN among edges (not known) is null in an answer; so is a number that is not finite.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from autoscaler.advisor.read_model import KnownEdges, ReadModel
from autoscaler.api.dependency_answers import DependenciesAnswer, DependencyAnswer, OriginName
from autoscaler.api.rendering import Renderer
from autoscaler.core.prediction.dependencies import COLUMNS, KINDS, Edges, Origin, Pair, merged
from autoscaler.core.types import BoolArray, IntArray
from autoscaler.limits import LATEST_S

ORIGINS: dict[int, OriginName] = {
    Origin.ANNOTATION: "annotation",
    Origin.ISTIO: "istio",
    Origin.PROMETHEUS: "prometheus",
    Origin.LEARNED_STARTS: "learned from starts",
    Origin.LEARNED_COUNTS: "learned from counts",
}
UNKNOWN_ORIGIN: OriginName = "unknown"
_BY_NAME = {name: origin for origin, name in ORIGINS.items()} | {UNKNOWN_ORIGIN: len(ORIGINS)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """All edges in the order in which they are shown; made once a graph."""

    known: KnownEdges
    order: IntArray  # (k,) indices of edges, by the names of their upstream, then downstream
    together: BoolArray  # (m,)
    services: frozenset[str]

    @classmethod
    def of(cls, known: KnownEdges) -> "Listing":
        """Sort the edges to show."""
        edges = known.edges
        order = alphabetical(edges)
        return cls(
            known=known,
            order=order[edges.shown[order]],
            together=edges.together,
            services=frozenset(edges.services),
        )

    def __contains__(self, service: str) -> bool:
        return service in self.services

    def around(self, services: Iterable[str], *, direct: bool | None = None) -> IntArray:
        """Edges to or from one of these services, in order; direct or indirect ones if given."""
        edges, wanted = self.known.edges, set(services)
        near = np.array([name in wanted for name in edges.services], dtype=np.bool_)
        return self._chosen(near[edges.upstream] | near[edges.downstream], direct)

    def all(self, *, direct: bool | None = None) -> IntArray:
        """All edges in order; direct or indirect ones if given."""
        return self._chosen(np.ones(len(self.together), dtype=np.bool_), direct)

    def _chosen(self, chosen: np.ndarray[Any, np.dtype[np.bool_]], direct: bool | None) -> IntArray:
        if direct is not None:
            chosen = chosen & (self.known.edges.direct == direct)
        return self.order[chosen[self.order]]


async def listing(model: ReadModel, renderer: Renderer) -> Listing:
    """The edges of a read model in order."""
    known = model.known_edges
    return await renderer.page("listing", known, lambda: Listing.of(known))


async def names(model: ReadModel, renderer: Renderer) -> list[str]:
    """All services that have a decision, a forecast or an edge, in order."""
    known, services = model.known_edges, model.services
    return await renderer.page(
        "names", (known, services), lambda: sorted({*services, *known.edges.services})
    )


def page(listing: Listing, chosen: IntArray, *, limit: int, offset: int) -> DependenciesAnswer:
    """A page of the edges that were chosen."""
    edges, causes = listing.known.edges, listing.known.not_acted_on
    return DependenciesAnswer(
        total=len(chosen),
        limit=limit,
        offset=offset,
        dependencies=[
            dependency(
                edges,
                i,
                causes[i],
                together=bool(listing.together[i]),
                withdrawn=edges.pair(i) in listing.known.withdrawn,
            )
            for i in chosen[offset : offset + limit].tolist()
        ],
    )


def alphabetical(edges: Edges) -> IntArray:
    """(m,) indices of edges by the names of their upstream, then of their downstream."""
    rank = np.empty(len(edges.services), dtype=np.int64)
    order = sorted(range(len(edges.services)), key=edges.services.__getitem__)
    rank[order] = np.arange(len(edges.services))
    return np.lexsort((rank[edges.downstream], rank[edges.upstream]))


def in_order(edges: Edges) -> Edges:
    """Edges by the names of their upstream, then of their downstream."""
    return edges.where(alphabetical(edges))


def listed(edges: Edges, withdrawn: Collection[Pair] = ()) -> list[DependencyAnswer]:
    """Each edge to show as an answer."""
    together = edges.together.tolist()
    return [
        dependency(edges, i, together=together[i], withdrawn=edges.pair(i) in withdrawn)
        for i in np.flatnonzero(edges.shown).tolist()
    ]


def dependency(
    edges: Edges, i: int, not_acted_on: str = "", *, together: bool, withdrawn: bool = False
) -> DependencyAnswer:
    """The i-th edge as an answer."""
    seen_at_s = float(edges.seen_at_s[i])
    return DependencyAnswer(
        upstream=edges.services[int(edges.upstream[i])],
        downstream=edges.services[int(edges.downstream[i])],
        lag_s=_known(edges.lag_s[i]),
        gain=_known(edges.gain[i]),
        probability=_known(edges.probability[i]),
        confidence=_known(edges.confidence[i]),
        evidence=_known(edges.evidence[i]),
        seen_at=_time(seen_at_s) if 0 <= seen_at_s <= LATEST_S.most else None,
        direct=bool(edges.direct[i]),
        together=together,
        origin=ORIGINS.get(int(edges.origin[i]), UNKNOWN_ORIGIN),
        not_acted_on=not_acted_on or None,
        withdrawn=withdrawn,
    )


def edges_of(answers: Sequence[DependencyAnswer]) -> Edges:
    """Edges from answers; a pair once, as the best origin says, and both ways if together.

    Raises PermanentError where a number is out of its range.
    """
    back = [
        a.model_copy(update={"upstream": a.downstream, "downstream": a.upstream})
        for a in answers
        if a.together
    ]
    answers = [*answers, *back]
    ends = [(a.upstream, a.downstream) for a in answers]
    services = tuple(sorted({name for pair in ends for name in pair}))
    place = {name: i for i, name in enumerate(services)}
    rows = [
        {
            **a.model_dump(include=set(COLUMNS)),
            "upstream": place[a.upstream],
            "downstream": place[a.downstream],
            "probability": a.probability,
            "seen_at_s": a.seen_at.timestamp() if a.seen_at else None,
            "origin": _BY_NAME[a.origin],
        }
        for a in answers
    ]
    columns: dict[str, Any] = {
        name: np.array([r[name] for r in rows], dtype=KINDS[name]) for name in COLUMNS
    }
    return merged(Edges(services=services, **columns))


def counts(edges: Edges) -> dict[str, int]:
    """Number of edges by origin, zeros included."""
    many: dict[str, int] = {
        name: int((edges.origin == origin).sum()) for origin, name in ORIGINS.items()
    }
    unknown = len(edges) - sum(many.values())
    return many | ({UNKNOWN_ORIGIN: unknown} if unknown else {})


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
