"""Routes of the REST API: services, forecasts, decisions, dependencies."""

from collections.abc import Callable, Hashable
from functools import partial
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from autoscaler.advisor.read_model import ReadModel
from autoscaler.api import dependencies as edges
from autoscaler.api import readings
from autoscaler.api.answer import ApiAnswer
from autoscaler.api.answers import DecisionsAnswer, ForecastAnswer, ServicesAnswer
from autoscaler.api.bodies import body
from autoscaler.api.dependency_answers import DependenciesAnswer
from autoscaler.api.problems import BAD_REQUEST, UnknownServiceError, documented
from autoscaler.api.rendering import Renderer
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

UNKNOWN = documented(HTTPStatus.NOT_FOUND)
INVALID = documented(
    HTTPStatus.UNPROCESSABLE_ENTITY,
    type=BAD_REQUEST,
    title="Invalid request",
    detail="query.limit is '0': Input should be greater than or equal to 1",
    instance="/v1/services",
)


def router(model: ReadModel, clock: Clock, renderer: Renderer) -> APIRouter:
    """Routes over a read model; long answers are made by the renderer, outside the event loop."""
    routes = APIRouter()
    _add_services(routes, model, clock, renderer)
    _add_dependencies(routes, model, renderer)
    return routes


def _add_services(routes: APIRouter, model: ReadModel, clock: Clock, renderer: Renderer) -> None:
    @routes.get("/v1/services", tags=["services"], responses=INVALID, response_model=ServicesAnswer)
    async def services(limit: Limit = 100, offset: Offset = 0) -> Response:
        """A page of the services in alphabetical order, each with its mode and desired scale."""
        key = "services", limit, offset
        make = partial(readings.services, model, limit=limit, offset=offset)
        return await rendered(model.version, renderer, key, make)

    @routes.get(
        "/v1/forecasts/{namespace}/{service}",
        tags=["services"],
        responses={**UNKNOWN, **INVALID},
    )
    async def forecast(namespace: Namespace, service: ServiceName) -> ForecastAnswer:
        """Quantiles of the peak demand (requests in flight at once) in each window ahead."""
        return readings.forecast(model, known(model, namespace, service), now=clock.now())

    @routes.get(
        "/v1/decisions/{namespace}/{service}",
        tags=["services"],
        responses={**UNKNOWN, **INVALID},
        response_model=DecisionsAnswer,
    )
    async def decisions(namespace: Namespace, service: ServiceName) -> Response:
        """Pods wanted of each revision, the candidates that competed, and why, in a sentence."""
        name = known(model, namespace, service)
        make = partial(readings.decisions, model, name)
        return await rendered(model.version, renderer, ("decisions", name), make)


def _add_dependencies(routes: APIRouter, model: ReadModel, renderer: Renderer) -> None:
    @routes.get(
        "/v1/dependencies",
        tags=["services"],
        responses={
            **documented(HTTPStatus.NOT_FOUND, instance="/v1/dependencies"),
            **INVALID,
        },
        response_model=DependenciesAnswer,
    )
    async def dependencies(
        service: Either = None, direct: Direct = None, limit: Limit = 100, offset: Offset = 0
    ) -> Response:
        """Which services call which: learned, read from a mesh, or named in annotations."""
        listing = await edges.listing(model, renderer)
        if service is not None and not (model.knows(service) or service in listing):
            raise UnknownServiceError(service, await edges.names(model, renderer))

        def make() -> DependenciesAnswer:
            chosen = listing.all(direct=direct)
            if service is not None:
                chosen = listing.around([service], direct=direct)
            return edges.page(listing, chosen, limit=limit, offset=offset)

        key = "dependencies", service, direct, limit, offset
        return await rendered(model.version, renderer, key, make)


async def rendered(
    version: Hashable, renderer: Renderer, key: Hashable, make: Callable[[], ApiAnswer]
) -> Response:
    """An answer that is made once for all requests of one version of its source."""

    def encoded() -> bytes:
        return make().model_dump_json().encode()

    return body(await renderer.page(key, version, encoded), "application/json")


def known(model: ReadModel, namespace: str, service: str) -> str:
    """The name of a service. Raises UnknownServiceError."""
    name = f"{namespace}/{service}"
    if not model.knows(name):
        raise UnknownServiceError(name, model.services)
    return name
