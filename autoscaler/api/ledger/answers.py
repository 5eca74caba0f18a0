"""Bodies of the ledger's answers: both policies side by side, and what one of them saved.

One of the two is in force and observed, the other is estimated beside it: in mode `shadow`
kn-ahead's pods are, in `outward` and `full` those of Knative's rule; in `off` both are the same.
"""

from datetime import datetime
from typing import ClassVar

from pydantic import Field

from autoscaler.api.agreement_answers import IntervalAnswer
from autoscaler.api.answer import ApiAnswer
from autoscaler.api.answers import ModeName


class PolicyAnswer(ApiAnswer):
    """What one policy came to over a period."""

    cold_requests: float = Field(description="Requests that arrived while no pod was ready")
    cold_s: float = Field(description="s that these waited for a pod")
    pod_s: float = Field(description="s of pod, from creation to gone")
    pod_starts: float = Field(description="Pods that were created")

    example: ClassVar = {
        "cold_requests": 402.0,
        "cold_s": 1710.0,
        "pod_s": 655_200.0,
        "pod_starts": 380.0,
    }


class ComparisonAnswer(ApiAnswer):
    """Both policies over a period."""

    requests: float = Field(description="Requests that arrived")
    knative: PolicyAnswer
    ahead: PolicyAnswer
    saved_cold_requests: IntervalAnswer = Field(
        description="Cold requests of Knative's rule less those of kn-ahead"
    )
    more_pod_s: IntervalAnswer = Field(
        description="s of pod of kn-ahead less those of Knative's rule"
    )
    pod_ratio: IntervalAnswer | None = Field(
        description="s of pod of kn-ahead for each of Knative's rule, start-up and drain included, "
        "an estimate; null = that had none"
    )

    example: ClassVar = {
        "requests": 92_248.0,
        "knative": PolicyAnswer.example,
        "ahead": {"cold_requests": 90.0, "cold_s": 306.0, "pod_s": 669_960.0, "pod_starts": 344.0},
        "saved_cold_requests": IntervalAnswer.example,
        "more_pod_s": {"value": 14_760.0, "low": 11_000.0, "high": 18_520.0},
        "pod_ratio": {"value": 1.023, "low": 1.017, "high": 1.028},
    }


class LedgerPeriodAnswer(ApiAnswer):
    """One hour or day of UTC."""

    start: datetime
    end: datetime
    covered: float = Field(description="Share of it that is known, 0 to 1")
    comparison: ComparisonAnswer | None = Field(description="null = nothing of it is known")

    example: ClassVar = {
        "start": "2026-03-01T00:00:00Z",
        "end": "2026-03-02T00:00:00Z",
        "covered": 1.0,
        "comparison": ComparisonAnswer.example,
    }


class LedgerEntryAnswer(ApiAnswer):
    """One service over the period."""

    namespace: str
    service: str
    modes: list[ModeName] = Field(
        description="That it was in; what was saved in outward and full was, in shadow would be"
    )
    comparison: ComparisonAnswer

    example: ClassVar = {
        "namespace": "shop",
        "service": "cart",
        "modes": ["full"],
        "comparison": ComparisonAnswer.example,
    }


class LedgerAnswer(ApiAnswer):
    """All services, or those of a namespace, over a period; a page of them, most saved first."""

    start: datetime = Field(description="Of what is known of the period")
    end: datetime
    covered: float = Field(description="Share of the time between them that is known, 0 to 1")
    sentences: list[str] = Field(description="The same in words")
    comparison: ComparisonAnswer | None = Field(
        description="Of all services; null = nothing is known"
    )
    applied: ComparisonAnswer | None = Field(
        description="Of services while in outward or full, where kn-ahead was in force; null = none"
    )
    shadow: ComparisonAnswer | None = Field(
        description="Of services while in shadow, where Knative's rule was; null = none"
    )
    periods: list[LedgerPeriodAnswer] = Field(description="By hour or day, where asked for")
    total: int
    limit: int
    offset: int
    services: list[LedgerEntryAnswer]

    example: ClassVar = {
        "start": "2026-02-23T09:00:00Z",
        "end": "2026-03-02T09:00:00Z",
        "covered": 0.999,
        "sentences": [
            "In the last 7 days 312 cold requests were saved for 4.1 pod-hours more "
            "(95 %: 280 to 344)."
        ],
        "comparison": ComparisonAnswer.example,
        "applied": ComparisonAnswer.example,
        "shadow": None,
        "periods": [],
        "total": 1,
        "limit": 100,
        "offset": 0,
        "services": [LedgerEntryAnswer.example],
    }


class ServiceLedgerAnswer(ApiAnswer):
    """One service over a period, by hours or days."""

    namespace: str
    service: str
    modes: list[ModeName] = Field(
        description="That it was in; what was saved in outward and full was, in shadow would be"
    )
    start: datetime = Field(description="Of what is known of the period")
    end: datetime
    covered: float = Field(description="Share of the time between them that is known, 0 to 1")
    sentences: list[str] = Field(description="The same in words")
    comparison: ComparisonAnswer | None = Field(description="null = nothing is known")
    periods: list[LedgerPeriodAnswer]

    example: ClassVar = {
        "namespace": "shop",
        "service": "cart",
        "modes": ["full"],
        "start": "2026-02-23T09:00:00Z",
        "end": "2026-03-02T09:00:00Z",
        "covered": 0.999,
        "sentences": LedgerAnswer.example["sentences"],
        "comparison": ComparisonAnswer.example,
        "periods": [LedgerPeriodAnswer.example],
    }
