"""Authorizes readers of the API by Kubernetes: a TokenReview, then a SubjectAccessReview.

Paths of the API are non-resource URLs, as kube-controller-manager's /metrics is: a ClusterRole with
``nonResourceURLs: ["/metrics"], verbs: [get]`` lets its subjects read it. Verdicts are cached for a
minute, so that a Prometheus costs the API server two requests a minute.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable

from knative.client.api import Api

AUTHENTICATION = "/apis/authentication.k8s.io/v1/tokenreviews"
AUTHORIZATION = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
CACHED_S, MOST_CACHED = 60.0, 1_000  # verdicts


class Reviewer:
    """Reviews bearer tokens by the API server."""

    def __init__(self, api: Api, elapsed: Callable[[], float]) -> None:
        """elapsed: s of a clock that does not go back."""
        self._api, self._elapsed = api, elapsed
        self._verdicts: OrderedDict[tuple[bytes, str], tuple[float, bool | None]] = OrderedDict()

    async def authorize(self, token: str, path: str) -> bool | None:
        """Whether the bearer of a token may read a path; None = the token is not valid.

        Raises ApiError where the API server does not answer.
        """
        key = hashlib.sha256(token.encode()).digest(), path  # tokens are not stored
        known = self._verdicts.get(key)
        if known and self._elapsed() - known[0] < CACHED_S:
            return known[1]
        verdict = await self._review(token, path)
        self._verdicts[key] = self._elapsed(), verdict
        self._verdicts.move_to_end(key)
        while len(self._verdicts) > MOST_CACHED:
            self._verdicts.popitem(last=False)
        return verdict

    async def _review(self, token: str, path: str) -> bool | None:
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview"}
        answer = await self._api.create(AUTHENTICATION, {**body, "spec": {"token": token}})
        status = answer.get("status") or {}
        user = status.get("user") or {}
        if not status.get("authenticated"):
            return None
        answer = await self._api.create(
            AUTHORIZATION,
            {
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SubjectAccessReview",
                "spec": {
                    "user": user.get("username", ""),
                    "uid": user.get("uid", ""),
                    "groups": user.get("groups") or [],
                    "extra": user.get("extra") or {},
                    "nonResourceAttributes": {"path": path, "verb": "get"},
                },
            },
        )
        return bool((answer.get("status") or {}).get("allowed"))
