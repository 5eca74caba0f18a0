"""How long to wait before something that failed is tried again."""

import random

WORTH = 10  # times as long as the next wait something has to go well, to be tried at once again


class Backoff:
    """Twice as long after each failure, with jitter; never before the other side wants us back."""

    def __init__(self, shortest_s: float, longest_s: float) -> None:
        self._shortest_s, self._longest_s = shortest_s, longest_s
        self.failures = 0  # in a row
        self._next_s = shortest_s

    def failed(self, asked_s: float = 0.0) -> float:
        """It failed once more: s to wait. asked_s: that the other side asks for."""
        wait_s = self._next_s * random.uniform(0.5, 1.0)  # noqa: S311
        self._next_s = min(2 * self._next_s, self._longest_s)
        self.failures += 1
        return max(wait_s, asked_s)

    def worked(self, for_s: float) -> bool:
        """It went well for so long; whether that is enough for the next wait to be short again.

        Enough is ten times as long as it would wait now: what works for a moment, and fails again
        and again, is not tried more often for that.
        """
        enough = for_s >= WORTH * self._next_s
        if enough:
            self._next_s, self.failures = self._shortest_s, 0
        return enough
