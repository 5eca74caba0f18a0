"""Pods and requests under a virtual clock: the part of the simulator that is not the autoscaler.

Requests queue first come, first served, in front of a revision (Knative's activator), start when a
ready pod has a free slot, and run for their service time. Pods take their start-up time to become
ready, drain when they are told to go, and cost from creation to end. Time moves from event to
event, so waits are exact.

A request is **cold** when it waited and the pod that served it was not ready yet when it came (a
pod that was started ahead, but too late, makes a cold request as well); **from zero** when no pod
at all was ready then.
"""

from typing import Any

import numpy as np

from autoscaler.core.types import BoolArray, FloatArray, IntArray
from benchmarks.simulator.arrivals import Requests
from benchmarks.simulator.events import BINS, GONE, State, run, scale

ROOM_S = 300.0  # s of arrivals to make room for at a time
UNLIMITED = 2**31  # requests in flight that a pod without a limit takes


class Cluster:
    """All rows' pods and queues. A row is one service under one policy."""

    def __init__(
        self, requests: Requests, service: IntArray, *, concurrency: int, start_up_s: float
    ) -> None:
        """service: (n_rows,) whose requests a row gets. concurrency: of a pod; 0 = unlimited."""
        self._start_up_s = start_up_s
        self._room_until = -np.inf
        self.state = _empty(requests, service, concurrency)

    def begin(self, now: float) -> None:
        """Set the clocks; requests before Unix s ``now`` never come."""
        s = self.state
        s.clock[:] = now
        s.head[:] = s.next[:] = self._arrived(now)

    def run(self, until: float, rows: IntArray, poke: BoolArray) -> IntArray:
        """Let time pass until Unix s ``until``.

        poke: (n_rows,) rows that stop at their next arrival at no pod at all. Returns those that
        did; their clock stands at the arrival.
        """
        if until > self._room_until:
            self._room_until = until + ROOM_S
            self._make_room(self._room_until)
        run(self.state, rows, until, poke)
        return rows[self.state.poked[rows]]

    def look(self) -> tuple[FloatArray, FloatArray]:
        """(n_rows,) requests in the system summed over time, and requests come, since last."""
        s = self.state
        told = s.load_s.copy(), s.came.astype(np.float64)
        s.load_s[:] = 0.0
        s.came[:] = 0
        return told

    def scale(self, rows: IntArray, pods: IntArray) -> None:
        """Have so many pods per row, from each row's own present on."""
        if not len(rows):
            return
        draining = int(self.state.pod_drains.sum(axis=1).max(initial=0))
        needed = int(pods.max()) + draining
        if needed > self.state.pod_ready.shape[1]:
            self.state = _wider(self.state, needed, pod_ready=GONE, pod_load=0, pod_drains=0)
        scale(self.state, rows, pods, self._start_up_s)

    def ready(self) -> IntArray:
        """(n_rows,) pods ready and not on their way out."""
        s = self.state
        up = (s.pod_ready <= s.clock[:, None]) & ~s.pod_drains
        return np.asarray(up.sum(axis=1), dtype=np.int64)

    def reset_counts(self) -> None:
        """Begin to score: forget what was counted so far."""
        first = State._fields.index("requests")
        for column in self.state[first:]:
            column[:] = 0

    def _arrived(self, until: float) -> IntArray:
        """(n_rows,) index behind each row's last request before ``until``."""
        s = self.state
        spans = zip(s.next, s.end, strict=True)
        found = [a + np.searchsorted(s.arrival_s[a:end], until) for a, end in spans]
        return np.array(found, dtype=np.int64)

    def _make_room(self, until: float) -> None:
        """Room for everything that may be in flight at once before ``until``."""
        s = self.state
        room = s.finish.shape[1]
        if (s.n_running + s.end - s.head).max(initial=0) <= room:
            return
        needed = int((s.n_running + self._arrived(until) - s.head).max(initial=0))
        if needed > room:
            self.state = _wider(s, needed, finish=0.0, finish_pod=0)


def _empty(requests: Requests, service: IntArray, concurrency: int) -> State:
    n = len(service)
    first, end = requests.offset[service], requests.offset[service + 1]
    columns: dict[str, Any]
    zeros = {name: np.zeros(n, np.int64) for name in State._fields}
    seconds = ("clock", "load_s", "wait_s", "allocated_s", "busy_s")
    columns = zeros | {name: np.zeros(n) for name in seconds}
    columns |= {
        name: np.zeros((n, BINS), np.int64) for name in ("waits", "latencies", "cold_waits")
    }
    return State(
        **columns
        | {
            "arrival_s": requests.arrival_s,
            "service_s": requests.service_s,
            "end": end.copy(),
            "next": first.copy(),
            "head": first.copy(),
            "slots": np.full(n, concurrency or UNLIMITED),
            # Knative's activator takes the first free pod at a limit of three or less.
            "spread": np.full(n, not 1 <= concurrency <= 3),
            "pod_ready": np.full((n, 4), GONE),
            "pod_load": np.zeros((n, 4), np.int64),
            "pod_drains": np.zeros((n, 4), np.bool_),
            "next_ready": np.full(n, np.inf),
            "zero_since": np.full(n, -np.inf),
            "zero_until": np.full(n, np.inf),
            "finish": np.zeros((n, 16)),
            "finish_pod": np.zeros((n, 16), np.int64),
            "poked": np.zeros(n, np.bool_),
        }
    )


def _wider(state: State, needed: int, **fill: float) -> State:
    """The state with wider columns; doubling, so that growth stays rare."""
    wide = {}
    for name, value in fill.items():
        old = getattr(state, name)
        column = np.full((len(old), max(needed, 2 * old.shape[1])), value, dtype=old.dtype)
        column[:, : old.shape[1]] = old
        wide[name] = column
    return state._replace(**wide)
