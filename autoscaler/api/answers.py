"""Bodies of the API's answers, each with the example that the documentation shows.

Durations are seconds, times ISO 8601 in UTC. What is not known is null, never a zero or a -1.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar, Literal

from pydantic import Field

from autoscaler.api.agreement_answers import (
    BillAnswer,
    ClusterBillAnswer,
    PromiseAnswer,
    WithdrawalAnswer,
)
from autoscaler.api.answer import ApiAnswer

ModeName = Literal["off", "shadow", "outward", "full"]
MODES: Mapping[ModeName, str] = {
    "off": "no forecast is asked",
    "shadow": "the forecast is shown, not applied",
    "outward": "the forecast may add pods to Knative's",
    "full": "the forecast may add pods, and let them go early",
}

_MADE = "2026-03-02T08:59:00Z"
_NOW = "2026-03-02T08:59:42Z"
_SENTENCE = "4 pods: the forecast finds 4 pods worth having (Knative alone: 2 pods)."


class HealthAnswer(ApiAnswer):
    """The process answers."""

    status: Literal["ok"] = "ok"

    example: ClassVar = {"status": "ok"}


class ReadyAnswer(ApiAnswer):
    """Whether pods are decided, and what keeps the answer at Knative's own."""

    ready: bool = Field(description="Decisions are being made")
    detail: list[str] = Field(description="What is missing or degraded; empty when all is well")

    example: ClassVar = {
        "ready": True,
        "detail": ["forecasts ended 75 s ago: deciding as Knative alone would"],
    }


class ServiceAnswer(ApiAnswer):
    """One service in the list."""

    namespace: str
    service: str
    has_forecast: bool
    model: str | None = Field(description="Which models forecast it, and how much each counts")
    modes: list[ModeName] = Field(description="What forecasts may do to its revisions")
    desired_scale: int | None = Field(description="Pods wanted, over its revisions")
    kpa: int | None = Field(
        description="Pods that Knative's own rule asks for, over its revisions; null = no data"
    )
    ready: int = Field(description="Pods ready, over its revisions")
    credit_s: float | None = Field(
        description="S of pod that its bills still pay for ahead of Knative, over its revisions; "
        "null = none has a bill"
    )
    revisions: int = Field(description="Revisions that are decided")
    reasons: list[str] = Field(description="The rules that determined the answers")
    forecast_made_at: datetime | None = Field(
        description="End of the newest demand that its forecast has seen; null = no forecast"
    )

    example: ClassVar = {
        "namespace": "shop",
        "service": "cart",
        "has_forecast": True,
        "model": "pooled 70 %, recency 20 %, prior 10 %",
        "modes": ["outward"],
        "desired_scale": 4,
        "kpa": 2,
        "ready": 2,
        "credit_s": 412.4,
        "revisions": 1,
        "reasons": ["FORECAST"],
        "forecast_made_at": _MADE,
    }


class ServicesAnswer(ApiAnswer):
    """A page of services, in alphabetical order."""

    total: int
    limit: int
    offset: int
    services: list[ServiceAnswer]

    example: ClassVar = {
        "total": 137,
        "limit": 1,
        "offset": 20,
        "services": [ServiceAnswer.example],
    }


class WindowAnswer(ApiAnswer):
    """The peak of demand in one window ahead: requests in flight at once, as quantiles."""

    start: datetime
    end: datetime
    probability_of_any: float = Field(description="That at least one request is in flight, 0 to 1")
    p50: float
    p90: float
    p95: float
    p99: float

    example: ClassVar = {
        "start": _MADE,
        "end": "2026-03-02T09:00:00Z",
        "probability_of_any": 0.98,
        "p50": 120.0,
        "p90": 240.0,
        "p95": 280.0,
        "p99": 380.0,
    }


class ForecastAnswer(ApiAnswer):
    """What is forecast of a service, or why nothing is."""

    namespace: str
    service: str
    reason: str | None = Field(description="Why no forecast is in force; null when one is")
    model: str | None = Field(description="Which models forecast it, and how much each counts")
    fitted_at: datetime | None = Field(
        description="End of the demand that the models were fitted on"
    )
    made_at: datetime | None = Field(description="End of the newest demand seen")
    windows: list[WindowAnswer]

    example: ClassVar = {
        "namespace": "shop",
        "service": "cart",
        "reason": None,
        "model": "pooled 70 %, recency 20 %, prior 10 %",
        "fitted_at": "2026-03-02T00:00:00Z",
        "made_at": _MADE,
        "windows": [WindowAnswer.example],
    }


