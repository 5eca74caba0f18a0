"""Demand as the autoscaler sees it, second by second: what the learner will learn from.

Knative exports no demand by default, and what it exports is an average. We see every second of
every service anyway: requests are counted, and of the seconds' averages in flight the greatest and
the mean of the last `PEAK_S` are kept, so that a scraper that comes by every few seconds misses
nothing. Of services that sleep it is kept when they were called first after idleness, to the
fraction of a second: whose starts follow whose is what dependencies are learned from.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from autoscaler.core.fleet import LARGEST_SAMPLE, Fleet
from autoscaler.core.surge import IDLE_S
from autoscaler.core.types import BoolArray, FloatArray, IntArray

LATE_S = 2  # s that a statistic may come late and still be counted
PEAK_S = 15  # s that a crest is shown: Prometheus's usual scrape interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Metered:
    """One service's demand so far."""

    requests: float  # that arrived
    cold: float  # of these, that arrived while no pod was ready
    in_flight: float  # mean over the last seconds
    peak: float  # greatest average in flight of one of the last seconds
    called_s: float = np.nan  # Unix s of the last call; NaN = none was seen
    begun_s: float = np.nan  # Unix s of the last that came after idleness; NaN = none was seen


class DemandMeter(Mapping[str, Metered]):
    """Counts demand; a mapping by "namespace/service", which another thread may read."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}  # by service, place in the arrays
        self._requests: FloatArray = np.zeros(0)  # (n_services,)
        self._cold: FloatArray = np.zeros(0)  # (n_services,)
        self._crests: FloatArray = np.zeros((PEAK_S, 0))  # (PEAK_S, n_services) in flight, a ring
        self._peak: FloatArray = np.zeros(0)  # (n_services,)
        self._mean: FloatArray = np.zeros(0)  # (n_services,)
        self._called_s: FloatArray = np.zeros(0)  # (n_services,)
        self._begun_s: FloatArray = np.zeros(0)  # (n_services,)
        self._first: IntArray = np.zeros(0, dtype=np.int64)  # (n_services,) turn it was known at
        self._turn = 0  # seconds counted
        self._next = -1  # second to be counted next
        self._of_row: Sequence[str] = ()  # whose places these are:
        self._place_of_row: IntArray = np.zeros(0, dtype=np.int64)

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._places))  # of one moment, while the loop goes on counting

    def __getitem__(self, service: str) -> Metered:
        place = self._places[service]
        return Metered(
            requests=float(self._requests[place]),
            cold=float(self._cold[place]),
            in_flight=float(self._mean[place]),
            peak=float(self._peak[place]),
            called_s=float(self._called_s[place]),
            begun_s=float(self._begun_s[place]),
        )

    def count(self, fleet: Fleet, service_of_row: Sequence[str], now: float) -> None:
        """Count the seconds that are complete by now and were not yet.

        service_of_row: (rows of the fleet,); the same object again means the same services.
        now: Unix s.
        """
        end = int(now) - LATE_S
        if self._next < 0 or end - self._next > PEAK_S:
            self._next = end
        if self._next >= end:
            return
        places = self._places_of(service_of_row)
        rows = np.arange(len(fleet))
        while self._next < end:
            samples = fleet.stable.at(rows, np.full(len(fleet), self._next))
            in_flight, requests = (self._by_service(places, kind) for kind in samples)
            self._requests += requests
            self._crests[self._turn % PEAK_S] = in_flight
            self._turn += 1
            self._next += 1
        self._peak = self._crests.max(axis=0)
        self._mean = self._crests.sum(axis=0) / np.clip(self._turn - self._first, 1, PEAK_S)

    def count_cold(self, service: str, requests: float) -> None:
        """Requests arrived at a service without a ready pod; what cannot be is left out."""
        if 0 < requests <= LARGEST_SAMPLE:  # NaN compares False
            self._know([service])
            self._cold[self._places[service]] += requests

    def called(
        self, service_of_row: Sequence[str], rows: IntArray, now: float, *, at_zero: BoolArray
    ) -> None:
        """Requests arrived at rows of the fleet at Unix s ``now``; see `count` for the services.

        at_zero: (n,) rows that were let go to zero: they slept, however short.
        """
        places = self._places_of(service_of_row)[rows]
        slept = at_zero | ~(now - self._called_s[places] < IDLE_S)  # never seen: it slept
        self._begun_s[places[slept]] = now
        self._called_s[places] = now

    def _by_service(self, places: IntArray, samples: FloatArray) -> FloatArray:
        """(n_services,) sums of (n_rows,) samples; a jitter below zero takes nothing from them."""
        sums = np.bincount(places, weights=np.maximum(samples, 0.0), minlength=len(self._places))
        return np.asarray(sums, dtype=np.float64)

    def _places_of(self, service_of_row: Sequence[str]) -> IntArray:
        if service_of_row is not self._of_row:
            self._know(service_of_row)
            self._of_row = service_of_row
            places = [self._places[service] for service in service_of_row]
            self._place_of_row = np.array(places, dtype=np.int64)
        return self._place_of_row

    def _know(self, services: Sequence[str]) -> None:
        new = [s for s in dict.fromkeys(services) if s not in self._places]
        if not new:
            return
        more = np.zeros(len(new))
        self._requests = np.append(self._requests, more)
        self._cold = np.append(self._cold, more)
        self._peak, self._mean = np.append(self._peak, more), np.append(self._mean, more)
        never = np.full(len(new), np.nan)
        self._called_s = np.append(self._called_s, never)
        self._begun_s = np.append(self._begun_s, never)
        self._crests = np.append(self._crests, np.zeros((PEAK_S, len(new))), axis=1)
        self._first = np.append(self._first, np.full(len(new), self._turn))
        # Last: whoever reads in another thread finds a place only when it is there.
        self._places.update({s: len(self._places) + i for i, s in enumerate(new)})
