"""Who pulls whom, from all that the learner can see, as it is published with the forecasts.

Services that sleep are searched as their starts come in, services that never do whenever the models
are fitted anew. Whatever fails in a search is said once, and once when it is over; what was found
before stays, the other searches go on, and forecasts never wait for any of them.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from autoscaler.core.prediction.dependencies import Edges, merged, no_edges
from autoscaler.errors import AutoscalerError
from autoscaler.health import Health
from learner.demand import Demand
from learner.dependencies.count_search import edges_among_busiest, edges_from_outside
from learner.dependencies.start_search import StartSearch
from learner.sources.activity_reader import StartsReader
from learner.sources.istio import IstioReader
from learner.sources.queries import PrometheusServer

ALL = "who pulls whom"
STARTS, COUNTS, MEMORY = (f"{ALL}, {by}" for by in ("by starts", "by counts", "as remembered"))

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """One more source of edges, asked whenever models are fitted."""

    part: str  # what it is, in messages
    find: Callable[[Demand], Edges]  # raises AutoscalerError


class DependencySearch:
    """Keeps edges of all sources, and what they are together."""

    def __init__(self, start_search: StartSearch, searches: Sequence[Search] = ()) -> None:
        self._start_search = start_search
        self._searches = (Search(part=COUNTS, find=edges_among_busiest), *searches)
        self._found: dict[str, Edges] = {}  # by part
        self._faults = Health()
        self._parts = [start_search.edges]  # what ``edges`` was made of
        self._remembered = False
        self.edges = no_edges(())

    def remember(self, now: float) -> None:
        """Once: take up what an earlier process knew. now: Unix s."""
        if not self._remembered:
            self._remembered = True
            self._try(MEMORY, partial(self._start_search.remember, now), now)
            self._try(ALL, self._merge, now)

    def update(self, demand: Demand | None, now: float) -> bool:
        """Search in what is new; whether edges were made anew.

        demand: what the models have just been fitted on; None = they were not. now: Unix s.
        """
        if demand is not None:
            for search in self._searches:
                self._try(search.part, partial(self._search, search, demand), now)
        self._try(STARTS, partial(self._start_search.update, now), now)
        before = self.edges
        self._try(ALL, self._merge, now)
        return self.edges is not before

    def _search(self, search: Search, demand: Demand) -> None:
        self._found[search.part] = search.find(demand)

    def _merge(self) -> None:
        parts = [self._start_search.edges, *self._found.values()]
        if [id(part) for part in parts] != [id(part) for part in self._parts]:
            services = tuple(sorted({name for part in parts for name in part.services}))
            self.edges = merged(*(part.onto(services) for part in parts))
            self._parts = parts

    def _try(self, part: str, search: Callable[[], object], now: float) -> None:
        try:
            search()
        except AutoscalerError as error:
            self._faults.say(part, str(error), now)
        except Exception as error:
            if part not in {fault.part for fault in self._faults.present()}:
                log.exception("%s: a fault of ours", part)
            self._faults.say(part, f"{error!r}", now)
        else:
            self._faults.say(part, "", now)


def dependency_search_of(server: PrometheusServer, bundle: Path) -> DependencySearch:
    """All searches that a Prometheus allows; what is to last is kept beside the bundle."""
    kept = bundle.with_name(f"{bundle.stem}.evidence.npz")
    istio = Search(part=f"{ALL}, by Istio", find=IstioReader(server).edges)
    outside = Search(part=f"{ALL}, by upstreams given", find=edges_from_outside)
    return DependencySearch(StartSearch(StartsReader(server), kept), (istio, outside))
