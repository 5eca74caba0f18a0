"""Probes of kubelets: whether the process answers, and whether pods are decided."""

from http import HTTPStatus

from fastapi import APIRouter, Response

from autoscaler.advisor.read_model import ReadModel
from autoscaler.api.answers import HealthAnswer, ReadyAnswer
from autoscaler.clock import Clock

_NOT_YET = ["no decision was made yet"]


def router(model: ReadModel, clock: Clock) -> APIRouter:
    """Probes over a read model; the clock gives its age."""
    routes = APIRouter()

    @routes.get("/healthz", tags=["health"])
    async def health() -> HealthAnswer:
        """Whether the process answers."""
        return HealthAnswer()

    @routes.get(
        "/readyz",
        tags=["health"],
        responses={
            503: {
                "model": ReadyAnswer,
                "description": "Nothing is decided: not yet, or not any more",
                "content": {"application/json": {"example": {"ready": False, "detail": _NOT_YET}}},
            },
        },
    )
    async def readiness(response: Response) -> ReadyAnswer:
        """Whether pods are being decided. Degraded (Knative's own answer, exactly) is ready too."""
        state = model.readiness(clock.now())
        if state.ready:
            return ReadyAnswer(ready=True, detail=list(state.degraded))
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
        return ReadyAnswer(ready=False, detail=[state.missing, *state.degraded])

    return routes
