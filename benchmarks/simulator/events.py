"""The compiled event loop of the simulator: one row is one service under one policy.

Events of a row, in order of time: a request finishes, a pod becomes ready, a drained pod is gone, a
request arrives.
Between two events nothing changes, so sums over time (requests in the system, pods, busy pods) are
exact. Compiled, because it handles some million requests a second.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from autoscaler.core.types import BoolArray, FloatArray, IntArray
from benchmarks.simulator.histogram import bin_of

NO_POD = np.inf  # Unix s at which an unused place becomes ready


class State(NamedTuple):
    """Columns of all rows: row first, shape (n,) unless stated otherwise."""

    # requests: shared by all rows
    arrival_s: FloatArray  # (n_requests,) Unix s
    service_s: FloatArray  # (n_requests,) s
    # position of each row in the requests
    end: IntArray  # index after the row's last request
    next: IntArray  # next to arrive
    head: IntArray  # next to start; head ... next - 1 wait
    slots: IntArray  # requests in flight that one pod takes
    least_loaded: BoolArray  # chooses the least loaded pod; else the first with a free slot
    start_up_s: FloatArray  # s from creating a pod until it is ready
    drain_s: FloatArray  # s from letting a pod go until it is gone
    clock: FloatArray  # Unix s
    # pods
    places: IntArray  # up to the last one that is in use: most rows have few, some have hundreds
    pod_ready: FloatArray  # (n, n_pods) Unix s; NO_POD = unused place
    pod_load: IntArray  # (n, n_pods) requests in flight
    pod_draining: BoolArray  # (n, n_pods) takes no more requests
    pod_drained: FloatArray  # (n, n_pods) Unix s at which its drain is over, if it drains
    next_ready: FloatArray  # Unix s at which the next pod becomes ready
    next_drained: FloatArray  # Unix s at which the next drain of a pod without requests is over
    zero_since: FloatArray  # Unix s at which the last span without a ready pod began
    zero_until: FloatArray  # Unix s at which it ended; inf = not yet
    # requests in flight, a heap by finish time
    n_running: IntArray
    finish: FloatArray  # (n, n_running) Unix s
    finish_pod: IntArray  # (n, n_running)
    # statistics for the autoscaler
    load_s: FloatArray  # requests in the system, integrated since the last report
    arrived: IntArray  # requests since the last report
    poked: BoolArray  # a request arrived and there was no pod
    # counts for the scores
    requests: IntArray  # started
    cold_from_zero: IntArray  # cold; no pod was ready
    cold_scale_out: IntArray  # cold; all ready pods were full
    waits: IntArray  # (n, BINS)
    latencies: IntArray  # (n, BINS) wait + execution
    cold_waits: IntArray  # (n, BINS)
    wait_s: FloatArray
    allocated_s: FloatArray  # pod-seconds from creation to gone
    busy_s: FloatArray  # pod-seconds with a request in flight
    started: IntArray  # pods
    started_cold: IntArray  # pods, while a request waited


COUNTED = State._fields[State._fields.index("requests") :]  # columns that are counts for the scores


@njit(cache=True)
def run(s: State, rows: IntArray, until: float, poke: BoolArray) -> None:
    """Advance rows to Unix s ``until``; where ``poke``, at most to an arrival without a pod."""
    # Most rows have no event. What is asked of each is taken out of the tuple once: to take it out
    # costs ten times as much as to ask it.
    arrival_s, upcoming, end, poked = s.arrival_s, s.next, s.end, s.poked
    n_running, finish = s.n_running, s.finish
    next_ready, next_drained = s.next_ready, s.next_drained
    for row in rows:
        poked[row] = False
        finishes = finish[row, 0] if n_running[row] else np.inf
        arrives = arrival_s[upcoming[row]] if upcoming[row] < end[row] else np.inf
        if min(finishes, next_ready[row], next_drained[row], arrives) >= until:
            _advance_clock(s, row, until)
            continue
        while not poked[row] and _step(s, row, until, poke[row]):
            pass


@njit(cache=True)
def pass_seconds(s: State, rows: IntArray, until: float) -> None:
    """Advance rows without requests and events to Unix s ``until``, as `run` does by the second."""
    for row in rows:
        pods = 0
        for p in range(s.places[row]):
            pods += s.pod_ready[row, p] < NO_POD
        allocated_s = s.allocated_s[row]
        for _ in range(int(until - s.clock[row])):
            allocated_s += pods  # one by one: a product would round differently
        s.allocated_s[row] = allocated_s
        s.clock[row] = max(s.clock[row], until)


@njit(cache=True)
def next_events(s: State, rows: IntArray) -> FloatArray:
    """(k,) Unix s of the next event of rows without requests in the system; -inf with requests."""
    found = np.empty(len(rows))
    for i in range(len(rows)):
        row = rows[i]
        found[i] = min(s.next_ready[row], s.next_drained[row])
        if s.next[row] < s.end[row]:
            found[i] = min(found[i], s.arrival_s[s.next[row]])
        if s.n_running[row] or s.head[row] < s.next[row]:
            found[i] = -np.inf
    return found


@njit(cache=True)
def _step(s: State, row: int, until: float, poke: bool) -> bool:
    """One event; False when there is none before ``until``."""
    finishes = s.finish[row, 0] if s.n_running[row] else np.inf
    arrives = s.arrival_s[s.next[row]] if s.next[row] < s.end[row] else np.inf
    now = min(finishes, s.next_ready[row], s.next_drained[row], arrives)
    if now >= until:
        _advance_clock(s, row, until)
        return False
    _advance_clock(s, row, now)
    if finishes == now:
        _finish_request(s, row)
    elif s.next_ready[row] == now:
        _pod_ready(s, row)
    elif s.next_drained[row] == now:
        _remove_drained(s, row)
    else:
        s.next[row] += 1
        s.arrived[row] += 1
        s.poked[row] = poke and not _has_pod(s, row)
    while s.head[row] < s.next[row] and _start_request(s, row):
        pass
    return True


@njit(cache=True)
def _has_pod(s: State, row: int) -> bool:
    """Whether there is a pod, ready or starting, that is not draining."""
    for p in range(s.places[row]):
        if s.pod_ready[row, p] < NO_POD and not s.pod_draining[row, p]:
            return True
    return False


@njit(cache=True)
def _advance_clock(s: State, row: int, now: float) -> None:
    """Advance to Unix s ``now`` and integrate load, pods and busy pods."""
    span = now - s.clock[row]
    if span <= 0.0:
        return
    s.clock[row] = now
    waiting = s.next[row] - s.head[row]
    s.load_s[row] += span * (waiting + s.n_running[row])
    pods, busy = 0, 0
    for p in range(s.places[row]):
        if s.pod_ready[row, p] < NO_POD:
            pods += 1
            busy += s.pod_load[row, p] > 0
    s.allocated_s[row] += span * pods
    s.busy_s[row] += span * busy


@njit(cache=True)
def _pod_ready(s: State, row: int) -> None:
    """A pod became ready; find the next one."""
    now = s.clock[row]
    if s.zero_until[row] == np.inf:
        s.zero_until[row] = now
    _find_next_ready(s, row, np.nextafter(now, np.inf))


@njit(cache=True)
def _find_next_ready(s: State, row: int, since: float) -> None:
    s.next_ready[row] = np.inf
    for p in range(s.places[row]):
        ready = s.pod_ready[row, p]
        if since <= ready < s.next_ready[row] and not s.pod_draining[row, p]:
            s.next_ready[row] = ready


@njit(cache=True)
def _start_request(s: State, row: int) -> bool:
    """Start the next waiting request; False when no ready pod has a free slot."""
    now, pod, load = s.clock[row], -1, s.slots[row]
    for p in range(s.places[row]):
        if s.pod_ready[row, p] <= now and not s.pod_draining[row, p] and s.pod_load[row, p] < load:
            pod, load = p, s.pod_load[row, p]
            if not s.least_loaded[row]:
                break
    if pod < 0:
        return False
    request = s.head[row]
    s.head[row] += 1
    s.pod_load[row, pod] += 1
    _push(s, row, now + s.service_s[request], pod)
    _count_request(s, row, request, s.pod_ready[row, pod])
    return True


@njit(cache=True)
def _count_request(s: State, row: int, request: int, pod_ready: float) -> None:
    arrived = s.arrival_s[request]
    wait = s.clock[row] - arrived
    s.requests[row] += 1
    s.wait_s[row] += wait
    s.waits[row, bin_of(wait)] += 1
    s.latencies[row, bin_of(wait + s.service_s[request])] += 1
    if wait > 0.0 and pod_ready > arrived:
        s.cold_waits[row, bin_of(wait)] += 1
        if s.zero_since[row] <= arrived < s.zero_until[row]:
            s.cold_from_zero[row] += 1
        else:
            s.cold_scale_out[row] += 1


@njit(cache=True)
def _push(s: State, row: int, at: float, pod: int) -> None:
    i = s.n_running[row]
    s.n_running[row] += 1
    heap, pods = s.finish[row], s.finish_pod[row]
    while i > 0 and heap[(i - 1) // 2] > at:
        heap[i], pods[i] = heap[(i - 1) // 2], pods[(i - 1) // 2]
        i = (i - 1) // 2
    heap[i], pods[i] = at, pod


@njit(cache=True)
def _finish_request(s: State, row: int) -> None:
    """Finish the earliest request; a pod whose drain is over is gone with its last one."""
    heap, pods = s.finish[row], s.finish_pod[row]
    pod = pods[0]
    s.n_running[row] -= 1
    n = s.n_running[row]
    at, of = heap[n], pods[n]
    i, child = 0, 1
    while child < n:
        if child + 1 < n and heap[child + 1] < heap[child]:
            child += 1
        if heap[child] >= at:
            break
        heap[i], pods[i] = heap[child], pods[child]
        i, child = child, 2 * child + 1
    heap[i], pods[i] = at, of
    s.pod_load[row, pod] -= 1
    if s.pod_draining[row, pod] and s.pod_load[row, pod] == 0:
        _remove_drained(s, row)


@njit(cache=True)
def _remove_drained(s: State, row: int) -> None:
    """Remove pods without requests whose drain is over; find when that of the next one is."""
    s.next_drained[row] = np.inf
    for p in range(s.places[row]):
        if not s.pod_draining[row, p] or s.pod_load[row, p] > 0:
            continue
        if s.pod_drained[row, p] <= s.clock[row]:
            s.pod_ready[row, p] = NO_POD
            s.pod_draining[row, p] = False
        else:
            s.next_drained[row] = min(s.next_drained[row], s.pod_drained[row, p])
    while s.places[row] and s.pod_ready[row, s.places[row] - 1] == NO_POD:
        s.places[row] -= 1


@njit(cache=True)
def ready_pods(s: State, rows: IntArray) -> IntArray:
    """(k,) pods of rows that are ready and not draining."""
    ready = np.zeros(len(rows), np.int64)
    for i in range(len(rows)):
        row = rows[i]
        for p in range(s.places[row]):
            ready[i] += s.pod_ready[row, p] <= s.clock[row] and not s.pod_draining[row, p]
    return ready


@njit(cache=True)
def most_draining(s: State, rows: IntArray) -> int:
    """Pods of one of the rows that drain, at most."""
    most = 0
    for row in rows:
        draining = 0
        for p in range(s.places[row]):
            draining += s.pod_draining[row, p]
        most = max(most, draining)
    return most


@njit(cache=True)
def scale(s: State, rows: IntArray, pods: IntArray) -> None:
    """Scale ``rows[i]`` to ``pods[i]`` pods at the row's own clock."""
    for i in range(len(rows)):
        row = rows[i]
        have = 0
        for p in range(s.places[row]):
            have += s.pod_ready[row, p] < NO_POD and not s.pod_draining[row, p]
        for _ in range(have, pods[i]):
            _create_pod(s, row, s.clock[row] + s.start_up_s[row])
        for _ in range(pods[i], have):
            _drain_youngest(s, row, s.clock[row] + s.drain_s[row])
        _remove_drained(s, row)
        # Including now: a pod that becomes ready at this instant still has its event to come.
        _find_next_ready(s, row, s.clock[row])
        _note_zero(s, row)


