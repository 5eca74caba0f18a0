"""The paths that programs ask: health, services, forecasts, decisions, dependencies."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from autoscaler.api import dependencies as pulls
from autoscaler.api import readings
from autoscaler.api.answers import Decisions, Dependencies, Forecast, Health, Ready, Services
from autoscaler.api.problems import BAD_REQUEST, UnknownServiceError, documented
from autoscaler.board import Board
from autoscaler.clock import Clock

Namespace = Annotated[str, Path(max_length=253, description="Kubernetes namespace")]
ServiceName = Annotated[str, Path(max_length=253, description="Name of the Knative service")]
Limit = Annotated[int, Query(ge=1, le=1000, description="Entries on a page")]
Offset = Annotated[int, Query(ge=0, description="Entries before the page")]
Either = Annotated[
    str | None,
    Query(max_length=507, description="Only what leads to this namespace/service, or from it"),
]
Direct = Annotated[bool | None, Query(description="Only what is direct, or is not")]

_UNKNOWN = documented(HTTPStatus.NOT_FOUND)
_INVALID = documented(
    HTTPStatus.UNPROCESSABLE_ENTITY,
    type=BAD_REQUEST,
    title="Invalid request",
    detail="query.limit is '0': Input should be greater than or equal to 1",
    instance="/v1/services",
)


def router(board: Board, clock: Clock) -> APIRouter:
    """Routes over a board.

    Handlers never wait, so they are `async` and need no thread; only a page of a thousand services
    takes long enough (0.1 s) to be given one.
    """
    routes = APIRouter()

    @routes.get("/healthz", tags=["health"])
    async def health() -> Health:
        """Whether the process answers."""
        return Health()

    @routes.get(
        "/readyz",
        tags=["health"],
        responses={
            503: {
                "model": Ready,
                "description": "Nothing is decided: not yet, or not any more",
                "content": {"application/json": {"example": {"ready": False, "detail": _NOT_YET}}},
            },
        },
    )
    async def readiness(response: Response) -> Ready:
        """Whether pods are being decided. Degraded (Knative's own answer, exactly) is ready too."""
        state = board.readiness(clock.now())
        if state.ready:
            return Ready(ready=True, detail=list(state.degraded))
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
        return Ready(ready=False, detail=[state.missing, *state.degraded])

    @routes.get("/v1/services", tags=["services"], responses=_INVALID)
    def services(limit: Limit = 100, offset: Offset = 0) -> Services:
        """A page of the services in alphabetical order, each with its mode and desired scale."""
        return readings.services(board, limit=limit, offset=offset)

    @routes.get(
        "/v1/forecasts/{namespace}/{service}",
        tags=["services"],
        responses={**_UNKNOWN, **_INVALID},
    )
    async def forecast(namespace: Namespace, service: ServiceName) -> Forecast:
        """Quantiles of the peak demand (requests in flight at once) in each window ahead."""
        return readings.forecast(board, _known(board, namespace, service), now=clock.now())

    @routes.get(
        "/v1/decisions/{namespace}/{service}",
        tags=["services"],
        responses={**_UNKNOWN, **_INVALID},
    )
    async def decisions(namespace: Namespace, service: ServiceName) -> Decisions:
        """Pods wanted of each revision, the candidates that competed, and why, in a sentence."""
        return readings.decisions(board, _known(board, namespace, service))

    @routes.get(
        "/v1/dependencies",
        tags=["services"],
        responses={
            **documented(HTTPStatus.NOT_FOUND, instance="/v1/dependencies"),
            **_INVALID,
        },
    )
    def dependencies(
        service: Either = None, direct: Direct = None, limit: Limit = 100, offset: Offset = 0
    ) -> Dependencies:
        """Who pulls whom: learned from calls, read from a mesh or named in annotations."""
        edges = board.edges
        if service is not None and not (board.knows(service) or service in edges.services):
            raise UnknownServiceError(service, sorted({*board.services, *edges.services}))
        return pulls.dependencies(edges, service=service, direct=direct, limit=limit, offset=offset)

    return routes


_NOT_YET = ["no decision was made yet"]


def _known(board: Board, namespace: str, service: str) -> str:
    name = f"{namespace}/{service}"
    if not board.knows(name):
        raise UnknownServiceError(name, board.services)
    return name
