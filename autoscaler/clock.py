"""The only module that reads the clock: everything else takes ``now`` (Unix seconds)."""

import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> float:
        """Unix s."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> float:
        """Unix s."""
        return time.time()  # noqa: TID251


class SimulatedClock:
    """A clock that advances only when `advance` is called."""

    def __init__(self, start: float = 0.0) -> None:
        self._now = start

    def now(self) -> float:
        """Unix s."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move on by so many seconds, >= 0."""
        self._now += seconds
