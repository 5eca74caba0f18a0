"""One service's pods and the requests in front of them, as SimPy events: for services that call.

Requests queue first come, first served. A pod takes its start-up time to become ready, takes no
more requests once it is told to go, and goes with its last one. It costs from creation to end.
"""

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import simpy

if TYPE_CHECKING:
    from collections.abc import Generator

FIRST_FREE = 3  # slots up to which the first free pod serves, as Knative's activator has it


@dataclass(slots=True, eq=False)
class SimulatedPod:
    """A pod that is starting, ready, or serving its last requests."""

    created_s: float  # Unix s
    ready_s: float  # Unix s
    load: int = 0  # requests in flight
    served: int = 0  # requests so far
    busy_since_s: float = 0.0  # Unix s since when it has had any
    leaves: bool = False  # takes no more requests


class SimulatedPods:
    """The pods and the queue of one service."""

    def __init__(self, env: simpy.Environment, *, slots: int, start_up_s: float) -> None:
        self.env = env
        self.slots = slots
        self.start_up_s = start_up_s
        self.pods: list[SimulatedPod] = []  # those that leave are not among them
        self.started = 0
        self.in_vain = 0  # gone without a request
        self._waiting: deque[simpy.Event] = deque()
        self._leaving: list[SimulatedPod] = []
        self._in_system = 0  # requests that wait or are in flight
        self._load_s = 0.0  # their sum over time since the last look
        self._since_s = float(env.now)
        self._came = 0  # requests since the last look
        self._ended_s = 0.0  # pod-seconds of pods that are gone
        self._busy_s = 0.0  # pod-seconds with a request in flight, up to the pod's last pause

    @property
    def ready(self) -> int:
        """Pods ready and not on their way out."""
        return sum(pod.ready_s <= self.env.now for pod in self.pods)

    def come(self) -> simpy.Event:
        """A request comes; the event's value is the pod that takes it."""
        self._pass()
        self._in_system += 1
        self._came += 1
        turn = self.env.event()
        self._waiting.append(turn)
        self._serve()
        return turn

    def done(self, pod: SimulatedPod) -> None:
        """A request leaves its pod."""
        self._pass()
        self._in_system -= 1
        pod.load -= 1
        if not pod.load:
            self._busy_s += self.env.now - pod.busy_since_s
            if pod.leaves:
                self._leaving.remove(pod)
                self._end(pod)
        self._serve()

    def scale(self, want: int) -> None:
        """Have so many pods; the youngest go first, those that are starting before all."""
        for _ in range(len(self.pods), want):
            now = float(self.env.now)
            self.pods.append(SimulatedPod(created_s=now, ready_s=now + self.start_up_s))
            self.started += 1
            self.env.process(self._rise(self.pods[-1]))
        for _ in range(want, len(self.pods)):
            pod = self.pods.pop()
            pod.leaves = True
            if pod.load:
                self._leaving.append(pod)
            else:
                self._end(pod)

    def look(self) -> tuple[float, int]:
        """Requests in the system summed over time, and requests come, since the last look."""
        self._pass()
        told = self._load_s, self._came
        self._load_s, self._came = 0.0, 0
        return told

    def pod_s(self) -> tuple[float, float]:
        """Pod-seconds from creation on, and those with a request in flight, up to now."""
        now, alive = float(self.env.now), [*self.pods, *self._leaving]
        allocated = sum(now - pod.created_s for pod in alive)
        busy = sum(now - pod.busy_since_s for pod in alive if pod.load)
        return self._ended_s + allocated, self._busy_s + busy

    def _pass(self) -> None:
        now = float(self.env.now)
        self._load_s += (now - self._since_s) * self._in_system
        self._since_s = now

    def _rise(self, pod: SimulatedPod) -> "Generator[simpy.Event, Any, None]":
        # Until that instant, not for so long: the sum would round to another one.
        yield self.env.timeout(max(0.0, pod.ready_s - self.env.now))
        self._serve()

    def _serve(self) -> None:
        while self._waiting:
            free = [p for p in self.pods if p.load < self.slots and p.ready_s <= self.env.now]
            if not free:
                return
            pod = free[0] if self.slots <= FIRST_FREE else min(free, key=_load)
            if not pod.load:
                pod.busy_since_s = float(self.env.now)
            pod.load += 1
            pod.served += 1
            self._waiting.popleft().succeed(pod)

    def _end(self, pod: SimulatedPod) -> None:
        self._ended_s += self.env.now - pod.created_s
        self.in_vain += not pod.served


def _load(pod: SimulatedPod) -> int:
    return pod.load
