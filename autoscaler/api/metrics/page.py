"""The page of `/metrics`: metrics of a snapshot, made once, then those of the present moment."""

from collections.abc import Iterator

from fastapi import APIRouter, Request
from fastapi.responses import Response

from autoscaler.advisor.read_model import ReadModel
from autoscaler.api.bodies import streamed
from autoscaler.api.metrics import decisions, knative, process
from autoscaler.api.metrics.labels import Labels
from autoscaler.api.metrics.packed import Packed
from autoscaler.api.metrics.text import CONTENT_TYPE
from autoscaler.api.rendering import Renderer
from autoscaler.clock import Clock
from autoscaler.refusals import Refusals

EXAMPLE = """\
# HELP kn_ahead_desired_pods Pods wanted, after bounds
# TYPE kn_ahead_desired_pods gauge
kn_ahead_desired_pods{namespace="shop",revision="cart-00003",service="cart"} 4
"""


class Metrics:
    """Makes the part of the page that depends on the snapshot."""

    def __init__(self, model: ReadModel) -> None:
        self._model = model
        self.labels: Labels | None = None

    def packed(self) -> Packed:
        """All families with a sample a revision or a service, compressed."""
        return Packed.of(self.families())

    def families(self) -> Iterator[str]:
        """The text, a family at a time or less."""
        frame = self._model.frame
        if frame.snapshot is None:
            return
        labels = self.labels
        if labels is None or labels.made_from is not frame.named:
            labels = self.labels = Labels.of(frame)
        yield from decisions.of_revisions(frame.snapshot, labels)
        yield from decisions.of_services(frame.snapshot, labels)
        yield decisions.changes(self._model.changed)
        yield from knative.of_revisions(frame.snapshot, labels)
        yield from knative.of_scrapes(frame.snapshot, labels)


def router(model: ReadModel, clock: Clock, refusals: Refusals, renderer: Renderer) -> APIRouter:
    """The page over a read model. refusals: the advisor's own."""
    routes, metrics = APIRouter(), Metrics(model)

    @routes.get(
        "/metrics",
        tags=["health"],
        response_class=Response,
        responses={200: {"content": {"text/plain": {"example": EXAMPLE}}}},
    )
    async def page(request: Request) -> Response:
        """The decisions of every revision, and the health of the autoscaler, for Prometheus."""
        packed = await renderer.page("metrics", model.version, metrics.packed)
        end = "".join(process.of_both(model, refusals, clock))
        headers = {"Vary": "Accept-Encoding"}
        if takes_gzip(request.headers.get("Accept-Encoding", "")):
            headers["Content-Encoding"] = "gzip"
            pieces = packed.gzipped(end)
        else:
            pieces = packed.plain(end)
        return streamed(pieces, CONTENT_TYPE, headers)

    return routes


def takes_gzip(accepted: str) -> bool:
    """Whether a client accepts gzip, by its header Accept-Encoding."""
    for one in accepted.lower().split(","):
        coding, _, quality = one.partition(";")
        if coding.strip() == "gzip":
            return quality.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False
