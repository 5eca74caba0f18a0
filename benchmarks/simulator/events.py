"""The event loop of one row, compiled: it runs once a request, a million times a second.

Events of a row, in time order: a request ends, a pod becomes ready, a request comes. Between two
events nothing changes, so sums over time (requests in the system, pods, busy pods) are exact.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from autoscaler.core.types import BoolArray, FloatArray, IntArray

GONE = np.inf  # when a pod that does not exist becomes ready
BINS = 1024  # of the histograms of times
SHORTEST_S = 1e-3
RATIO = 1.02  # from one bin's upper edge to the next: quantiles are right within 2 %


class State(NamedTuple):
    """Everything about all rows; row first, (n,) where nothing else is said."""

    # requests: shared by all rows
    arrival_s: FloatArray  # (n_requests,) Unix s
    service_s: FloatArray  # (n_requests,) s
    # where each row is in them
    end: IntArray  # behind the row's last request
    next: IntArray  # next to come
    head: IntArray  # next to start; head ... next - 1 wait
    slots: IntArray  # requests in flight that one pod takes
    spread: BoolArray  # the least loaded pod serves, not the first one with a free slot
    clock: FloatArray  # Unix s
    # pods
    pod_ready: FloatArray  # (n, n_pods) Unix s; GONE = no such pod
    pod_load: IntArray  # (n, n_pods) requests in flight
    pod_drains: BoolArray  # (n, n_pods) takes no more requests
    next_ready: FloatArray  # Unix s at which the next pod becomes ready
    zero_since: FloatArray  # Unix s since when no pod was ready, the last time
    zero_until: FloatArray  # and until when
    # requests in flight, a heap by end
    n_running: IntArray
    finish: FloatArray  # (n, n_running) Unix s
    finish_pod: IntArray  # (n, n_running)
    # what an autoscaler is told
    load_s: FloatArray  # requests in the system, summed over time since the last look
    came: IntArray  # requests since the last look
    poked: BoolArray  # a request came and there was no pod
    # what is counted
    requests: IntArray  # started
    cold_zero: IntArray  # cold, no pod was ready
    cold_out: IntArray  # cold, all ready pods were full
    waits: IntArray  # (n, BINS)
    latencies: IntArray  # (n, BINS) wait + execution
    cold_waits: IntArray  # (n, BINS)
    wait_s: FloatArray
    allocated_s: FloatArray  # pod-seconds from creation to end
    busy_s: FloatArray  # pod-seconds with a request in flight
    started: IntArray  # pods
    started_cold: IntArray  # pods, while a request waited


@njit(cache=True)
def run(s: State, rows: IntArray, until: float, poke: BoolArray) -> None:
    """Advance the rows to Unix s ``until``, or to an arrival at no pod where ``poke`` says so."""
    for row in rows:
        s.poked[row] = False
        while not s.poked[row] and _step(s, row, until, poke[row]):
            pass


@njit(cache=True)
def _step(s: State, row: int, until: float, poke: bool) -> bool:
    """One event; False when there is none before ``until``."""
    ends = s.finish[row, 0] if s.n_running[row] else np.inf
    comes = s.arrival_s[s.next[row]] if s.next[row] < s.end[row] else np.inf
    now = min(ends, s.next_ready[row], comes)
    if now >= until:
        _pass(s, row, until)
        return False
    _pass(s, row, now)
    if ends == now:
        _end(s, row)
    elif s.next_ready[row] == now:
        _rise(s, row)
    else:
        s.next[row] += 1
        s.came[row] += 1
        s.poked[row] = poke and not _staffed(s, row)
    while s.head[row] < s.next[row] and _begin(s, row):
        pass
    return True


@njit(cache=True)
def _staffed(s: State, row: int) -> bool:
    """Whether there is a pod, ready or starting, that is not on its way out."""
    for p in range(s.pod_ready.shape[1]):
        if s.pod_ready[row, p] < GONE and not s.pod_drains[row, p]:
            return True
    return False


@njit(cache=True)
def _pass(s: State, row: int, now: float) -> None:
    """Let time pass: nothing happens, but it adds up."""
    span = now - s.clock[row]
    if span <= 0.0:
        return
    s.clock[row] = now
    waiting = s.next[row] - s.head[row]
    s.load_s[row] += span * (waiting + s.n_running[row])
    pods, busy = 0, 0
    for p in range(s.pod_ready.shape[1]):
        if s.pod_ready[row, p] < GONE:
            pods += 1
            busy += s.pod_load[row, p] > 0
    s.allocated_s[row] += span * pods
    s.busy_s[row] += span * busy


@njit(cache=True)
def _rise(s: State, row: int) -> None:
    """A pod became ready: look for the next one."""
    now = s.clock[row]
    if s.zero_until[row] == np.inf:
        s.zero_until[row] = now
    _find_next_ready(s, row, np.nextafter(now, np.inf))


@njit(cache=True)
def _find_next_ready(s: State, row: int, since: float) -> None:
    s.next_ready[row] = np.inf
    for p in range(s.pod_ready.shape[1]):
        ready = s.pod_ready[row, p]
        if since <= ready < s.next_ready[row]:
            s.next_ready[row] = ready


@njit(cache=True)
def _begin(s: State, row: int) -> bool:
    """Start the next waiting request; False when no ready pod has a free slot."""
    now, pod, load = s.clock[row], -1, s.slots[row]
    for p in range(s.pod_ready.shape[1]):
        if s.pod_ready[row, p] <= now and not s.pod_drains[row, p] and s.pod_load[row, p] < load:
            pod, load = p, s.pod_load[row, p]
            if not s.spread[row]:
                break
    if pod < 0:
        return False
    request = s.head[row]
    s.head[row] += 1
    s.pod_load[row, pod] += 1
    _push(s, row, now + s.service_s[request], pod)
    _count(s, row, request, s.pod_ready[row, pod])
    return True


@njit(cache=True)
def _count(s: State, row: int, request: int, pod_ready: float) -> None:
    came = s.arrival_s[request]
    wait = s.clock[row] - came
    s.requests[row] += 1
    s.wait_s[row] += wait
    s.waits[row, _bin(wait)] += 1
    s.latencies[row, _bin(wait + s.service_s[request])] += 1
    if wait > 0.0 and pod_ready > came:
        s.cold_waits[row, _bin(wait)] += 1
        if s.zero_since[row] <= came < s.zero_until[row]:
            s.cold_zero[row] += 1
        else:
            s.cold_out[row] += 1


@njit(cache=True)
def _bin(seconds: float) -> int:
    """The histogram bin whose upper edge is the first not below; 0 = at once."""
    if seconds <= SHORTEST_S:
        return 0
    return min(BINS - 1, int(np.ceil(np.log(seconds / SHORTEST_S) / np.log(RATIO) - 1e-9)))


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
def _end(s: State, row: int) -> None:
    """The request that ends first leaves its pod; a draining pod goes with its last request."""
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
    if s.pod_drains[row, pod] and s.pod_load[row, pod] == 0:
        _vanish(s, row, pod)


@njit(cache=True)
def _vanish(s: State, row: int, pod: int) -> None:
    s.pod_ready[row, pod] = GONE
    s.pod_drains[row, pod] = False


@njit(cache=True)
def scale(s: State, rows: IntArray, pods: IntArray, start_up_s: float) -> None:
    """Have ``pods[i]`` pods in ``rows[i]``, from the row's own present on."""
    for i in range(len(rows)):
        row = rows[i]
        have = 0
        for p in range(s.pod_ready.shape[1]):
            have += s.pod_ready[row, p] < GONE and not s.pod_drains[row, p]
        for _ in range(have, pods[i]):
            _create(s, row, s.clock[row] + start_up_s)
        for _ in range(pods[i], have):
            _retire(s, row)
        # From now on, not after: a pod that is ready at this instant has not been seen to rise.
        _find_next_ready(s, row, s.clock[row])
        _mark_zero(s, row)


