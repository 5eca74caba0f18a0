"""Simulates services that call each other, request by request, under the real control loop.

The main simulator (`simulation`) handles a million independent requests a second and has no calls
between services. Here a request waits for a free slot of a ready pod, works, and calls the next
services in order before it answers, so a wait downstream is a wait upstream. What a user or a queue
does later is an asynchronous call. Timing is Knative's: statistics every second, a decision every
two, a poke at once. The calls of a request are drawn when it enters, so the same seed brings the
same requests under every policy.
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
from benchmarks.simulator.actuation import apply_instructions, start_at_zero
from benchmarks.simulator.pods import SimulatedPod, SimulatedPods

Step = Generator[simpy.Event, Any, None]
START_S = 1_700_000_000.0
PAUSE_SIGMA = 0.5  # of the logarithm of a pause


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call that a service makes for each of its requests."""

    to: int  # index of the service
    probability: float = 1.0
    pause_s: float | None = None  # asynchronous, after this median; None = the caller waits for it
    ends: bool = False  # a reply: the callee makes no calls for it


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service, and the calls of its requests, in order."""

    name: str  # "namespace/service"
    calls: tuple[Call, ...] = ()
    work_s: float = 0.02  # of a request, without its calls


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """Services that call each other. A cycle needs a probability below 1, or a call that ends."""

    services: tuple[Service, ...]
    start_up_s: float = 3.0  # from creating a pod to ready
    drain_s: float = 30.0  # from letting a pod go to gone
    slots: int = 10  # requests in flight that one pod takes

    @property
    def names(self) -> tuple[str, ...]:
        """(n,) "namespace/service"."""
        return tuple(service.name for service in self.services)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCall:
    """A call and the calls that follow from it, drawn when the request enters."""

    service: int
    then: tuple[tuple[float | None, "PlannedCall"], ...]  # pause_s (None = synchronous), call


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
    """All calls in order of arrival at their service; (n_calls,) each."""

    request: IntArray  # index into the arrivals
    service: IntArray
    at_s: FloatArray  # Unix s
    wait_s: FloatArray  # NaN = still waiting
    done_s: FloatArray  # Unix s; NaN = not yet answered
    cold: BoolArray  # waited for a pod that was not ready when it arrived


class CallSimulation:
    """Simulates a shop under one policy, from Unix s ``start_s`` on."""

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
        self.pods = [
            SimulatedPods(
                self.env, slots=shop.slots, start_up_s=shop.start_up_s, drain_s=shop.drain_s
            )
            for _ in shop.services
        ]
        self.state = ControlState(fleet=_fleet(shop, revision, start_s))
        if edges is not None:
            control(self.state, Advised(advice=_advice(self.fleet, edges)), start_s)
        self._calls: list[_Call] = []
        self._poked = np.zeros(len(shop.services))  # requests of this second that a poke reported
        self._reported = np.zeros(len(shop.services), dtype=np.bool_)  # rows reported last second
        self.env.process(self._seconds())

    @property
    def fleet(self) -> Fleet:
        """The columns of all services."""
        return self.state.fleet

    def run(self, arrivals: Sequence[tuple[float, int]], until_s: float) -> FloatArray:
        """Latency (n,) in s of requests (s from now, service); NaN = not answered in time."""
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

    def _users(
        self, arrivals: Sequence[tuple[float, int]], begin: float, latency: FloatArray
    ) -> Step:
        for i in np.argsort([at for at, _ in arrivals], kind="stable").tolist():
            at, service = arrivals[i]
            yield self.env.timeout(max(0.0, begin + at - self.env.now))
            planned = _planned(self.shop, service, np.random.default_rng((self.seed, i)))
            self.env.process(self._enter(i, planned, latency))

    def _enter(self, i: int, planned: PlannedCall, latency: FloatArray) -> Step:
        at = self.env.now
        yield from self._request(i, planned)
        latency[i] = self.env.now - at

    def _request(self, request: int, planned: PlannedCall) -> Step:
        service, pods = planned.service, self.pods[planned.service]
        call = _Call(request, service, float(self.env.now))
        self._calls.append(call)
        turn = pods.enqueue()
        # While no pod is wanted, the activator is in the path, even if one is still there.
        if self.fleet.no_pod_wanted()[service]:
            self._poke(service)
        pod: SimulatedPod = yield turn
        call.wait_s = self.env.now - call.at_s
        call.cold = call.wait_s > 0 and pod.ready_s > call.at_s
        yield self.env.timeout(self.shop.services[service].work_s)
        for pause_s, then in planned.then:
            if pause_s is None:
                yield from self._request(request, then)
            else:
                self.env.process(self._later(request, pause_s, then))
        pods.finish(pod)
        call.done_s = float(self.env.now)

    def _later(self, request: int, pause_s: float, planned: PlannedCall) -> Step:
        yield self.env.timeout(pause_s)
        yield from self._request(request, planned)

    def _seconds(self) -> Step:
        while True:
            yield self.env.timeout(1.0)
            self._report()
            if round(self.env.now) % int(TICK_S) == 0 and not self._all_idle():
                now = float(self.env.now)
                self._scale(control(self.state, Tick(), now), None)

    def _all_idle(self) -> bool:
        """Whether a tick would change nothing: no pod, no request, and no pod wanted."""
        some = self._reported.any() or self.fleet.memory.kpa.any()
        return not some and not any(pods.pods for pods in self.pods)

    def _report(self) -> None:
        """Report the statistics of the last second; once more after the last pod ended."""
        if not self._reported.any() and all(pods.idle for pods in self.pods):
            return
        load, arrived = np.array([pods.take_statistics() for pods in self.pods]).T
        self.fleet.observed.ready[:] = [pods.ready for pods in self.pods]
        alive = (self.fleet.observed.ready > 0) | (load > 0)
        rows = np.flatnonzero(alive | self._reported | (self._poked > 0))
        report = Reported(
            rows=rows,
            seconds=np.full(len(rows), int(self.env.now)),
            samples=(np.stack([load, arrived]) - self._poked)[:, rows],
            by_activator=False,
        )
        control(self.state, report, float(self.env.now))
        self._reported = alive
        self._poked[:] = 0.0

    def _poke(self, service: int) -> None:
        """The activator reports the first request at once; downstream services are decided too."""
        rows = np.array([service])
        self._poked[service] += 1.0
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
        self._scale(done, rows)

    def _scale(self, done: Instructions, decided: IntArray | None) -> None:
        rows, pods = apply_instructions(self.state, done, decided, float(self.env.now))
        for row, want in zip(rows.tolist(), pods.tolist(), strict=True):
            self.pods[row].scale(want)


def _planned(
    shop: Shop, service: int, rng: np.random.Generator, *, ends: bool = False
) -> PlannedCall:
    """Draw a call of a service and all calls that follow from it."""
    then: list[tuple[float | None, PlannedCall]] = []
    for call in () if ends else shop.services[service].calls:
        if rng.random() >= call.probability:
            continue
        pause_s = call.pause_s
        if pause_s is not None:
            pause_s *= float(np.exp(PAUSE_SIGMA * rng.standard_normal()))
        then.append((pause_s, _planned(shop, call.to, rng, ends=call.ends)))
    return PlannedCall(service=service, then=tuple(then))


def _fleet(shop: Shop, revision: Revision, start_s: float) -> Fleet:
    """All rows, initialised and at zero."""
    revision = replace(
        revision,
        pod_capacity=float(shop.slots),
        lead_s=shop.start_up_s,
        drain_s=shop.drain_s,
    )
    fleet = Fleet()
    rows = {f"{name}-00001": revision for name in shop.names}
    fleet.add(rows, now=start_s, services=shop.names)
    start_at_zero(fleet)
    return fleet


def _advice(fleet: Fleet, edges: Edges) -> Advice:
    """Advice with the paths that follow from edges, without forecasts."""
    none = no_advice(len(fleet), fleet.layout)
    found = best_paths(edges.onto(tuple(fleet.services.keys)))
    return replace(none, paths=found.without_names()) if found else none
