"""Which part of a service's traffic each of its revisions gets, as its Route says.

A forecast is of a service; what a revision has to be ready for is its share of that. Where no Route
is known (none is there, or we may not look) every revision counts as if it got everything: too
many pods rather than too few.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from autoscaler.core.fleet import Fleet
from knative.api import Object
from knative.objects import SERVICE_LABEL, PodAutoscaler
from knative.status import INITIALIZED, condition

ROUTES = "/apis/serving.knative.dev/v1/routes"
GENERATION_LABEL = "serving.knative.dev/configurationGeneration"
UNREACHABLE = "Unreachable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where a service's requests go."""

    service: str  # "namespace/service"
    shares: Mapping[str, float]  # by revision's name, 0 ... 1; empty = nothing was said yet
    latest: float  # 0 ... 1, what follows the newest revision
    latest_is: str  # the revision that gets that now


def route(o: Object) -> Route:
    """Keep what matters of a Route. Raises ValueError for a percent that cannot be."""
    meta = o["metadata"]
    said = (o.get("status") or {}).get("traffic") or []
    asked = (o.get("spec") or {}).get("traffic") or []
    shares: dict[str, float] = {}
    latest_is = ""
    for target in said:
        name = target.get("revisionName", "")
        shares[name] = min(shares.get(name, 0.0) + _share(target), 1.0)
        if target.get("latestRevision"):
            latest_is = name
    # What is asked for tells whether the newest is wanted; before anything is, what was last.
    newest = [t for t in asked or said if t.get("latestRevision") or t.get("configurationName")]
    service = (meta.get("labels") or {}).get(SERVICE_LABEL) or meta["name"]
    return Route(
        service=f"{meta['namespace']}/{service}",
        shares=shares if any(shares.values()) else {},
        latest=min(sum(_share(t) for t in newest), 1.0),
        latest_is=latest_is,
    )


def _share(target: Mapping[str, Any]) -> float:
    percent = target.get("percent") or 0
    if not isinstance(percent, int) or not 0 <= percent <= 100:
        raise ValueError(f"traffic percent is {percent!r}; allowed: whole numbers from 0 to 100")
    return percent / 100


class Traffic:
    """Keeps each revision's share in the fleet, as Routes and revisions come and go."""

    def __init__(self, fleet: Callable[[], Fleet]) -> None:
        """fleet: the one that is decided for now."""
        self._fleet = fleet
        self._pas: dict[str, PodAutoscaler] = {}  # by "namespace/revision"
        self._routes: dict[str, Route] = {}  # by "namespace/route"
        self._route_of: dict[str, str] = {}  # by service
        self._generations: dict[str, dict[str, int]] = {}  # by service, by "namespace/revision"
        self._newest: dict[str, str] = {}  # by service

    def saw_route(self, key: str, seen: Route | None) -> None:
        """A Route came, changed or went."""
        former = self._routes.pop(key, None)
        if former and self._route_of.get(former.service) == key:
            del self._route_of[former.service]
        if seen:
            self._routes[key], self._route_of[seen.service] = seen, key
        for service in {r.service for r in (former, seen) if r}:
            self.share_out(self._generations.get(service, ()))

    def saw_revision(self, key: str, pa: PodAutoscaler) -> None:
        """A revision came or changed; its own share is asked for by whoever sets it up."""
        former = self._pas.get(key)
        if former and former.service != pa.service:
            self.forget(key)
        self._pas[key] = pa
        siblings = self._generations.setdefault(pa.service, {})
        text = pa.labels.get(GENERATION_LABEL, "")
        generation = int(text) if text.isdecimal() else 0
        if siblings.get(key) != generation:
            siblings[key] = generation
            self._look_for_newest(pa.service)

    def forget(self, key: str) -> None:
        """A revision went."""
        pa = self._pas.pop(key, None)
        if pa is None:
            return
        siblings = self._generations[pa.service]
        del siblings[key]
        if siblings:
            self._look_for_newest(pa.service)
        else:
            del self._generations[pa.service], self._newest[pa.service]

    def share_out(self, keys: Iterable[str]) -> None:
        """Revisions may have another share now."""
        fleet = self._fleet()
        for key in keys:
            if key in fleet and key in self._pas:
                fleet.spec.share[fleet.row(key)] = self.share(key)

    def share(self, key: str) -> float:
        """The part of its service's traffic that a revision has to be ready for, 0 ... 1."""
        pa = self._pas[key]
        seen = self._routes.get(self._route_of.get(pa.service, ""))
        if seen is None or not seen.shares:
            return 0.0 if pa.reachability == UNREACHABLE else 1.0
        own = seen.shares.get(pa.name, 0.0)
        # Knative moves what follows the latest revision the moment the newest is ready, all at
        # once: by then it has to have its pods. Before its first pod was ready that is in doubt.
        due = pa.name != seen.latest_is and self._newest[pa.service] == key
        return min(own + seen.latest, 1.0) if due and self._initialized(key, pa) else own

    def _initialized(self, key: str, pa: PodAutoscaler) -> bool:
        """Whether the scale target was ready once."""
        fleet = self._fleet()
        if key in fleet:  # which knows first
            return bool(fleet.seen.initialized[fleet.row(key)])
        return condition(pa, INITIALIZED).get("status") == "True"

    def _look_for_newest(self, service: str) -> None:
        siblings, former = self._generations[service], self._newest.get(service, "")
        self._newest[service] = newest = max(siblings, key=siblings.__getitem__)
        if newest != former:
            self.share_out((former, newest))
