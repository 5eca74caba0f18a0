"""Data of a report's figures: curves of policies, and services over time."""

from dataclasses import dataclass

from autoscaler.core.types import FloatArray
from autoscaler.errors import PermanentError


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A policy's memory and cold rate over values of its one setting; or single points."""

    name: str
    normalised_memory: FloatArray  # (n,) allocated / used memory; 1 is ideal
    cold_rate: FloatArray  # (n,) cold requests / requests
    labels: tuple[str, ...]  # (n,) the setting at each point
    line: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """One service over time, step_s apart."""

    service: str  # "namespace/service"
    start_s: float  # Unix s
    step_s: float
    peak: FloatArray  # (T,) requests in flight at once; NaN = gap
    band: tuple[tuple[float, FloatArray], ...]  # quantile, (T,) requests in flight; NaN = none
    pods: tuple[tuple[str, FloatArray], ...]  # policy, (T,) pods, mean over the step
    cold: tuple[tuple[str, FloatArray], ...]  # policy, (T,) cold requests

    def __post_init__(self) -> None:
        """Check the shapes."""
        lines = [("peak", self.peak), *self.pods, *self.cold]
        lines += [(f"quantile {q:g}", values) for q, values in self.band]
        for name, values in lines:
            if values.shape != (len(self.peak),) or not len(values):
                raise PermanentError(
                    f"timeline of {self.service!r}: {name} has shape {values.shape}; "
                    f"allowed: ({len(self.peak)},) as peak has, and at least one step"
                )
