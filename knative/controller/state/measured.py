"""The last times that were measured of each service, bounded."""

from array import array

import numpy as np

from autoscaler.core.types import FloatArray

STORED = 50  # times of each service


class MeasuredTimes:
    """The last times of each service, s."""

    def __init__(self) -> None:
        self._last: dict[str, array[float]] = {}  # by service, the oldest first

    def add(self, service: str, seconds: float) -> None:
        """Add a time, s."""
        last = self._last.setdefault(service, array("d"))
        last.append(seconds)
        if len(last) > STORED:
            del last[0]

    def forget(self, service: str) -> None:
        """A service was deleted."""
        self._last.pop(service, None)

    def ascending(self, service: str) -> FloatArray:
        """(n,) the service's times; n = 0 until one was measured."""
        return np.sort(np.array(self._last.get(service, ()), dtype=np.float64))
