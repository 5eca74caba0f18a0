"""Who pulls whom in this cluster: what was learned, and what annotations say.

`kn-ahead.dev/upstreams` on a revision names the services that call it: "cart" of its own namespace
or "shop/cart" of another's, several with commas between. A name that is wrong is said once and left
out; the others count.
"""

import logging
import re
from collections.abc import Sequence

import numpy as np

from autoscaler.core.dependencies import Edges, Origin, merged, no_edges
from autoscaler.core.surge import Links
from autoscaler.reach import closed, links_of
from knative.objects import PodAutoscaler

UPSTREAMS = "kn-ahead.dev/upstreams"
NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")

log = logging.getLogger(__name__)


class Pulling:
    """Edges between services, and the links between the rows of a fleet that follow from them."""

    def __init__(self) -> None:
        self._learned = no_edges(())
        self._known: dict[str, tuple[str, tuple[str, ...]]] = {}  # by revision: service, upstreams
        self._edges: Edges | None = None  # all together; None = to be made anew
        self._reach = no_edges(())
        self._links: Links | None = None
        self._missing: set[str] = set()  # services that annotations name, and that are not there

    def learn(self, edges: Edges) -> None:
        """Put learned edges in force in place of the former."""
        self._learned = edges
        self._edges = None

    def saw_revision(self, key: str, pa: PodAutoscaler) -> None:
        """A revision came or changed."""
        text = pa.annotations.get(UPSTREAMS, "")
        said = (pa.service, _upstreams(key, pa, text)) if text else None
        if self._known.get(key) != said:
            self.forget(key)
            if said:
                self._known[key] = said
            self._edges = None

    def forget(self, key: str) -> None:
        """A revision went."""
        if self._known.pop(key, None):
            self._edges = None

    @property
    def edges(self) -> Edges:
        """All that is known, a pair once; not closed over."""
        return self._make()

    def links(self, service_of_row: Sequence[str], layout: int) -> Links:
        """Between the rows of the fleet as it is laid out now."""
        self._make()
        if self._links is None or self._links.layout != layout:
            self._links = links_of(self._reach, service_of_row, layout=layout)
            self._say_missing(service_of_row)
        return self._links

    def _say_missing(self, services: Sequence[str]) -> None:
        """Say once which services annotations name that are not there."""
        named = {up for _, ups in self._known.values() for up in ups}
        missing = named.difference(services)
        for name in sorted(missing - self._missing):
            log.warning("%s names %r, which is not there: nothing follows it yet", UPSTREAMS, name)
        self._missing = missing

    def _make(self) -> Edges:
        """All edges together, made anew where something has changed."""
        if self._edges is None:
            self._edges = self._together()
            self._reach = closed(self._edges)
            self._links = None
        return self._edges

    def _together(self) -> Edges:
        pairs = {(up, service) for service, ups in self._known.values() for up in ups}
        ends = {name for pair in pairs for name in pair}
        services = (*self._learned.services, *sorted(ends - set(self._learned.services)))
        place = {name: i for i, name in enumerate(services)}
        m = len(pairs)
        up, down = (np.array([place[p[k]] for p in sorted(pairs)], dtype=np.int64) for k in (0, 1))
        unsaid = np.full(m, np.nan)
        said = Edges(
            services=services,
            upstream=up,
            downstream=down,
            lag_s=unsaid,
            gain=unsaid,
            needed=unsaid,
            confidence=np.ones(m),
            evidence=unsaid,
            seen_at_s=unsaid,
            direct=np.ones(m, dtype=np.bool_),
            origin=np.full(m, int(Origin.ANNOTATION)),
        )
        return merged(said, self._learned.onto(services))


def _upstreams(key: str, pa: PodAutoscaler, text: str) -> tuple[str, ...]:
    names = []
    for word in (word.strip() for word in text.split(",")):
        head, slash, tail = word.rpartition("/")
        name = word if slash else f"{pa.namespace}/{word}"
        fits = NAME.fullmatch(tail) and (NAME.fullmatch(head) if slash else True)
        if not fits or name == pa.service:
            log.warning(
                "%s: %s names %r, which is left out; allowed: another service, as name or "
                "namespace/name, with commas between several",
                key,
                UPSTREAMS,
                word,
            )
        else:
            names.append(name)
    return tuple(names)
