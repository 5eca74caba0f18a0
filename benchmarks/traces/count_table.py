"""What every reader of a public layout returns: counts and durations of services by step."""

from dataclasses import dataclass
from pathlib import Path

from autoscaler.core.types import FloatArray
from autoscaler.errors import PermanentError

MAX_VALUES = 300_000_000  # services x steps; 2.4 GB per array


@dataclass(frozen=True, slots=True, kw_only=True)
class CountTable:
    """Counts and durations of all services."""

    services: tuple[str, ...]  # (n,) "namespace/service"
    start_s: float  # Unix s, or s from the trace's own zero
    step_s: float  # s
    counts: FloatArray  # (n, n_steps) requests that began; NaN = not recorded
    duration_s: FloatArray  # (n, n_steps) mean execution time; NaN = none, or not recorded


def check_size(path: Path, n_services: int, n_steps: int) -> None:
    """Refuse a trace that is too large for memory by a PermanentError."""
    if n_services * n_steps > MAX_VALUES:
        raise PermanentError(
            f"{path} holds {n_services} services x {n_steps} steps;"
            f" allowed: {MAX_VALUES} values, so take fewer days or services"
        )


def service_name(name: str) -> str:
    """Names without a namespace are put into "default"."""
    return name if "/" in name else f"default/{name}"
