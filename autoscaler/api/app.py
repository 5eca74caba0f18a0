"""The wiring of the API: routes, pages, metrics and problems over one read model."""

from typing import Any

from fastapi import FastAPI

from autoscaler.advisor.read_model import ReadModel
from autoscaler.api import pages, probes, problems, routes
from autoscaler.api.answer import ApiAnswer
from autoscaler.api.authorization import Authorization, Authorize
from autoscaler.api.history import routes as history
from autoscaler.api.ledger import routes as ledger
from autoscaler.api.metrics import page as metrics
from autoscaler.api.pages import Front
from autoscaler.api.rendering import Renderer
from autoscaler.api.request_size import RequestSize
from autoscaler.clock import Clock
from autoscaler.refusals import Refusals


class _Api(FastAPI):
    """FastAPI, with each answer's whole example in the schema: FastAPI itself drops nulls.

    And with problem details as a component, so that a client made of it has one class for them.
    """

    def openapi(self) -> dict[str, Any]:
        schema = super().openapi()
        problem = problems.Problem
        schema["components"]["schemas"].setdefault(problem.__name__, problem.model_json_schema())
        examples = {answer.__name__: answer.example for answer in ApiAnswer.__subclasses__()}
        for path in schema["paths"].values():
            for response in path["get"]["responses"].values():
                for content in response["content"].values():
                    shape = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
                    if shape in examples:
                        content.setdefault("example", examples[shape])
        return schema


def create_app(
    model: ReadModel,
    clock: Clock,
    refusals: Refusals,
    authorize: Authorize | None = None,
    front: Front | None = None,
) -> FastAPI:
    """The API over a read model; the clock gives the age of what is in there.

    refusals: of this process. authorize: whether a token may read a path; None = all may. front:
    what surrounds the decisions on pages.
    """
    app = _Api(
        title="kn-ahead",
        version="1",
        description="What a predictive autoscaler for Knative forecasts and decides, and why. "
        "Durations are seconds, times ISO 8601 in UTC; what is not known is null. "
        "Errors are problem details (RFC 9457).",
        docs_url=None,  # FastAPI's own page loads its assets from elsewhere
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,  # names of functions in clients
        redirect_slashes=False,  # a name that ends in a slash is another one, and unknown
    )
    problems.install(app)
    renderer = Renderer()
    app.include_router(probes.router(model, clock))
    app.include_router(routes.router(model, clock, renderer))
    app.include_router(history.router(model, renderer))
    app.include_router(ledger.router(model, clock, renderer))
    app.include_router(pages.router(app, model, clock, renderer, front or Front()))
    app.include_router(metrics.router(model, clock, refusals, renderer))
    # The middleware added last runs first.
    if authorize is not None:
        app.add_middleware(Authorization, authorize=authorize)
    app.add_middleware(RequestSize, refusals=refusals, clock=clock)
    return app
