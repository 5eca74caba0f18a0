"""Demand as the autoscaler sees it, second by second: what the learner will learn from.

Knative exports no demand by default, and what it exports is an average. We see every second of
every service anyway: requests are counted, and of the seconds' averages in flight the greatest of
the last `PEAK_S` is kept, so that a scraper that comes by every few seconds misses no crest.
"""

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from autoscaler.fleet import Fleet

LATE_S = 2  # s that a statistic may come late and still be counted
PEAK_S = 15  # s that a crest is shown: Prometheus's usual scrape interval


@dataclass(slots=True)
class Metered:
    """One service's demand so far."""

    requests: float = 0.0
    crests: deque[float] | None = None

    @property
    def peak(self) -> float:
        """Greatest average in flight of one of the last seconds."""
        return max(self.crests or (0.0,))


class DemandMeter:
    """Counts demand by service."""

    def __init__(self) -> None:
        self._metered: dict[str, Metered] = defaultdict(
            lambda: Metered(crests=deque(maxlen=PEAK_S))
        )
        self._next = -1  # second to be counted next

    def count(self, fleet: Fleet, service_of_row: Sequence[str], now: float) -> None:
        """Count the seconds that are complete by now and were not yet. now: Unix s."""
        end = int(now) - LATE_S
        if self._next < 0 or end - self._next > PEAK_S:
            self._next = end
        rows = np.arange(len(fleet))
        while self._next < end:
            in_flight, requests = fleet.stable.at(rows, np.full(len(fleet), self._next))
            self._add(service_of_row, in_flight.tolist(), requests.tolist())
            self._next += 1

    def _add(
        self, services: Sequence[str], in_flight: Sequence[float], requests: Sequence[float]
    ) -> None:
        crest: dict[str, float] = defaultdict(float)
        for service, load, came in zip(services, in_flight, requests, strict=True):
            crest[service] += max(load, 0.0)
            self._metered[service].requests += max(came, 0.0)
        for service, load in crest.items():
            crests = self._metered[service].crests
            assert crests is not None
            crests.append(load)

    def read(self) -> Mapping[str, Metered]:
        """By "namespace/service"."""
        return self._metered
