"""Health of a process: which parts are faulty, why, and since when.

A fault is logged when it begins and when it ends; in between it is shown.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from autoscaler.logs import get_logger

FORECASTS = "forecasts"

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A part that does not work."""

    part: str
    why: str
    since_s: float  # Unix s

    def __str__(self) -> str:
        """One line."""
        return f"{self.part} since {shown_time(self.since_s)}: {self.why}"


def _ignore(part: str, why: str) -> None:
    """No callback."""


class Health:
    """The parts that report, and the fault of each; may be read from any thread."""

    def __init__(self, on_turn: Callable[[str, str], None] = _ignore) -> None:
        """on_turn: called with part and fault when a fault begins, and with "" when it ends."""
        self._on_turn = on_turn
        # Replaced, never changed, as other threads read it. None = no fault.
        self.by_part: Mapping[str, Fault | None] = {}

    def report(self, part: str, why: str, now: float) -> bool:
        """Report the state of a part; returns whether a fault has just begun or ended.

        why: the fault in one line; "" = none. now: Unix s.
        """
        former = self.by_part.get(part)
        if part in self.by_part and why == (former.why if former else ""):
            return False
        fault = Fault(part=part, why=why, since_s=now) if why else None
        if former and fault:
            fault = replace(fault, since_s=former.since_s)
        elif fault:
            log.warning("unhealthy", part=part, why=why)
        elif former:
            log.info("healthy again", part=part, after_s=round(now - former.since_s))
        self.by_part = {**self.by_part, part: fault}
        turned = bool(former) != bool(fault)
        if turned:
            self._on_turn(part, why)
        return turned

    def present(self) -> list[Fault]:
        """The present faults."""
        return [fault for fault in self.by_part.values() if fault]


def shown_time(seconds: float) -> str:
    """Unix s as ISO 8601 in UTC."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
