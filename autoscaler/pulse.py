"""The loop's pulse: when it ticked last, and how long ticks take."""

from bisect import bisect_left

BUCKETS_S = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)  # upper bounds


class Pulse:
    """Counts ticks; reads no clock."""

    def __init__(self) -> None:
        self.last_s: float | None = None  # Unix s; None = there was none
        self.counts = [0] * (len(BUCKETS_S) + 1)  # ticks by duration; the last has no upper bound
        self.sum_s = 0.0

    def beat(self, now: float, took_s: float) -> None:
        """A tick ended well. now: Unix s."""
        self.last_s = now
        self.counts[bisect_left(BUCKETS_S, took_s)] += 1
        self.sum_s += took_s

    def silence_s(self, now: float) -> float:
        """How long ago the last tick was, s; 0 = there was none yet. now: Unix s."""
        return 0.0 if self.last_s is None else now - self.last_s
