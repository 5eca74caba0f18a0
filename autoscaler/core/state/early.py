"""Pods that could go before Knative's rule lets them go, and whether they were missed.

The law that reads it is in `autoscaler.core.prediction.early`.
"""

from dataclasses import dataclass
from typing import Generic, TypeAlias

from autoscaler.core.state.revision import F, I
from autoscaler.core.types import FloatArray, IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Early(Generic[F, I]):
    """Of one revision: the case that is open, and how those before it ended."""

    left: I  # pods that would stand if the others went early; -1 = no case is open
    cases: F  # that ended of late
    back: F  # of these, in which Knative's rule wanted pods again that were to go
    missed: F  # of those, in which requests came that the pods left could not take


EarlyArrays: TypeAlias = Early[FloatArray, IntArray]
