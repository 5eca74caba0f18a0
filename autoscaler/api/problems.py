"""Errors as problem details (RFC 9457)."""

from bisect import bisect
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from http import HTTPStatus
from typing import Any, ClassVar

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import Field
from starlette.exceptions import HTTPException

from autoscaler.api.answer import ApiAnswer

MEDIA_TYPE = "application/problem+json"
NO_SERVICE = "tag:kn-ahead.dev,2026:unknown-service"
BAD_REQUEST = "tag:kn-ahead.dev,2026:invalid-request"
LONGEST_INSTANCE = 2048  # characters
NEIGHBOURS = 50  # names compared for the nearest: bounds the work that an unknown name costs


class Problem(ApiAnswer):
    """Problem details, RFC 9457."""

    type: str = Field(
        default="about:blank", description="Which kind of problem; about:blank = as title"
    )
    title: str
    status: int
    detail: str
    instance: str = Field(description="The path that was asked for")

    example: ClassVar = {
        "type": NO_SERVICE,
        "title": "Unknown service",
        "status": 404,
        "detail": "service 'shop/crat' is unknown; nearest of 137 known: 'shop/cart'",
        "instance": "/v1/forecasts/shop/crat",
    }


class UnknownServiceError(Exception):
    """A request for a service that is not known."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        nearest = ", ".join(repr(near) for near in _nearest(name, known))
        hint = f"nearest of {len(known)} known: {nearest}" if nearest else f"known are {len(known)}"
        super().__init__(f"service {name!r} is unknown; {hint}")


def _nearest(name: str, known: Sequence[str]) -> list[str]:
    """Up to three similar names among alphabetical neighbours. known: sorted."""
    here = bisect(known, name)
    return get_close_matches(name, known[max(0, here - NEIGHBOURS // 2) :][:NEIGHBOURS])


def install(app: FastAPI) -> None:
    """Answer every error of the app with problem details."""
    app.add_exception_handler(UnknownServiceError, _unknown_service)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _as_titled)
    app.add_exception_handler(Exception, _broken)


def documented(status: HTTPStatus, **example: Any) -> dict[int | str, dict[str, Any]]:
    """An entry of a route's `responses` for an error status."""
    shown = {**Problem.example, "status": int(status), **example}
    content = {"schema": {"$ref": f"#/components/schemas/{Problem.__name__}"}, "example": shown}
    return {int(status): {"description": shown["title"], "content": {MEDIA_TYPE: content}}}


def _unknown_service(request: Request, error: Exception) -> JSONResponse:
    return problem(
        request, HTTPStatus.NOT_FOUND, str(error), kind=NO_SERVICE, title="Unknown service"
    )


def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    faults = (
        f"{'.'.join(map(str, e['loc']))} is {e.get('input')!r:.80}: {e['msg']}"
        for e in error.errors()
    )
    return problem(
        request,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "; ".join(faults),
        kind=BAD_REQUEST,
        title="Invalid request",
    )


def _as_titled(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    allowed = (error.headers or {}).get("Allow")
    path = request.scope["path"][:LONGEST_INSTANCE]
    details = {
        HTTPStatus.NOT_FOUND: f"path {path!r} is unknown; /docs lists those there are",
        HTTPStatus.METHOD_NOT_ALLOWED: f"method {request.method!r} is not for this path; "
        f"allowed: {allowed}",
    }
    return problem(request, status, details.get(status, error.detail), headers=error.headers)


def _broken(request: Request, error: Exception) -> JSONResponse:
    # Details are in the log only: they may be confidential.
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    return problem(request, status, f"{type(error).__name__}; the log of the autoscaler has it")


def problem(
    request: Request,
    status: HTTPStatus,
    detail: str,
    *,
    kind: str = "about:blank",
    title: str = "",
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """An error as problem details."""
    body = Problem(
        type=kind,
        title=title or status.phrase,
        status=int(status),
        detail=detail,
        instance=request.scope["path"][:LONGEST_INSTANCE],
    )
    return JSONResponse(body.model_dump(), int(status), headers=headers, media_type=MEDIA_TYPE)
