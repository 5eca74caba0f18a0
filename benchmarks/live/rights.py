"""What a benchmark needs to be allowed, asked before anything is made."""

import asyncio
from dataclasses import dataclass

from benchmarks.live.learning import SYSTEM
from benchmarks.live.services import GROUP, PLURAL
from knative.client.api import Api

REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """A verb on a kind of objects of a namespace."""

    verb: str
    resource: str
    group: str = ""
    namespace: str

    def __str__(self) -> str:
        """As kubectl says it."""
        group = f".{self.group}" if self.group else ""
        return f"{self.verb} {self.resource}{group} in {self.namespace}"


def rights(namespace: str) -> list[Right]:
    """All that a benchmark needs; without one of them it would begin and not end."""
    spread = [(verb, PLURAL, GROUP, namespace) for verb in ("create", "list", "get", "delete")]
    spread += [(verb, "pods", "", namespace) for verb in ("list", "watch")]
    spread.append(("list", "events", "", namespace))
    for resource, group in (("deployments", "apps"), ("services", ""), ("configmaps", "")):
        spread += [(verb, resource, group, SYSTEM) for verb in ("create", "list", "delete")]
    spread.append(("get", "deployments", "apps", SYSTEM))
    return [Right(verb=v, resource=r, group=g, namespace=n) for v, r, g, n in spread]


async def missing_rights(api: Api, namespace: str) -> list[str]:
    """Those that whoever is connected does not have, in words. Raises ApiError."""
    needed = rights(namespace)
    granted = await asyncio.gather(*(_is_granted(api, right) for right in needed))
    return [str(right) for right, is_so in zip(needed, granted, strict=True) if not is_so]


async def _is_granted(api: Api, right: Right) -> bool:
    asked = {
        "namespace": right.namespace,
        "verb": right.verb,
        "group": right.group,
        "resource": right.resource,
    }
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": asked},
    }
    return bool((await api.create(REVIEWS, body))["status"]["allowed"])