class CandidatesAnswer(ApiAnswer):
    """The numbers of pods that competed, before bounds."""

    kpa: int | None = Field(description="By Knative's own rule; null = no data to decide on")
    predicted: int | None = Field(description="By the forecast and the price; null = no forecast")
    anticipated: int | None = Field(
        description="By calls of its upstreams; null = none asks for any"
    )
    together: int | None = Field(description="All together, as the mode allows")

    example: ClassVar = {"kpa": 2, "predicted": 4, "anticipated": None, "together": 4}


class AveragesAnswer(ApiAnswer):
    """Demand over all pods, in requests in flight or per second as the revision's metric says."""

    stable: float | None = Field(description="Over the stable window; null = no data")
    panic: float | None = Field(description="Over the panic window; null = no data")

    example: ClassVar = {"stable": 121.5, "panic": 130.25}


class DecisionAnswer(ApiAnswer):
    """The last decision for one revision."""

    revision: str
    decided_at: datetime
    mode: ModeName
    cold_price_s: float = Field(description="What a cold request is worth, in s of idle pod")
    requests_waiting: float = Field(
        description="Requests that wait where the first pod is missing, on average"
    )
    max_extra: float | None = Field(
        description="Most pod time ahead, of what Knative's rule wants, a fraction; null = no bill"
    )
    extra_allowance_s: float | None = Field(
        description="S of pod that its bill pays for beyond that, once; null = no bill"
    )
    credit_s: float | None = Field(
        description="S of pod that its bill still pays for ahead of Knative; null = no bill"
    )
    ready: int = Field(description="Pods ready")
    desired_scale: int | None = Field(description="Pods wanted; null = hold what there is")
    candidates: CandidatesAnswer
    averages: AveragesAnswer
    panicking: bool
    reason: str = Field(description="The rule that determined the answer")
    sentence: str

    example: ClassVar = {
        "revision": "cart-00003",
        "decided_at": _NOW,
        "mode": "outward",
        "cold_price_s": 600.0,
        "requests_waiting": 1.4,
        "max_extra": 0.2,
        "extra_allowance_s": 600.0,
        "credit_s": 412.4,
        "ready": 2,
        "desired_scale": 4,
        "candidates": CandidatesAnswer.example,
        "averages": AveragesAnswer.example,
        "panicking": False,
        "reason": "FORECAST",
        "sentence": _SENTENCE,
    }


class ChangeAnswer(ApiAnswer):
    """A decision that wanted another number of pods than the one before it."""

    at: datetime
    revision: str
    before: int | None = Field(description="Pods wanted before; null = none decided")
    desired_scale: int | None
    reason: str
    sentence: str

    example: ClassVar = {
        "at": _NOW,
        "revision": "cart-00003",
        "before": 2,
        "desired_scale": 4,
        "reason": "FORECAST",
        "sentence": _SENTENCE,
    }


class DecisionsAnswer(ApiAnswer):
    """What is decided for a service, revision by revision, and what changed of late."""

    namespace: str
    service: str
    promise: PromiseAnswer | None = Field(description="null = there is none")
    bill: BillAnswer | None = Field(description="null = there is none")
    cluster_bill: ClusterBillAnswer | None = Field(description="null = there is none")
    revisions: list[DecisionAnswer]
    withdrawn: WithdrawalAnswer | None = Field(description="Null: its forecast has its say")
    changes: list[ChangeAnswer] = Field(description="Newest first; the last 50 are kept")

    example: ClassVar = {
        "namespace": "shop",
        "service": "cart",
        "promise": PromiseAnswer.example,
        "bill": BillAnswer.example,
        "cluster_bill": ClusterBillAnswer.example,
        "revisions": [DecisionAnswer.example],
        "withdrawn": None,
        "changes": [ChangeAnswer.example],
    }
