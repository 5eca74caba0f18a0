"""Bodies of what became of a service of late."""

from datetime import datetime
from typing import ClassVar

from pydantic import Field

from autoscaler.api.answer import ApiAnswer
from autoscaler.api.answers import ChangeAnswer

_BEGIN = "2026-03-02T08:59:30Z"


class SampleAnswer(ApiAnswer):
    """The greatest of each within a sample; null = not known."""

    start: datetime
    demand: float | None = Field(
        description="Average over the stable window, in flight or per second as its metric says"
    )
    peak: float | None = Field(description="Requests in flight that pods have to be there for")
    knative: int | None = Field(
        description="Pods under Knative's rule: wanted where it is in force, else estimated"
    )
    ahead: int | None = Field(description="Pods under kn-ahead, likewise")
    ready: int | None = Field(description="Pods ready")
    p50: float | None = Field(
        description="Median of requests in flight at once, by the forecast in force at that time"
    )
    p99: float | None = Field(description="Their 99 % quantile")

    example: ClassVar = {
        "start": _BEGIN,
        "demand": 121.5,
        "peak": 133.0,
        "knative": 2,
        "ahead": 4,
        "ready": 4,
        "p50": 120.0,
        "p99": 380.0,
    }


class HistoryAnswer(ApiAnswer):
    """What became of a service of late, and what kn-ahead would have done where it is in shadow."""

    namespace: str
    service: str
    sample_s: float = Field(description="Length of a sample, s")
    samples: list[SampleAnswer] = Field(
        description="In order of time, of the last three hours; none of a time of which nothing is "
        "known, as before this process began"
    )
    would_change: list[ChangeAnswer] = Field(
        description="What kn-ahead would have wanted in shadow, newest first; the last 50 are kept"
    )

    example: ClassVar = {
        "namespace": "shop",
        "service": "cart",
        "sample_s": 30.0,
        "samples": [SampleAnswer.example],
        "would_change": [ChangeAnswer.example],
    }
