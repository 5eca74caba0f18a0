"""Bodies of the answers about dependencies."""

from datetime import datetime
from typing import ClassVar, Literal

from pydantic import Field

from autoscaler.api.answer import ApiAnswer

OriginName = Literal[
    "annotation",
    "istio",
    "prometheus",
    "learned from starts",
    "learned from counts",
    "unknown",
]

_MADE = "2026-03-02T08:59:00Z"


class DependencyAnswer(ApiAnswer):
    """An edge of the dependency graph: when the upstream is called, so is the downstream."""

    upstream: str = Field(description="namespace/service that is called first")
    downstream: str = Field(description="namespace/service that is called thereupon")
    lag_s: float | None = Field(description="From the call upstream to the call downstream, s")
    gain: float | None = Field(description="Calls downstream that a call upstream brings")
    probability: float | None = Field(
        description="That a call upstream is followed by one downstream, 0 to 1"
    )
    confidence: float | None = Field(description="That this is no coincidence, 0 to 1")
    evidence: float | None = Field(description="Observations, old ones counted less")
    seen_at: datetime | None = Field(description="When it was last observed")
    direct: bool = Field(description="No service in between explains it")
    together: bool = Field(
        default=False,
        description="Called together, in no order that could be told: both ways, and shown once",
    )
    origin: OriginName = Field(description="Where the edge comes from")
    not_acted_on: str | None = Field(
        description="Why it is not acted on; null = it is, or not known"
    )
    withdrawn: bool = Field(
        default=False, description="It is not acted on, as what it warned of did not come"
    )

    example: ClassVar = {
        "upstream": "shop/browse",
        "downstream": "shop/cart",
        "lag_s": 2.5,
        "gain": 1.2,
        "probability": 0.9,
        "confidence": 0.99,
        "evidence": 214.0,
        "seen_at": _MADE,
        "direct": True,
        "together": False,
        "origin": "learned from starts",
        "not_acted_on": None,
        "withdrawn": False,
    }


class DependenciesAnswer(ApiAnswer):
    """A page of dependencies, in alphabetical order."""

    total: int
    limit: int
    offset: int
    dependencies: list[DependencyAnswer]

    example: ClassVar = {
        "total": 12,
        "limit": 1,
        "offset": 0,
        "dependencies": [DependencyAnswer.example],
    }
