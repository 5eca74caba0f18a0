"""Edges of all sources, merged, as they are published with the forecasts.

Intermittent services are searched as their starts come in, other sources whenever the models are
fitted anew; the edges that a fit found in counts are handed in. A search that fails is logged once,
and once when it is over; its former edges stay, the other searches go on, and forecasts never wait
for any of them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from autoscaler.core.prediction.dependencies import Edges, merged, no_edges
from autoscaler.errors import AutoscalerError
from autoscaler.health import Health
from autoscaler.logs import get_logger
from learner.demand import Demand
from learner.dependencies.start_search import StartSearch
from learner.sources.activity_reader import ActivityReader
from learner.sources.istio import IstioReader
from learner.sources.queries import PrometheusServer

ALL = "dependencies"
STARTS, COUNTS, SAVED = (f"{ALL}, {by}" for by in ("by starts", "by counts", "as saved"))

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeSource:
    """A source of edges, searched whenever models are fitted."""

    part: str  # its name in messages
    find: Callable[[Demand], Edges]  # raises AutoscalerError


class DependencySearch:
    """Holds the edges of each source, and all of them merged."""

    def __init__(self, start_search: StartSearch, sources: Sequence[EdgeSource] = ()) -> None:
        self._start_search = start_search
        self._sources = sources
        self._found: dict[str, Edges] = {}  # by part
        self._faults = Health()
        self._parts = [start_search.edges]  # what ``edges`` was merged from
        self._restored = False
        self.edges = no_edges(())

    def restore(self, now: float) -> None:
        """Load what an earlier process saved, at the first call only. now: Unix s."""
        if not self._restored:
            self._restored = True
            self._try(SAVED, partial(self._start_search.restore, now), now)
            self._try(ALL, self._merge, now)

    def update(self, demand: Demand | None, now: float, in_counts: Edges | None = None) -> bool:
        """Search in what is new; whether the edges have changed.

        demand: the newest, where models have just been fitted; None = they were not. now: Unix s.
        in_counts: what the fit found in counts; None = nothing new.
        """
        if in_counts is not None:
            self._found[COUNTS] = in_counts
        if demand is not None:
            for source in self._sources:
                self._try(source.part, partial(self._search, source, demand), now)
        self._try(STARTS, partial(self._start_search.update, now), now)
        before = self.edges
        self._try(ALL, self._merge, now)
        return self.edges is not before

    def _search(self, source: EdgeSource, demand: Demand) -> None:
        self._found[source.part] = source.find(demand)

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
            self._faults.report(part, str(error), now)
        except Exception as error:
            if part not in {fault.part for fault in self._faults.present()}:
                log.exception("search failed", part=part)
            self._faults.report(part, f"{error!r}", now)
        else:
            self._faults.report(part, "", now)


def dependency_search_of(server: PrometheusServer, bundle: Path) -> DependencySearch:
    """All searches in a Prometheus; evidence is saved beside the bundle."""
    path = bundle.with_name(f"{bundle.stem}.evidence.npz")
    istio = EdgeSource(part=f"{ALL}, by Istio", find=IstioReader(server).edges)
    return DependencySearch(StartSearch(ActivityReader(server), path), (istio,))
