"""Routes: which part of a service's traffic goes to which of its revisions."""

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
    """Where a service's requests go."""

    service: str  # "namespace/service"
    shares: Mapping[str, float]  # by revision's name, 0 ... 1; empty = nothing was said yet
    latest: float  # 0 ... 1, what follows the newest revision
    latest_is: str  # the revision that gets that now


def route(o: Object) -> Route:
    """Keep what matters of a Route.

    Raises ValueError for a percent that cannot be, LimitError for too many targets.
    """
    meta = o["metadata"]
    said = (o.get("status") or {}).get("traffic") or []
    asked = (o.get("spec") or {}).get("traffic") or []
    if max(len(said), len(asked)) > ROUTE_TARGETS.most:
        raise LimitError(ROUTE_TARGETS)
    shares: dict[str, float] = {}
    latest_is = ""
    for target in said:
        revision = name(target.get("revisionName"))
        shares[revision] = min(shares.get(revision, 0.0) + _share(target), 1.0)
        if target.get("latestRevision"):
            latest_is = revision
    # What is asked for tells whether the newest is wanted; before anything is, what was last.
    newest = [t for t in asked or said if t.get("latestRevision") or t.get("configurationName")]
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
