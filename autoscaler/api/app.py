"""The wiring of the API: routes, pages, metrics and problems over one board."""

from collections.abc import Iterable
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from autoscaler.api import pages, problems, routes
from autoscaler.api.answers import Answer
from autoscaler.api.exposition import pieces
from autoscaler.board import Board
from autoscaler.clock import Clock
from autoscaler.telemetry import METRICS_EXAMPLE, BoardCollector


class _Api(FastAPI):
    """FastAPI, with each answer's example in the schema whole: its own way drops every null."""

    def openapi(self) -> dict[str, Any]:
        schema = super().openapi()
        examples = {answer.__name__: answer.example for answer in Answer.__subclasses__()}
        for path in schema["paths"].values():
            for response in path["get"]["responses"].values():
                for content in response["content"].values():
                    shape = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
                    if shape in examples:
                        content.setdefault("example", examples[shape])
        return schema


def create_app(board: Board, clock: Clock, collectors: Iterable[Collector] = ()) -> FastAPI:
    """The API over a board; the clock tells how old what hangs there is.

    collectors: of metrics beside the board's.
    """
    app = _Api(
        title="kn-ahead",
        version="1",
        description="What a predictive autoscaler for Knative forecasts and decides, and why. "
        "Durations are seconds, times ISO 8601 in UTC; what is not known is null. "
        "Errors are problem details (RFC 9457).",
        docs_url=None,  # FastAPI's own page loads its assets from elsewhere
        redoc_url=None,
        redirect_slashes=False,  # a name that ends in a slash is another one, and unknown
    )
    problems.install(app)
    app.include_router(routes.router(board, clock))
    app.include_router(pages.router(app, board, clock))

    registry = CollectorRegistry(auto_describe=False)
    for collector in (BoardCollector(board, clock), *collectors):
        registry.register(collector)

    # Not `async`: many revisions take long to print, and a thread keeps the others served.
    @app.get(
        "/metrics",
        tags=["health"],
        response_class=Response,
        responses={200: {"content": {"text/plain": {"example": METRICS_EXAMPLE}}}},
    )
    def metrics(request: Request) -> Response:
        """The decisions of every revision, and the age of the forecasts, for Prometheus."""
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return StreamingResponse(pieces(registry, encode), media_type=content_type)

    return app
