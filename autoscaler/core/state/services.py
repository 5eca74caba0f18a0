"""The services of a fleet, and what is known of each, whatever revisions it has.

Traffic, forecasts and dependencies are of services; pods and decisions of revisions. A service has
a row while at least one of its revisions is in the fleet.
Rows are always 0 ... n - 1, as in the fleet.
"""

from bisect import bisect_left
from dataclasses import dataclass
from typing import Any, Generic

import numpy as np
import numpy.typing as npt

from autoscaler.core.names import name_id
from autoscaler.core.state.account import NOTHING_COUNTED, Account, AccountArrays
from autoscaler.core.state.columns import Column, Table
from autoscaler.core.state.rate_history import RateHistory
from autoscaler.core.state.revision import DTYPES, F, I
from autoscaler.core.state.waits import NONE_WAITED, WaitsTable
from autoscaler.core.types import BoolArray, FloatArray, IntArray

PARTS = ("scheduled", "started", "ready", "total")  # of a pod's start
BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
IDLE_S = 60.0  # s without a call after which a service counts as idle, and its next call as a start
LOAD_S = 5  # s over which load is averaged: about a start-up
PEAK_S = 15  # s that a peak is shown: a common scrape interval of Prometheus
SHORT_PEAK_S = 5  # s likewise, where Prometheus scrapes as often, for learners of short steps


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls(Generic[F, I]):
    """What is known of one service's calls."""

    id: I  # `name_id` of its key
    revisions: I  # of it in the fleet
    last_call_s: F  # Unix s; NaN = none was seen
    last_start_s: F  # Unix s of the last call that came after idleness; NaN = none was seen
    requests: F  # that arrived
    cold: F  # of these, that arrived while no pod was ready
    seconds: I  # counted


CallsArrays = Calls[FloatArray, IntArray]