@njit(cache=True)
def _create(s: State, row: int, ready: float) -> None:
    for p in range(s.pod_ready.shape[1]):
        if s.pod_ready[row, p] == GONE:
            s.pod_ready[row, p] = ready
            s.started[row] += 1
            s.started_cold[row] += s.next[row] > s.head[row]
            return


@njit(cache=True)
def _retire(s: State, row: int) -> None:
    """Take the youngest pod: one that is still starting first, as a ReplicaSet does."""
    youngest = -1
    for p in range(s.pod_ready.shape[1]):
        if s.pod_ready[row, p] == GONE or s.pod_drains[row, p]:
            continue
        if youngest < 0 or s.pod_ready[row, p] > s.pod_ready[row, youngest]:
            youngest = p
    if s.pod_load[row, youngest] == 0:
        _vanish(s, row, youngest)
    else:
        s.pod_drains[row, youngest] = True


@njit(cache=True)
def _mark_zero(s: State, row: int) -> None:
    """Note since when no pod is ready."""
    for p in range(s.pod_ready.shape[1]):
        if s.pod_ready[row, p] <= s.clock[row] and not s.pod_drains[row, p]:
            return
    if s.zero_until[row] < np.inf:
        s.zero_since[row], s.zero_until[row] = s.clock[row], np.inf
