"""Bodies of what a service is promised, what prediction may cost it, and what became of that."""

from datetime import datetime
from typing import ClassVar

from pydantic import Field

from autoscaler.api.answer import ApiAnswer


class IntervalAnswer(ApiAnswer):
    """A number, and bounds that hold it in 95 of 100 such periods.

    They are about traffic that might as well have fallen otherwise, by days of each service; how
    wrong the estimate of the policy that is not in force may be is not in them.
    """

    value: float
    low: float
    high: float

    example: ClassVar = {"value": 312.0, "low": 280.0, "high": 344.0}


class BillAnswer(ApiAnswer):
    """What prediction may cost a service, and what real pods came to."""

    max_extra: float = Field(
        description="Most pod time wanted ahead, of what Knative's rule wants, a fraction; the "
        "widest of its revisions"
    )
    pod_ratio: IntervalAnswer | None = Field(
        description="s of real pods for each of Knative's in the last 7 days, start-up and drain "
        "included, an estimate; null = nothing was counted while a forecast was applied"
    )
    sentence: str

    example: ClassVar = {
        "max_extra": 0.2,
        "pod_ratio": {"value": 1.07, "low": 1.03, "high": 1.12},
        "sentence": "Bill: at most 1.2 times what Knative wants, and an allowance; in the last 7 "
        "days 1.07 times in real pods, with start-up and drain (estimate, 95 %: 1.03 to 1.12).",
    }


class ClusterBillAnswer(ApiAnswer):
    """What prediction may cost all revisions together."""

    max_extra: float = Field(
        description="Most pod time wanted ahead, of what Knative's rule wants, a fraction"
    )
    left_s: float = Field(description="S of pod that it still pays for; below 0 = overdrawn")
    sentence: str

    example: ClassVar = {
        "max_extra": 0.1,
        "left_s": 3120.0,
        "sentence": "The cluster's bill: at most 1.1 times what Knative wants, for all together; "
        "3,120 s of pod are left.",
    }


class WithdrawalAnswer(ApiAnswer):
    """That a service's forecast is not applied, as the ledger shows that it loses."""

    since: datetime
    sentence: str = Field(description="What it cost and saved before that")

    example: ClassVar = {
        "since": "2026-03-02T09:00:00Z",
        "sentence": "Its forecast is withdrawn since 2026-03-02 09:00 UTC: in the 5 hours before, "
        "it took 50.0 pod-hours more than Knative alone and spared 5 requests a wait. It is still "
        "compared, and comes back once it would pay.",
    }


class AchievedAnswer(ApiAnswer):
    """What became of a promise, with bounds that hold it in 95 of 100 such periods."""

    hours: int = Field(description="In which requests were counted, the last 168 at most")
    requests: float
    rate: float = Field(description="Part of the requests that was cold, 0 to 1")
    low: float
    high: float
    more_pod_s_a_day: float = Field(description="s of pod a day beyond Knative's rule")

    example: ClassVar = {
        "hours": 168,
        "requests": 92_248.0,
        "rate": 0.0042,
        "low": 0.0031,
        "high": 0.0053,
        "more_pod_s_a_day": 11_160.0,
    }


class PromiseAnswer(ApiAnswer):
    """So many cold requests at most, the price that keeps that, and what was achieved."""

    max_cold_rate: float = Field(description="Promised, 0 to 1")
    cold_price_s: float = Field(description="What a cold request is worth now, in s of idle pod")
    achieved: AchievedAnswer | None = Field(description="null = no request was counted yet")
    missed: bool = Field(description="More was cold than promised, beyond chance")
    attainable: bool = Field(description="False where it is missed at the greatest price")
    sentence: str

    example: ClassVar = {
        "max_cold_rate": 0.005,
        "cold_price_s": 1240.0,
        "achieved": AchievedAnswer.example,
        "missed": False,
        "attainable": True,
        "sentence": "Of 100 requests 0.5 are promised to be cold at most; in 168 hours 0.42 were "
        "(95 %: 0.31 to 0.53), for 3.1 pod-hours a day more than Knative's.",
    }
