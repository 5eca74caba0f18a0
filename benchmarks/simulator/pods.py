"""One service's pods and its request queue, as SimPy events, for services that call each other.

Requests queue first in, first out. A pod becomes ready after its start-up time. One that is let go
takes no more requests, and is gone when its drain is over and its last one has finished. It costs
from creation until then.
"""

import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import simpy

if TYPE_CHECKING:
    from collections.abc import Generator

FIRST_FREE = 3  # slots up to which Knative's activator chooses the first free pod


@dataclass(slots=True, eq=False)
class SimulatedPod:
    """A pod: starting, ready, or draining."""

    created_s: float  # Unix s
    ready_s: float  # Unix s
    load: int = 0  # requests in flight
    served: int = 0  # requests started so far
    busy_since_s: float = 0.0  # Unix s at which load last became > 0
    drained_s: float = math.inf  # Unix s at which its drain is over; inf = it was not let go


class SimulatedPods:
    """The pods and the queue of one service."""

    def __init__(
        self, env: simpy.Environment, *, slots: int, start_up_s: float, drain_s: float
    ) -> None:
        self.env = env
        self.slots = slots
        self.start_up_s = start_up_s
        self.drain_s = drain_s
        self.pods: list[SimulatedPod] = []  # without draining ones
        self.started = 0
        self.unused = 0  # pods that are gone, and had no request
        self._waiting: deque[simpy.Event] = deque()
        self._draining: list[SimulatedPod] = []
        self._in_system = 0  # requests that wait or are in flight
        self._load_s = 0.0  # their integral since the last statistics
        self._since_s = float(env.now)
        self._arrived = 0  # requests since the last statistics
        self._gone_s = 0.0  # pod-seconds of pods that are gone
        self._busy_s = 0.0  # pod-seconds of completed times with a request in flight

    @property
    def ready(self) -> int:
        """Pods ready and not draining."""
        return sum(pod.ready_s <= self.env.now for pod in self.pods)

    @property
    def idle(self) -> bool:
        """Whether there is neither pod nor request, and none came since the last statistics."""
        return not (self.pods or self._in_system or self._arrived)

    def enqueue(self) -> simpy.Event:
        """Add a request to the queue; the event's value is the pod that takes it."""
        self._integrate_load()
        self._in_system += 1
        self._arrived += 1
        turn = self.env.event()
        self._waiting.append(turn)
        self._serve()
        return turn

    def finish(self, pod: SimulatedPod) -> None:
        """A request has finished on its pod."""
        self._integrate_load()
        self._in_system -= 1
        pod.load -= 1
        if not pod.load:
            self._busy_s += self.env.now - pod.busy_since_s
            self._remove_drained(pod)
        self._serve()

    def scale(self, want: int) -> None:
        """Have so many pods; the youngest are removed first, those still starting before all."""
        for _ in range(len(self.pods), want):
            now = float(self.env.now)
            self.pods.append(SimulatedPod(created_s=now, ready_s=now + self.start_up_s))
            self.started += 1
            self.env.process(self._become_ready(self.pods[-1]))
        for _ in range(want, len(self.pods)):
            pod = self.pods.pop()
            pod.drained_s = float(self.env.now) + self.drain_s
            self._draining.append(pod)
            self._remove_drained(pod)
            self.env.process(self._drain(pod))

    def take_statistics(self) -> tuple[float, int]:
        """The integral of requests in the system, and arrivals, since the last call."""
        self._integrate_load()
        taken = self._load_s, self._arrived
        self._load_s, self._arrived = 0.0, 0
        return taken

    def pod_s(self) -> tuple[float, float]:
        """Pod-seconds from creation, and those with a request in flight, up to now."""
        now, alive = float(self.env.now), [*self.pods, *self._draining]
        allocated = sum(now - pod.created_s for pod in alive)
        busy = sum(now - pod.busy_since_s for pod in alive if pod.load)
        return self._gone_s + allocated, self._busy_s + busy

    def _integrate_load(self) -> None:
        now = float(self.env.now)
        self._load_s += (now - self._since_s) * self._in_system
        self._since_s = now

    def _become_ready(self, pod: SimulatedPod) -> "Generator[simpy.Event, Any, None]":
        # To the instant itself: adding the start-up time to now would round differently.
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

    def _drain(self, pod: SimulatedPod) -> "Generator[simpy.Event, Any, None]":
        yield self.env.timeout(max(0.0, pod.drained_s - self.env.now))
        self._remove_drained(pod)

    def _remove_drained(self, pod: SimulatedPod) -> None:
        """Remove a pod if its drain is over, and it has no request."""
        if pod.load or pod.drained_s > self.env.now or pod not in self._draining:
            return
        self._draining.remove(pod)
        self._gone_s += self.env.now - pod.created_s
        self.unused += not pod.served


def _load(pod: SimulatedPod) -> int:
    return pod.load
