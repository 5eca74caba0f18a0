"""Signs of life of the learner: when its loop turned last, what it published, what it refused.

Whether the process has to be restarted is one question, and whether it publishes is another. One
that waits for a Prometheus which is gone is well: it asks again, and a restart would only lose what
it knows. It is stuck when its loop does not turn: no step began, no query was tried, no stage of a
fit was reached for so long as ten steps and the time between two fits together. A fit that takes
longer than that never keeps up.
"""

from collections.abc import Mapping

from autoscaler.clock import Clock, SystemClock
from autoscaler.limits import Limit, Refusals

STUCK_STEPS = 10


class LearnerStatus:
    """Written by the loop, read by whoever serves it."""

    def __init__(
        self, clock: Clock | None = None, *, step_s: float = 60.0, refit_s: float = 3600.0
    ) -> None:
        self._clock = clock or SystemClock()
        self._patience_s = STUCK_STEPS * step_s + refit_s
        self._beat_s = self._clock.now()
        self.refusals = Refusals()
        self.published_s: float | None = None  # Unix s; None = nothing yet
        self.quarantined: Mapping[str, str] = {}  # by service, at the last publication: why

    def now(self) -> float:
        """Unix s."""
        return self._clock.now()

    def beat(self) -> None:
        """The loop turns."""
        self._beat_s = self._clock.now()

    def published(self, quarantined: Mapping[str, str]) -> None:
        """Forecasts are out."""
        self.quarantined, self.published_s = quarantined, self._clock.now()

    def refuse(self, limit: Limit, who: str, n: int = 1) -> None:
        """A limit has bitten ``n`` times."""
        self.refusals.count(limit, who, self._clock.now(), n)

    def fault(self) -> str:
        """Why the process has to be restarted; "" = it lives."""
        silence_s = self._clock.now() - self._beat_s
        if silence_s <= self._patience_s:
            return ""
        return f"the loop has not turned for {silence_s:.0f} s; allowed: {self._patience_s:.0f}"
