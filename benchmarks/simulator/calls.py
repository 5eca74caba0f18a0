"""Services that call each other, request by request, under the real loop: what a chain costs.

The main simulator runs a million independent requests a second and knows no calls in between. Here
a request waits for a free slot of a ready pod, works, and calls the next services one after the
other before it answers, so that a wait downstream is a wait upstream. What a user or a queue does
later is a call that nobody waits for. The clock moves as Knative's does: statistics every second, a
decision every two, a poke at once. Who calls whom is drawn when a request enters, so that the same
seed brings the same requests whatever the policy.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import simpy

from autoscaler.advisor.paths import best_paths
from autoscaler.core.control import Advised, ControlState, Instructions, Reported, Tick, control
from autoscaler.core.prediction.advice import Advice, no_advice
from autoscaler.core.prediction.dependencies import Edges
from autoscaler.core.prediction.path_ends import downstream_rows
from autoscaler.core.prediction.predictive import TICK_S
from autoscaler.core.state.fleet import Fleet
from autoscaler.core.state.revision import Revision
from autoscaler.core.types import BoolArray, FloatArray, IntArray
from benchmarks.simulator.pods import SimulatedPod, SimulatedPods
from benchmarks.simulator.surroundings import carry_out, long_idle

Step = Generator[simpy.Event, Any, None]
START_S = 1_700_000_000.0
SPREAD = 0.5  # of the logarithm of a pause


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a request of one service makes of another."""

    to: int  # index of the service
    chance: float = 1.0
    pause_s: float | None = None  # median s until it comes; nobody waits for it; None = caller does
    ends: bool = False  # the callee calls nobody for it: a reply


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service, and whom its requests call, in order."""

    name: str  # "namespace/service"
    calls: tuple[Call, ...] = ()
    work_s: float = 0.02  # of a request, beside what it calls


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """Services that call each other. A cycle needs a chance below one, or a call that ends it."""

    services: tuple[Service, ...]
    start_up_s: float = 3.0  # from creating a pod to ready
    slots: int = 10  # requests in flight that one pod takes

    @property
    def names(self) -> tuple[str, ...]:
        """(n,) "namespace/service"."""
        return tuple(service.name for service in self.services)


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A request as it will go, drawn when it enters."""

    service: int
    then: tuple[tuple[float | None, "Visit"], ...]  # pause_s and call; None = waited for


@dataclass(slots=True)
class _Call:
    request: int
    service: int
    at_s: float
    wait_s: float = np.nan
    done_s: float = np.nan
    cold: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """Every call as it reached its service; (n_calls,) each, in order of time."""

    request: IntArray  # index into the arrivals
    service: IntArray
    at_s: FloatArray  # Unix s
    wait_s: FloatArray  # NaN = waits still
    done_s: FloatArray  # Unix s; NaN = not answered yet
    cold: BoolArray  # waited for a pod that was not ready when it came


