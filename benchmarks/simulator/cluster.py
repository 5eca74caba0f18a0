"""Pods and requests under a simulated clock: everything in the simulator but the autoscaler.

Requests queue first in, first out, in front of a revision (Knative's activator), start when a ready
pod has a free slot, and run for their service time. Pods become ready after their start-up time. A
pod that is scaled away, ready or still starting, takes no more requests; it is gone when its drain
is over and its last request has finished, and costs from creation until then. The simulation is
event by event, so waits are exact.

A request is **cold** when it waited and the pod that served it was not ready when it arrived (also
where that pod was started ahead, but too late); **from zero** when no pod at all was ready then.
"""

from typing import Any

import numpy as np

from autoscaler.core.state.fleet import ALL, Rows
from autoscaler.core.types import BoolArray, FloatArray, IntArray
from benchmarks.simulator.arrivals import Requests
from benchmarks.simulator.events import (
    COUNTED,
    NO_POD,
    State,
    most_draining,
    next_events,
    pass_seconds,
    ready_pods,
    run,
    scale,
)
from benchmarks.simulator.histogram import BINS

RESERVED_S = 300.0  # s of arrivals to allocate columns for at a time
UNLIMITED = 2**31  # requests in flight that a pod without a limit takes


class Cluster:
    """Pods and queues of all rows. A row is one service under one policy."""

    def __init__(
        self,
        requests: Requests,
        service: IntArray,
        *,
        concurrency: int | IntArray,
        start_up_s: float | FloatArray,
        drain_s: float | FloatArray,
    ) -> None:
        """service: (n_rows,) service of each row. concurrency: of a pod; 0 = unlimited.

        start_up_s: from creating a pod until it is ready. drain_s: from letting it go until gone.
        All three are one for all services, or (n_services,).
        """
        self._reserved_until = -np.inf
        self._all = np.arange(len(service))
        slots, start_up, drain = (
            np.broadcast_to(value, len(requests.offset) - 1)[service]
            for value in (concurrency, start_up_s, drain_s)
        )
        self.state = _empty(requests, service, slots)._replace(
            start_up_s=start_up.astype(np.float64), drain_s=drain.astype(np.float64)
        )

    def begin(self, now: float) -> None:
        """Set the clocks to Unix s ``now``; earlier requests are left out."""
        s = self.state
        s.clock[:] = now
        s.head[:] = s.next[:] = self._arrived(now)

    def run(self, until: float, rows: IntArray, poke: BoolArray) -> IntArray:
        """Simulate until Unix s ``until``.

        poke: (n_rows,) rows that stop at their next arrival without a pod. Returns those that did;
        their clock is at the arrival.
        """
        if until > self._reserved_until:
            self._reserved_until = until + RESERVED_S
            self._reserve(self._reserved_until)
        run(self.state, rows, until, poke)
        return rows[self.state.poked[rows]]

    def pass_seconds(self, rows: IntArray, until: float) -> None:
        """Advance rows that have neither requests nor events before Unix s ``until``."""
        pass_seconds(self.state, rows, until)

    def next_events(self, rows: IntArray) -> FloatArray:
        """(k,) Unix s of the next event of rows; -inf = there are requests in the system."""
        return next_events(self.state, rows)

    def take_statistics(self, rows: Rows = ALL) -> tuple[FloatArray, FloatArray]:
        """(k,) integral of requests in the system, and arrivals, since the last call."""
        s = self.state
        taken = s.load_s[rows].copy(), s.arrived[rows].astype(np.float64)
        s.load_s[rows] = 0.0
        s.arrived[rows] = 0
        return taken

    def scale(self, rows: IntArray, pods: IntArray) -> None:
        """Scale rows to so many pods, each at its own clock."""
        if not len(rows):
            return
        needed = int(pods.max()) + int(most_draining(self.state, rows))
        if needed > self.state.pod_ready.shape[1]:
            empty = {"pod_ready": NO_POD, "pod_load": 0, "pod_draining": 0, "pod_drained": 0.0}
            self.state = _wider(self.state, needed, **empty)
        scale(self.state, rows, pods)

    def ready(self, rows: IntArray | None = None) -> IntArray:
        """(k,) pods of rows that are ready and not draining; None = of all rows."""
        return ready_pods(self.state, self._all if rows is None else rows)

    def not_ready(self) -> tuple[IntArray, IntArray]:
        """(n_rows,) pods that start, and pods that drain."""
        s = self.state
        there = s.pod_ready < NO_POD
        starting = there & ~s.pod_draining & (s.pod_ready > s.clock[:, None])
        return starting.sum(axis=1), (there & s.pod_draining).sum(axis=1)

    def reset_counts(self) -> None:
        """Set the counts for the scores to zero."""
        for name in COUNTED:
            getattr(self.state, name)[:] = 0

    def _arrived(self, until: float) -> IntArray:
        """(n_rows,) index after each row's last request before ``until``."""
        s = self.state
        spans = zip(s.next, s.end, strict=True)
        found = [a + np.searchsorted(s.arrival_s[a:end], until) for a, end in spans]
        return np.array(found, dtype=np.int64)

    def _reserve(self, until: float) -> None:
        """Allocate columns for all requests that may be in flight at once before ``until``."""
        s = self.state
        room = s.finish.shape[1]
        if (s.n_running + s.end - s.head).max(initial=0) <= room:
            return
        needed = int((s.n_running + self._arrived(until) - s.head).max(initial=0))
        if needed > room:
            self.state = _wider(s, needed, finish=0.0, finish_pod=0)


def _empty(requests: Requests, service: IntArray, concurrency: IntArray) -> State:
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
            "slots": np.where(concurrency > 0, concurrency, UNLIMITED).astype(np.int64),
            # Knative's activator takes the first free pod at a limit of three or less.
            "least_loaded": (concurrency < 1) | (concurrency > 3),
            "pod_ready": np.full((n, 4), NO_POD),
            "pod_load": np.zeros((n, 4), np.int64),
            "pod_draining": np.zeros((n, 4), np.bool_),
            "pod_drained": np.zeros((n, 4)),
            "next_ready": np.full(n, np.inf),
            "next_drained": np.full(n, np.inf),
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
