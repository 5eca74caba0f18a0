"""The share of a service's traffic that each of its revisions gets by its Route.

Forecasts are of services; a revision has to be ready for its share. Where no Route is known (there
is none, or RBAC hides it) every revision counts as if it got all traffic: too many pods rather than
too few.
"""

from knative.mirror.objects import PodAutoscaler
from knative.mirror.routes import Route

UNREACHABLE = "Unreachable"

Keys = set[str]  # "namespace/revision"


class Traffic:
    """Routes and revisions by service; updates return revisions whose share may change."""

    def __init__(self) -> None:
        self._services: dict[str, str] = {}  # of each revision
        self._routes: dict[str, Route] = {}  # by "namespace/route"
        self._route_of: dict[str, str] = {}  # by service
        self._generations: dict[str, dict[str, int]] = {}  # by service, by revision
        self._newest: dict[str, str] = {}  # by service

    def saw_route(self, key: str, route: Route | None) -> Keys:
        """Follow a Route; None = deleted."""
        former = self._routes.pop(key, None)
        if former and self._route_of.get(former.service) == key:
            del self._route_of[former.service]
        if route:
            self._routes[key], self._route_of[route.service] = route, key
        services = {r.service for r in (former, route) if r}
        return {key for service in services for key in self._generations.get(service, ())}

    def saw_revision(self, key: str, pa: PodAutoscaler) -> Keys:
        """A revision was created or changed."""
        changed = self.forget(key) if self._services.get(key, pa.service) != pa.service else set()
        self._services[key] = pa.service
        self._generations.setdefault(pa.service, {})[key] = pa.configuration_generation
        return changed | self._find_newest(pa.service) | {key}

    def forget(self, key: str) -> Keys:
        """A revision was deleted."""
        service = self._services.pop(key, None)
        if service is None:
            return set()
        siblings = self._generations[service]
        del siblings[key]
        if siblings:
            return self._find_newest(service)
        del self._generations[service], self._newest[service]
        return set()

    def share(self, key: str, pa: PodAutoscaler, *, initialized: bool) -> float:
        """The share of its service's traffic that a revision has to be ready for, 0 ... 1.

        initialized: whether it was ready once.
        """
        route = self._routes.get(self._route_of.get(pa.service, ""))
        if route is None or not route.shares:
            return 0.0 if pa.reachability == UNREACHABLE else 1.0
        own = route.shares.get(pa.name, 0.0)
        # Knative moves all traffic of the latest revision at once when the newest becomes ready: it
        # needs its pods by then. Until it was ready once, it may also fail to start.
        due = pa.name != route.latest_is and self._newest.get(pa.service) == key
        return min(own + route.latest, 1.0) if due and initialized else own

    def _find_newest(self, service: str) -> Keys:
        """Find the newest revision of a service; returns the former and it where they differ."""
        siblings, former = self._generations[service], self._newest.get(service, "")
        self._newest[service] = newest = max(siblings, key=siblings.__getitem__)
        return {former, newest} - {""} if newest != former else set()