@njit(cache=True)
def _create_pod(s: State, row: int, ready: float) -> None:
    for p in range(s.pod_ready.shape[1]):
        if s.pod_ready[row, p] == NO_POD:
            s.pod_ready[row, p] = ready
            s.places[row] = max(s.places[row], p + 1)
            s.started[row] += 1
            s.started_cold[row] += s.next[row] > s.head[row]
            return


@njit(cache=True)
def _drain_youngest(s: State, row: int, drained: float) -> None:
    """Let the youngest pod go, one still starting first, as a ReplicaSet does."""
    youngest = -1
    for p in range(s.places[row]):
        if s.pod_ready[row, p] == NO_POD or s.pod_draining[row, p]:
            continue
        if youngest < 0 or s.pod_ready[row, p] > s.pod_ready[row, youngest]:
            youngest = p
    s.pod_draining[row, youngest] = True
    s.pod_drained[row, youngest] = drained


@njit(cache=True)
def _note_zero(s: State, row: int) -> None:
    """Note the time from which no pod is ready."""
    for p in range(s.places[row]):
        if s.pod_ready[row, p] <= s.clock[row] and not s.pod_draining[row, p]:
            return
    if s.zero_until[row] < np.inf:
        s.zero_since[row], s.zero_until[row] = s.clock[row], np.inf
