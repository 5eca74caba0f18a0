"""Exponential back-off: how long to wait before what failed is tried again."""

import random

STEADY = 10  # times the next wait that something has to work before the waits start again


def next_wait_s(last_s: float, shortest_s: float, longest_s: float) -> float:
    """The wait after one more failure: twice the last one, within bounds. last_s: 0 = none yet.

    `autoscaler.core.control` has the same rule for arrays.
    """
    return min(max(2 * last_s, shortest_s), longest_s)


class Backoff:
    """Doubles the wait after each failure, with jitter; never less than a server's Retry-After."""

    def __init__(self, shortest_s: float, longest_s: float) -> None:
        self._shortest_s, self._longest_s = shortest_s, longest_s
        self.reset()

    def reset(self) -> None:
        """Start again with the shortest wait."""
        self.failures = 0  # in a row
        self._next_s = self._shortest_s

    def failed(self, retry_after_s: float = 0.0) -> float:
        """Count a failure; returns the s to wait. retry_after_s: that the server asks for."""
        wait_s = self._next_s * random.uniform(0.5, 1.0)  # noqa: S311
        self._next_s = next_wait_s(self._next_s, self._shortest_s, self._longest_s)
        self.failures += 1
        return max(wait_s, retry_after_s)

    def worked(self, for_s: float) -> bool:
        """It worked for so long: reset after `STEADY` times the next wait; returns whether it was.

        So what works for a moment and fails again is not tried more often for that.
        """
        steady = for_s >= STEADY * self._next_s
        if steady:
            self.reset()
        return steady
