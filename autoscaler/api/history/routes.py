"""The route of what became of a service of late."""

from functools import partial

from fastapi import APIRouter, Response

from autoscaler.advisor.read_model import ReadModel
from autoscaler.api.history.answers import HistoryAnswer
from autoscaler.api.history.readings import history
from autoscaler.api.rendering import Renderer
from autoscaler.api.routes import INVALID, UNKNOWN, Namespace, ServiceName, known, rendered


def router(model: ReadModel, renderer: Renderer) -> APIRouter:
    """Routes over a read model; answers are made by the renderer."""
    routes = APIRouter()

    @routes.get(
        "/v1/history/{namespace}/{service}",
        tags=["services"],
        responses={**UNKNOWN, **INVALID},
        response_model=HistoryAnswer,
    )
    async def service_history(namespace: Namespace, service: ServiceName) -> Response:
        """Demand, its forecast and the pods of both policies of the last three hours."""
        name = known(model, namespace, service)
        make = partial(history, model, name)
        return await rendered(model.version, renderer, ("history", name), make)

    return routes
