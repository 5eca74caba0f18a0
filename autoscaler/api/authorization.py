"""Authorization of requests by bearer token, as kube-controller-manager guards its own port.

The decision is Kubernetes's (TokenReview, then SubjectAccessReview of a non-resource path); here
the token is taken from the request, and the decision becomes an answer.
"""

from collections.abc import Awaitable, Callable
from http import HTTPStatus

from fastapi import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from autoscaler.api.problems import problem
from autoscaler.logs import get_logger

Authorize = Callable[[str, str], Awaitable[bool | None]]
"""Called with a token and a path; whether it may read the path; None = unknown token."""

OPEN = ("/healthz", "/readyz")  # for kubelets, which send no token
CHALLENGE = {"WWW-Authenticate": "Bearer"}
RETRY_AFTER_S = 5

log = get_logger(__name__)


class Authorization:
    """Middleware that refuses requests that ``authorize`` does not allow, except to `OPEN`."""

    def __init__(self, app: ASGIApp, authorize: Authorize) -> None:
        self._app, self._authorize = app, authorize

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        if scope["type"] != "http" or scope["path"] in OPEN:
            await self._app(scope, receive, send)
            return
        refusal = await self._refusal(Request(scope))
        await (refusal or self._app)(scope, receive, send)

    async def _refusal(self, request: Request) -> Response | None:
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        token = token.strip()
        if kind.lower() != "bearer" or not token:
            return problem(
                request,
                HTTPStatus.UNAUTHORIZED,
                "no token; allowed: Authorization: Bearer TOKEN",
                headers=CHALLENGE,
            )
        path = request.scope["path"]
        try:
            verdict = await self._authorize(token, path)
        except Exception:
            log.exception("authorization failed", path=path)
            return problem(
                request,
                HTTPStatus.SERVICE_UNAVAILABLE,
                "nobody can tell at present whether this token is allowed to read",
                headers={"Retry-After": str(RETRY_AFTER_S)},
            )
        if verdict is None:
            return problem(
                request, HTTPStatus.UNAUTHORIZED, "the token is not known", headers=CHALLENGE
            )
        if not verdict:
            return problem(
                request, HTTPStatus.FORBIDDEN, f"the token is not allowed to read {path!r}"
            )
        return None
