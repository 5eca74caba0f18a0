"""Health: which part does not do its work, why, and since when.

A fault is logged once when it begins and once when it is over; in between it is shown.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

FORECASTS = "forecasts"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A part that does not do its work."""

    part: str
    why: str
    since_s: float  # Unix s

    def __str__(self) -> str:
        """The fault in one line."""
        return f"{self.part} since {shown_time(self.since_s)}: {self.why}"


def _ignore(part: str, why: str) -> None:
    """Nobody listens."""


class Health:
    """The parts that report, and the fault of each.

    Whoever reads, in whatever thread, holds a mapping that is replaced and never changed.
    """

    def __init__(self, turned: Callable[[str, str], None] = _ignore) -> None:
        """turned: hears of every fault that begins, and why; and that it ended, ""."""
        self._turned = turned
        self.by_part: Mapping[str, Fault | None] = {}  # None = it is well

    def say(self, part: str, why: str, now: float) -> bool:
        """Report how a part is; returns whether its fault has just begun or ended.

        why: one line; "" = it is well. now: Unix s.
        """
        former = self.by_part.get(part)
        if part in self.by_part and why == (former.why if former else ""):
            return False
        fault = Fault(part=part, why=why, since_s=now) if why else None
        if former and fault:
            fault = replace(fault, since_s=former.since_s)
        elif fault:
            log.warning("%s: %s", part, why)
        elif former:
            log.info("%s: well again after %.0f s", part, now - former.since_s)
        self.by_part = {**self.by_part, part: fault}
        turned = bool(former) != bool(fault)
        if turned:
            self._turned(part, why)
        return turned

    def present(self) -> list[Fault]:
        """The faults that there are."""
        return [fault for fault in self.by_part.values() if fault]


def shown_time(seconds: float) -> str:
    """Unix s as ISO 8601 in UTC."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
