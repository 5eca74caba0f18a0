"""Routes: the shares of a service's traffic that its revisions get."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from autoscaler.limits import ROUTE_TARGETS
from autoscaler.refusals import LimitError
from knative.client.api import Object
from knative.mirror.fields import name, text
from knative.mirror.objects import SERVICE_LABEL

ROUTES = "/apis/serving.knative.dev/v1/routes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """How the requests of a service are split."""

    service: str  # "namespace/service"
    shares: Mapping[str, float]  # by revision's name, 0 ... 1; empty = no status yet
    latest: float  # 0 ... 1, of the target "latest revision"
    latest_is: str  # the revision that this target is at present


def route(o: Object) -> Route:
    """Parse a Route.

    Raises ValueError for an impossible percent, LimitError for too many targets.
    """
    meta = o["metadata"]
    status = (o.get("status") or {}).get("traffic") or []
    spec = (o.get("spec") or {}).get("traffic") or []
    if max(len(status), len(spec)) > ROUTE_TARGETS.most:
        raise LimitError(ROUTE_TARGETS)
    shares: dict[str, float] = {}
    latest_is = ""
    for target in status:
        revision = name(target.get("revisionName"))
        shares[revision] = min(shares.get(revision, 0.0) + _share(target), 1.0)
        if target.get("latestRevision"):
            latest_is = revision
    # Whether the latest revision is a target is in the spec; without a spec, in the status.
    newest = [t for t in spec or status if t.get("latestRevision") or t.get("configurationName")]
    service = (meta.get("labels") or {}).get(SERVICE_LABEL) or meta["name"]
    return Route(
        service=text(f"{meta['namespace']}/{service}"),
        shares=shares if any(shares.values()) else {},
        latest=min(sum(_share(t) for t in newest), 1.0),
        latest_is=latest_is,
    )


def _share(target: Mapping[str, Any]) -> float:
    percent = target.get("percent") or 0
    if not isinstance(percent, int) or not 0 <= percent <= 100:
        raise ValueError(f"traffic percent is {percent!r}; allowed: whole numbers from 0 to 100")
    return percent / 100
