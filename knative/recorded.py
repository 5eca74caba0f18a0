"""What activators and queue-proxies report: into the fleet's windows, and into the meter.

Every second of every revision is seen here, once, whoever tells it.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from autoscaler.core.surge import starts
from autoscaler.core.types import FloatArray, IntArray
from knative.activators import ActivatorStat

if TYPE_CHECKING:
    from knative.seat import Seat

AHEAD_S = 5.0  # s that an activator's clock may be ahead; more would make all the others late


class Statistics:
    """Takes in statistics for the revisions of a seat."""

    def __init__(self, seat: "Seat") -> None:
        self._seat = seat

    def record(self, stats: Iterable[ActivatorStat]) -> list[str]:
        """Take in activators' statistics; returns keys that have to be decided at once."""
        seat, fleet, links = self._seat, self._seat.fleet, self._seat.links
        now = seat.clock.now()
        sums: dict[tuple[int, int], list[float]] = {}
        poked = []
        for stat in stats:
            if stat.key not in fleet:
                continue
            row = fleet.row(stat.key)
            second = stat.second if 0 < stat.second <= now + AHEAD_S else int(now)
            total = sums.setdefault((second, row), [0.0, 0.0])
            total[0] += stat.concurrency
            total[1] += stat.requests
            # Knative waits for a tick where nothing was decided yet: for who slept at its start.
            asleep = fleet.memory.kpa[row] <= 0
            if stat.concurrency > 0 and (asleep or starts(fleet, links, row, now)):
                poked.append(stat.key)
        for second in {second for second, _ in sums}:
            rows = np.array([row for at, row in sums if at == second])
            samples = np.array([sums[second, row] for row in rows.tolist()]).T
            fleet.record(rows, np.full(len(rows), second), samples)
            self._count_cold(rows, samples[1])
            self._note_calls(rows[samples.any(axis=0)])
        return poked

    def record_pods(self, key: str, concurrency: float, requests: float) -> None:
        """Take in what a revision's pods report together for the second that ended."""
        fleet = self._seat.fleet
        if key in fleet:
            row = np.array([fleet.row(key)])
            second = np.array([int(self._seat.clock.now())])
            fleet.record(row, second, np.array([[concurrency], [requests]]))
            if requests > 0:
                self._note_calls(row)

    def _note_calls(self, rows: IntArray) -> None:
        seat = self._seat
        at_zero = seat.fleet.memory.kpa[rows] == 0
        seat.meter.called(seat.services, rows, seat.clock.now(), at_zero=at_zero)

    def _count_cold(self, rows: IntArray, requests: FloatArray) -> None:
        """Requests that an activator holds because no pod is ready are cold.

        Its first word of a revision says one request, and that one is missing from its next: the
        sum over all it says is right.
        """
        seat = self._seat
        cold = (seat.fleet.seen.ready[rows] == 0) & (requests > 0)
        for row, came in zip(rows[cold].tolist(), requests[cold].tolist(), strict=True):
            seat.meter.count_cold(seat.services[row], came)