class Services:
    """All services, in rows."""

    def __init__(self) -> None:
        self.keys: list[str] = []  # row -> "namespace/service"
        self._rows: dict[str, int] = {}  # and back
        self._calls: Table[CallsArrays] = Table(Calls, DTYPES)
        self._account: Table[AccountArrays] = Table(Account, DTYPES)
        self.waits = WaitsTable()
        self._seconds = Column(np.float64, (PEAK_S,))  # in flight, a ring of one-second averages
        self._loads = Column(np.float64, (PEAK_S,))  # likewise, of `load`
        self._n_seconds = 0  # counted so far
        self._starts = Column(np.int32, (len(PARTS),))
        self._starts_s = Column(np.float64, (len(PARTS),))
        self._drains = Column(np.int32)
        self._drains_s = Column(np.float64)
        self._scrapes = Column(np.int32, (len(BOUNDS_S) + 1,))
        self._scrapes_s = Column(np.float64)
        self.rates = RateHistory()

    def __len__(self) -> int:
        return len(self.keys)

    def __contains__(self, key: str) -> bool:
        return key in self._rows

    def row(self, key: str) -> int:
        """The row of a service; KeyError where there is none."""
        return self._rows[key]

    @property
    def calls(self) -> CallsArrays:
        """(n,) each."""
        return self._calls.view

    @property
    def account(self) -> AccountArrays:
        """(n,) each."""
        return self._account.view

    @property
    def peak(self) -> FloatArray:
        """(n,) greatest load, in flight, of the last `PEAK_S` seconds."""
        return np.asarray(self._loads.values.max(axis=0, initial=0.0))

    @property
    def short_peak(self) -> FloatArray:
        """(n,) likewise, of the last `SHORT_PEAK_S` seconds."""
        last = (self._n_seconds - 1 - np.arange(SHORT_PEAK_S)) % PEAK_S
        return np.asarray(self._loads.values[last].max(axis=0, initial=0.0))

    @property
    def in_flight(self) -> FloatArray:
        """(n,) mean in flight over the last `PEAK_S` seconds, or those since it was first seen."""
        seconds = np.clip(self.calls.seconds, 1, PEAK_S)
        return np.asarray(self._seconds.values.sum(axis=0) / seconds)

    @property
    def starts(self) -> npt.NDArray[np.int32]:
        """(n_parts, n) starts of pods that were measured, by part of the start."""
        return self._starts.values

    @property
    def starts_s(self) -> FloatArray:
        """(n_parts, n) their total duration, s."""
        return self._starts_s.values

    @property
    def drains(self) -> npt.NDArray[np.int32]:
        """(n,) drains of pods that were measured."""
        return self._drains.values

    @property
    def drains_s(self) -> FloatArray:
        """(n,) their total duration, s."""
        return self._drains_s.values

    @property
    def scrapes(self) -> npt.NDArray[np.int32]:
        """(n_bounds + 1, n) scrapes by duration: up to each bound, and longer."""
        return self._scrapes.values

    @property
    def scrapes_s(self) -> FloatArray:
        """(n,) their total duration, s."""
        return self._scrapes_s.values

    @property
    def nbytes(self) -> int:
        """Memory held, bytes."""
        tables = self._calls.nbytes + self._account.nbytes + self.waits.nbytes + self.rates.nbytes
        return tables + sum(column.nbytes for column in self._columns)

    @property
    def _columns(self) -> tuple[Column[Any], ...]:
        return (
            *(self._seconds, self._loads, self._starts, self._starts_s),
            *(self._drains, self._drains_s, self._scrapes, self._scrapes_s),
        )

    def join(self, key: str) -> int:
        """Add a revision to a service, which is created with its first one; returns its row."""
        row = self._rows.get(key)
        if row is None:
            row = self._rows[key] = len(self.keys)
            self.keys.append(key)
            self._calls.append([_never_called(key)])
            self._account.append([NOTHING_COUNTED])
            self.waits.append([NONE_WAITED])
            for column in self._columns:
                column.append(np.zeros((*column.values.shape[:-1], 1)))
            self.rates.append(1)
        self.calls.revisions[row] += 1
        return row

    def leave(self, row: int) -> bool:
        """Remove a revision; returns whether the service went, and the last one took its row."""
        self.calls.revisions[row] -= 1
        if self.calls.revisions[row]:
            return False
        self._calls.remove(row)
        self._account.remove(row)
        self.waits.remove(row)
        self.rates.remove(row)
        for column in self._columns:
            column.remove(row)
        del self._rows[self.keys[row]]
        last = self.keys.pop()
        if row < len(self.keys):
            self.keys[row], self._rows[last] = last, row
        return True

    def note_calls(self, services: IntArray, now: FloatArray, at_zero: BoolArray) -> BoolArray:
        """Requests arrived at services (k,), some of them more than once, at Unix s (k,).

        at_zero: (k,) those at zero: they were idle, however short. Returns (k,) which were idle.
        """
        calls = self.calls
        # Never called is NaN, which compares False, and counts as idle.
        idle = at_zero | ~(now - calls.last_call_s[services] < IDLE_S)
        calls.last_start_s[services[idle]] = now[idle]
        calls.last_call_s[services] = now
        return np.asarray(idle)

    def note_start(self, service: int, part: str, seconds: float) -> None:
        """Count the duration of one part of a pod's start, s."""
        at = PARTS.index(part)
        self.starts[at, service] += 1
        self.starts_s[at, service] += seconds

    def note_drain(self, service: int, seconds: float) -> None:
        """Count the duration of a pod's drain, s."""
        self.drains[service] += 1
        self.drains_s[service] += seconds

    def note_scrape(self, service: int, seconds: float) -> None:
        """Count the duration of a scrape of one of a service's revisions, s."""
        self.scrapes[bisect_left(BOUNDS_S, seconds), service] += 1
        self.scrapes_s[service] += seconds

    def count_second(self, in_flight: FloatArray, requests: FloatArray) -> None:
        """Count a complete second: (n,) average in flight, (n,) requests."""
        self.calls.requests[:] += requests
        self.calls.seconds[:] += 1
        self._seconds.values[self._n_seconds % PEAK_S] = in_flight
        last = (self._n_seconds - np.arange(LOAD_S)) % PEAK_S
        mean = self._seconds.values[last].sum(axis=0) / LOAD_S
        self._loads.values[self._n_seconds % PEAK_S] = load(in_flight, mean)
        self._n_seconds += 1


def load(in_flight: FloatArray, mean: FloatArray) -> FloatArray:
    """What pods have to be there for, in requests in flight, of any shape.

    in_flight: average of a second. mean: of the `LOAD_S` that end with it. A pod level that is
    missing for less than that makes nobody wait for a pod: before one could be ready, those there
    are have worked off what queued. A first request needs one however short it is, and a second
    without any needs none.
    """
    # A sum of parts that make up one pod's work is not above it by rounding.
    return np.asarray(np.minimum(in_flight, np.round(mean, 6)))


def _never_called(key: str) -> Calls[float, int]:
    return Calls(
        id=name_id(key),
        revisions=0,
        last_call_s=np.nan,
        last_start_s=np.nan,
        requests=0.0,
        cold=0.0,
        seconds=0,
    )