class CallSimulation:
    """Runs a shop under one policy. Times are s from the beginning, ``start_s`` is Unix s."""

    def __init__(
        self,
        shop: Shop,
        revision: Revision,
        edges: Edges | None,
        *,
        seed: int = 0,
        start_s: float = START_S,
    ) -> None:
        self.shop = shop
        self.env = simpy.Environment(initial_time=start_s)
        self.seed = seed
        limits = {"slots": shop.slots, "start_up_s": shop.start_up_s}
        self.pods = [SimulatedPods(self.env, **limits) for _ in shop.services]  # type: ignore[arg-type]
        self.state = ControlState(fleet=_fleet(shop, revision, start_s))
        if edges is not None:
            control(self.state, Advised(advice=_advice(self.fleet, edges)), start_s)
        self._calls: list[_Call] = []
        self._told = np.zeros(len(shop.services))  # requests told by a poke, of this second
        self._alive = np.zeros(len(shop.services), dtype=np.bool_)  # who reported last
        self.env.process(self._seconds())

    @property
    def fleet(self) -> Fleet:
        """Every service's columns."""
        return self.state.fleet

    def run(self, arrivals: Sequence[tuple[float, int]], until_s: float) -> FloatArray:
        """Latency (n,) in s of requests that enter at (s, service); NaN = not answered by then."""
        latency = np.full(len(arrivals), np.nan)
        begin = float(self.env.now)
        self.env.process(self._users(arrivals, begin, latency))
        self.env.run(until=begin + until_s)
        return latency

    def log(self) -> Log:
        """All calls so far."""
        calls = self._calls
        return Log(
            request=np.array([c.request for c in calls], dtype=np.int64),
            service=np.array([c.service for c in calls], dtype=np.int64),
            at_s=np.array([c.at_s for c in calls], dtype=np.float64),
            wait_s=np.array([c.wait_s for c in calls], dtype=np.float64),
            done_s=np.array([c.done_s for c in calls], dtype=np.float64),
            cold=np.array([c.cold for c in calls], dtype=np.bool_),
        )

    def _users(self, arrivals: Sequence[tuple[float, int]], begin: float, late: FloatArray) -> Step:
        for i in np.argsort([at for at, _ in arrivals], kind="stable").tolist():
            at, service = arrivals[i]
            yield self.env.timeout(max(0.0, begin + at - self.env.now))
            visit = _drawn(self.shop, service, np.random.default_rng((self.seed, i)))
            self.env.process(self._enter(i, visit, late))

    def _enter(self, i: int, visit: Visit, latency: FloatArray) -> Step:
        at = self.env.now
        yield from self._request(i, visit)
        latency[i] = self.env.now - at

    def _request(self, request: int, visit: Visit) -> Step:
        service, pods = visit.service, self.pods[visit.service]
        call = _Call(request, service, float(self.env.now))
        self._calls.append(call)
        turn = pods.come()
        # With no pod wanted the activator is in the path, whether one is left or not.
        if self.fleet.memory.kpa[service] == 0:
            self._poke(service)
        pod: SimulatedPod = yield turn
        call.wait_s = self.env.now - call.at_s
        call.cold = call.wait_s > 0 and pod.ready_s > call.at_s
        yield self.env.timeout(self.shop.services[service].work_s)
        for pause_s, then in visit.then:
            if pause_s is None:
                yield from self._request(request, then)
            else:
                self.env.process(self._later(request, pause_s, then))
        pods.done(pod)
        call.done_s = float(self.env.now)

    def _later(self, request: int, pause_s: float, visit: Visit) -> Step:
        yield self.env.timeout(pause_s)
        yield from self._request(request, visit)

    def _seconds(self) -> Step:
        while True:
            yield self.env.timeout(1.0)
            self._report()
            if round(self.env.now) % int(TICK_S) == 0 and not self._asleep():
                now = float(self.env.now)
                self._act(control(self.state, Tick(), now), None)

    def _asleep(self) -> bool:
        """Whether a tick would change nothing: no pod, no request, and none was wanted."""
        some = self._alive.any() or self.fleet.memory.kpa.any()
        return not some and not any(pods.pods for pods in self.pods)

    def _report(self) -> None:
        """The statistics of the second that has just ended; once more after the last pod went."""
        load, came = np.array([pods.look() for pods in self.pods]).T
        self.fleet.observed.ready[:] = [pods.ready for pods in self.pods]
        alive = (self.fleet.observed.ready > 0) | (load > 0)
        rows = np.flatnonzero(alive | self._alive | (self._told > 0))
        report = Reported(
            rows=rows,
            seconds=np.full(len(rows), int(self.env.now)),
            samples=(np.stack([load, came]) - self._told)[:, rows],
            by_activator=False,
        )
        control(self.state, report, float(self.env.now))
        self._alive = alive
        self._told[:] = 0.0

    def _poke(self, service: int) -> None:
        """The activator tells the first request at once; all that hangs on it is decided too."""
        rows = np.array([service])
        self._told[service] += 1.0
        first = Reported(
            rows=rows,
            seconds=np.array([int(self.env.now)]),
            samples=np.ones((2, 1)),
            by_activator=True,
        )
        done = control(self.state, first, float(self.env.now))
        advice = self.state.advice
        if advice:
            rows = np.union1d(rows, downstream_rows(self.fleet, advice.paths, rows))
        self._act(done, rows)

    def _act(self, done: Instructions, decided: IntArray | None) -> None:
        rows, pods = carry_out(self.state, done, decided, float(self.env.now))
        for row, want in zip(rows.tolist(), pods.tolist(), strict=True):
            self.pods[row].scale(want)


def _drawn(shop: Shop, service: int, rng: np.random.Generator, *, ends: bool = False) -> Visit:
    """A request of a service, and all that follows from it."""
    then: list[tuple[float | None, Visit]] = []
    for call in () if ends else shop.services[service].calls:
        if rng.random() >= call.chance:
            continue
        pause_s = call.pause_s
        if pause_s is not None:
            pause_s *= float(np.exp(SPREAD * rng.standard_normal()))
        then.append((pause_s, _drawn(shop, call.to, rng, ends=call.ends)))
    return Visit(service=service, then=tuple(then))


def _fleet(shop: Shop, revision: Revision, start_s: float) -> Fleet:
    """All rows, long at zero: ready to be called."""
    revision = replace(revision, pod_capacity=float(shop.slots), lead_s=shop.start_up_s)
    fleet = Fleet()
    rows = {f"{name}-00001": revision for name in shop.names}
    fleet.add(rows, now=start_s, services=shop.names)
    long_idle(fleet)
    return fleet


def _advice(fleet: Fleet, edges: Edges) -> Advice:
    """The paths that follow from edges, and no forecast."""
    none = no_advice(len(fleet), fleet.layout)
    found = best_paths(edges.onto(tuple(fleet.services.keys)))
    return replace(none, paths=found.without_names()) if found else none
