"""The learner's status: its last heartbeat, what it published, what it refused.

Liveness is apart from publishing. A learner that waits for a Prometheus which is gone is live: it
retries, and a restart would only lose its models. It is stuck when no step began, no query was
tried and no stage of a fit was reached for ten steps and the time between two fits together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from autoscaler.clock import Clock, SystemClock
from autoscaler.limits import Limit
from autoscaler.refusals import Refusals

STUCK_STEPS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """What came of forecasts of about the same probability; old ones weigh less."""

    window_end_s: float  # s ahead
    probability_to: float  # greatest probability that is meant
    number: float  # of forecasts
    came: float  # of them, those after which the level was needed


class LearnerStatus:
    """Written by the loop, read by the server's thread."""

    def __init__(
        self, clock: Clock | None = None, *, step_s: float = 60.0, refit_s: float = 3600.0
    ) -> None:
        self._clock = clock or SystemClock()
        self._timeout_s = STUCK_STEPS * step_s + refit_s
        self._heartbeat_s = self._clock.now()
        self.refusals = Refusals()
        self.published_s: float | None = None  # Unix s; None = nothing yet
        self.outcomes: Sequence[Outcomes] = ()  # of what was published
        self.quarantined: Mapping[str, str] = {}  # by service, at the last publication: why

    def now(self) -> float:
        """Unix s."""
        return self._clock.now()

    def heartbeat(self) -> None:
        """Note that the loop makes progress."""
        self._heartbeat_s = self._clock.now()

    def published(self, quarantined: Mapping[str, str]) -> None:
        """Note that forecasts were published."""
        self.quarantined, self.published_s = quarantined, self._clock.now()

    def refuse(self, limit: Limit, source: str, n: int = 1) -> None:
        """Count ``n`` refusals by a limit."""
        self.refusals.count(limit, source, self._clock.now(), n)

    def liveness_failure(self) -> str:
        """Why the process has to be restarted; "" = it is live."""
        since_s = self._clock.now() - self._heartbeat_s
        if since_s <= self._timeout_s:
            return ""
        return f"the loop has not turned for {since_s:.0f} s; allowed: {self._timeout_s:.0f}"
