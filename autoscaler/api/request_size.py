"""Limits on a request's URL and headers, checked before it is parsed further."""

from http import HTTPStatus

from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from autoscaler.api.problems import problem
from autoscaler.clock import Clock
from autoscaler.limits import REST_HEAD_BYTES, REST_URL_BYTES, Limit
from autoscaler.refusals import Refusals


class RequestSize:
    """Middleware that refuses URLs and headers that are too long."""

    def __init__(self, app: ASGIApp, refusals: Refusals, clock: Clock) -> None:
        self._app, self._refusals, self._clock = app, refusals, clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        found = _too_long(scope) if scope["type"] == "http" else None
        if found is None:
            await self._app(scope, receive, send)
            return
        limit, status = found
        client = scope.get("client") or ("somebody",)
        self._refusals.count(limit, str(client[0]), self._clock.now())
        detail = f"more than {limit.most:g} {limit.unit}; allowed: up to those"
        await problem(Request(scope), status, detail)(scope, receive, send)


def _too_long(scope: Scope) -> tuple[Limit, HTTPStatus] | None:
    url = len(scope.get("raw_path") or b"") + len(scope.get("query_string") or b"")
    if url > REST_URL_BYTES.most:
        return REST_URL_BYTES, HTTPStatus.REQUEST_URI_TOO_LONG
    if sum(len(name) + len(value) for name, value in scope["headers"]) > REST_HEAD_BYTES.most:
        return REST_HEAD_BYTES, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
    return None
