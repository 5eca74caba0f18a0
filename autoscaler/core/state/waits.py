"""Which requests of a service come together, and how long they take: who waits for a pod.

The law that reads it is in `autoscaler.core.prediction.missing`.
"""

from dataclasses import dataclass
from typing import Generic, TypeAlias

import numpy as np

from autoscaler.core.state.columns import Table
from autoscaler.core.state.revision import DTYPES, F
from autoscaler.core.types import BoolArray, FloatArray, IntArray

CASES = 50  # that are remembered: older ones count less and less
FORGET_CASES = 1.0 - 1.0 / CASES  # of them, at each one
FORGET = 0.99  # of how long requests took, at each one
LEAST_S, MOST_S = 0.001, 3600.0  # of a mean service time


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits(Generic[F]):
    """Of one service, whether or not pods were ready."""

    since_s: F  # Unix s of the last case: a call after idleness; NaN = none was seen
    cases: F  # of late
    requests: F  # of these: the call, and those that came within a lead of it
    served_s: F  # s that requests took, of late, without waiting; one of a second at the beginning
    served: F  # how many these were


WaitsArrays: TypeAlias = Waits[FloatArray]
NONE_WAITED: Waits[float] = Waits(since_s=np.nan, cases=0.0, requests=0.0, served_s=1.0, served=1.0)


class WaitsTable(Table[WaitsArrays]):
    """Of all services, in their rows."""

    def __init__(self) -> None:
        super().__init__(Waits, DTYPES)

    def note(
        self,
        services: IntArray,
        now: FloatArray,
        requests: FloatArray,
        *,
        begins: BoolArray,
        lead_s: FloatArray,
    ) -> None:
        """Requests (k,) arrived at services (k,), some of them more than once, at Unix s (k,).

        begins: (k,) whether a service was idle before. lead_s: (k,) within which those that follow
        wait for the same pod.
        """
        waits = self.view
        begins = begins & ~self._within(services, now, lead_s)
        begun = np.unique(services[begins])
        waits.since_s[services[begins]] = now[begins]
        waits.cases[begun] = FORGET_CASES * waits.cases[begun] + 1.0
        waits.requests[begun] *= FORGET_CASES
        within = self._within(services, now, lead_s)
        np.add.at(waits.requests, services[within], requests[within])

    def _within(self, services: IntArray, now: FloatArray, lead_s: FloatArray) -> BoolArray:
        """(k,) whether it is less than a lead since the last case, on a clock that may jump."""
        ago_s = now - self.view.since_s[services]  # NaN, which compares False, if there was none
        return np.asarray((ago_s >= 0) & (ago_s <= lead_s))

    def note_served(self, services: IntArray, served_s: FloatArray, requests: FloatArray) -> None:
        """Of services (k,), some of them more than once: s that so many requests (k,) took."""
        waits = self.view
        forgotten = FORGET**requests
        np.multiply.at(waits.served_s, services, forgotten)
        np.multiply.at(waits.served, services, forgotten)
        np.add.at(waits.served_s, services, served_s)
        np.add.at(waits.served, services, requests)

    def service_time_s(self, services: IntArray) -> FloatArray:
        """(k,) mean s that a request of services (k,) takes, without waiting."""
        waits = self.view
        mean_s = waits.served_s[services] / np.maximum(waits.served[services], LEAST_S)
        return np.asarray(np.clip(mean_s, LEAST_S, MOST_S))
