"""How long ticks of the control loop take."""

from bisect import bisect_left

BUCKETS_S = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)  # upper bounds


class TickDurations:
    """A histogram of the durations of ticks that succeeded."""

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS_S) + 1)  # the last bucket has no upper bound
        self.sum_s = 0.0

    def add(self, took_s: float) -> None:
        """Count one tick of ``took_s`` seconds."""
        self.counts[bisect_left(BUCKETS_S, took_s)] += 1
        self.sum_s += took_s
