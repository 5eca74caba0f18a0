"""What holds for all contenders of a benchmark."""

from dataclasses import dataclass, fields

import numpy as np

from autoscaler.errors import PermanentError

WARM_UP_S = 3600.0  # at the start of what is simulated, not counted: keep-alives fill up


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchSettings:
    """Settings of a benchmark."""

    fit_until: str = "10d"
    """End of the past: 10d or 36h after a trace's start, or an ISO time."""

    end: str = ""
    """End of what is simulated, likewise; "" = of the trace."""

    concurrency: int = 1
    """Requests in flight that one pod takes; 0 = no limit."""

    start_up_s: float = 5.0
    """From creating a pod until it is ready, s."""

    drain_s: float = 30.0
    """From letting a pod go until it is gone, s."""

    service_s: float = 0.2
    """Execution time of a request where a trace has none, s."""

    warm_up_s: float = WARM_UP_S
    """At the start of what is simulated, not counted, s."""

    step_s: float = 60.0
    """Of the demand that is planned by, s."""

    def __post_init__(self) -> None:
        """Check each number once."""
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name.endswith("_s") and not 0 <= value < np.inf:
                name = field.name.removesuffix("_s").replace("_", "-")
                raise PermanentError(f"{name} is {value:g}; allowed: seconds >= 0")
