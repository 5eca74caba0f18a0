"""The cluster's counts equal those of a slow simulation in plain Python, exactly."""

from collections import deque
from dataclasses import dataclass, field

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.simulator.arrivals import Requests
from benchmarks.simulator.cluster import Cluster

START_UP_S, END_S = 5.0, 60.0
ROW, NO_POKE = np.array([0]), np.array([False])
COUNTS = (
    *("requests", "wait_s", "cold_from_zero", "cold_scale_out"),
    *("allocated_s", "busy_s", "started", "started_cold", "load_s", "arrived"),
)
ClusterRun = tuple[int, float, list[tuple[float, float]], list[tuple[float, int]]]


def cluster(requests: list[tuple[float, float]], concurrency: int, drain_s: float) -> Cluster:
    """Requests are (arrival, service time) in s."""
    made = Requests(
        arrival_s=np.array([at for at, _ in requests], dtype=np.float64),
        service_s=np.array([took for _, took in requests], dtype=np.float64),
        offset=np.array([0, len(requests)]),
    )
    fast = Cluster(made, ROW, concurrency=concurrency, start_up_s=START_UP_S, drain_s=drain_s)
    fast.begin(0.0)
    return fast


@dataclass(slots=True, kw_only=True)
class Pod:
    ready_s: float
    load: int = 0
    drained_s: float = np.inf

    @property
    def drains(self) -> bool:
        return self.drained_s < np.inf


@dataclass(slots=True, kw_only=True)
class Slow:
    """The same rules in plain Python: one row, one event after the other."""

    requests: list[tuple[float, float]]
    concurrency: int
    drain_s: float
    now: float = 0.0
    next: int = 0
    pods: list[Pod | None] = field(default_factory=lambda: [None] * 40)  # in places, as they stand
    rising: list[float] = field(default_factory=list)
    waiting: deque[tuple[float, float, bool]] = field(default_factory=deque)
    running: list[tuple[float, Pod]] = field(default_factory=list)
    counts: dict[str, float] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0.0))

    def standing(self) -> list[Pod]:
        return [pod for pod in self.pods if pod]

    def taking(self) -> list[Pod]:
        return [p for p in self.standing() if p.ready_s <= self.now and not p.drains]

    def until(self, end_s: float) -> None:
        while True:
            ends = min((end for end, _ in self.running), default=np.inf)
            rises = min(self.rising, default=np.inf)
            comes = self.requests[self.next][0] if self.next < len(self.requests) else np.inf
            drained = min((p.drained_s for p in self.standing() if not p.load), default=np.inf)
            at = min(ends, rises, drained, comes)
            self.pass_time(min(at, end_s))
            if at >= end_s:
                return
            if ends == at:
                self.finish()
            elif rises == at:
                self.rising.remove(rises)
            elif drained == at:
                self.remove_drained()
            else:
                self.enqueue()
            self.start_waiting()

    def pass_time(self, at: float) -> None:
        span = at - self.now
        self.now = at
        self.counts["allocated_s"] += span * len(self.standing())
        self.counts["busy_s"] += span * sum(pod.load > 0 for pod in self.standing())
        self.counts["load_s"] += span * (len(self.waiting) + len(self.running))

    def enqueue(self) -> None:
        self.waiting.append((*self.requests[self.next], not self.taking()))
        self.next += 1
        self.counts["arrived"] += 1

    def finish(self) -> None:
        first = min(self.running, key=lambda ends: ends[0])
        self.running.remove(first)
        first[1].load -= 1
        self.remove_drained()

    def remove_drained(self) -> None:
        for place, pod in enumerate(self.pods):
            if pod and not pod.load and pod.drained_s <= self.now:
                self.pods[place] = None

    def start_waiting(self) -> None:
        while self.waiting:
            free = [p for p in self.taking() if not self.concurrency or p.load < self.concurrency]
            if not free:
                return
            pod = free[0] if 1 <= self.concurrency <= 3 else min(free, key=lambda p: p.load)
            arrived, took, none_ready = self.waiting.popleft()
            pod.load += 1
            self.running.append((self.now + took, pod))
            self.counts["requests"] += 1
            self.counts["wait_s"] += self.now - arrived
            if self.now > arrived and pod.ready_s > arrived:
                self.counts["cold_from_zero" if none_ready else "cold_scale_out"] += 1

    def scale(self, pods: int) -> None:
        available = [pod for pod in self.standing() if not pod.drains]
        for _ in range(pods - len(available)):
            self.pods[self.pods.index(None)] = Pod(ready_s=self.now + START_UP_S)
            self.rising.append(self.now + START_UP_S)
            self.counts["started"] += 1
            self.counts["started_cold"] += bool(self.waiting)
        for _ in range(len(available) - pods):
            youngest = max(available, key=lambda pod: pod.ready_s)
            available.remove(youngest)
            if youngest.ready_s in self.rising:
                self.rising.remove(youngest.ready_s)
            youngest.drained_s = self.now + self.drain_s
        self.remove_drained()


@st.composite
def cluster_runs(draw: st.DrawFn) -> ClusterRun:
    """Concurrency, drain, requests, scale commands: on whole and half seconds, so they coincide.

    Each request takes a power of two of its own longer, so that no two end at once, and all sums
    are exact.
    """
    seconds = st.integers(0, 20).map(float)
    halves = st.integers(0, 40).map(lambda half: half / 2)
    arrivals = sorted(draw(st.lists(halves, max_size=24)))
    service = draw(st.lists(st.integers(0, 14), min_size=len(arrivals), max_size=len(arrivals)))
    requests = [
        (at, took / 2 + 2.0 ** -(8 + i))
        for i, (at, took) in enumerate(zip(arrivals, service, strict=True))
    ]
    commands = draw(st.lists(st.tuples(seconds, st.integers(0, 7)), max_size=12))
    concurrency = draw(st.sampled_from([0, 1, 2, 5]))
    drain_s = draw(st.sampled_from([0.0, 3.5, 30.0]))
    return concurrency, drain_s, requests, sorted(commands, key=lambda c: c[0])


@settings(max_examples=300, deadline=None)
@given(cluster_runs())
def test_counts_equal_those_of_a_slow_simulation_in_plain_python(given_run: ClusterRun) -> None:
    concurrency, drain_s, requests, commands = given_run
    slow = Slow(requests=requests, concurrency=concurrency, drain_s=drain_s)
    fast = cluster(requests, concurrency, drain_s)
    for at, pods in commands:
        slow.until(at)
        fast.run(at, ROW, NO_POKE)
        # No autoscaler scales to zero while a request waits.
        wanted = max(pods, 1) if slow.waiting else pods
        slow.scale(wanted)
        fast.scale(ROW, np.array([wanted]))
        assert fast.ready().tolist() == [len(slow.taking())]
    slow.until(END_S)
    fast.run(END_S, ROW, NO_POKE)
    counted = {name: float(getattr(fast.state, name)[0]) for name in slow.counts}
    assert counted == slow.counts
    assert fast.state.next[0] - fast.state.head[0] == len(slow.waiting)
