"""The shop goes on after the replay: simulated, forecast, advised and decided as in a cluster.

The simulator stands for the cluster and its controller. It writes snapshots for the advisor, which
answers with advice, by the files that the two processes exchange in life; every minute the learner
forecasts from what was seen until then.
"""

import asyncio
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from threading import Event

import numpy as np

from autoscaler.advisor.read_model import ReadModel
from autoscaler.bundle.file import save_bundle
from autoscaler.clock import Clock, SimulatedClock
from autoscaler.core.control import Advised, ControlState, control
from autoscaler.core.demand import NONE_COUNTED, count_demand
from autoscaler.core.names import name_id
from autoscaler.core.prediction.forecasts import ForecastBundle
from autoscaler.core.prediction.predictive import TICK_S
from autoscaler.core.state.decision import Decision
from autoscaler.core.state.fleet import Fleet
from autoscaler.core.types import IntArray
from autoscaler.exchange.advice import NAME as ADVICE
from autoscaler.exchange.advice import for_fleet, read_advice
from autoscaler.exchange.snapshot import NAMES, TICK, Changes, Named, write_names, write_tick
from benchmarks.demo.cached import FORECASTS, advisor_of
from benchmarks.demo.status import SPEED
from benchmarks.policies.policies import FULL, pod_capacity, priced
from benchmarks.replay import Replay
from benchmarks.simulator.actuation import start_at_zero
from benchmarks.simulator.arrivals import draw, measure
from benchmarks.simulator.simulation import Policy, Simulation, World
from benchmarks.traces.trace import Trace

WARM_UP_S = 1200.0  # s before the live part that are simulated at once, so that pods stand
TURN_TICKS = 5  # from one snapshot to the next
FORECASTS_AT_ONCE = 60  # steps; each sees only what came before it


class LiveShop:
    """A shop under kn-ahead, turn by turn."""

    def __init__(
        self, replay: Replay, whole: Trace, model: ReadModel, clock: SimulatedClock, folder: Path
    ) -> None:
        """``replay``: has learned. ``whole``: its trace and what comes after. ``folder``: empty."""
        s = replay.settings
        self._replay, self._clock, self._folder = replay, clock, folder
        requests = draw(whole, service_s=s.service_s, seed=s.seed)
        self._demand = measure(
            requests, whole, step_s=s.step_s, capacity=pod_capacity(s.concurrency)
        )
        world = World(
            services=whole.services,
            requests=requests,
            tables={},
            concurrency=s.concurrency,
            start_up_s=s.start_up_s,
            drain_s=s.drain_s,
        )
        (ours,) = (p for p in replay.policies() if p.name == priced(FULL, s.price_s))
        start_s = replay.demand.end_s - WARM_UP_S
        clock.advance(start_s - clock.now())
        self._simulation = Simulation(
            world, [dataclasses.replace(ours, forecasts="")], start_s=start_s, twins=True
        )
        self._simulation.state = ControlState(fleet=_fleet(whole.services, ours, start_s))
        self._next_second = NONE_COUNTED  # of demand
        self._forecasts: list[ForecastBundle] = []  # from the one of step `_first` on
        self._first = 0
        # The step that is forecast next; before `replay.first` nothing was.
        self._step = max(round((start_s - self._demand.start_s) / s.step_s), replay.first)
        self._advisor = advisor_of(folder, model, clock)
        named = map(_named, self.fleet.keys, whole.services)
        write_names(folder / NAMES, [one.encoded() for one in named])

    @property
    def fleet(self) -> Fleet:
        """A revision a service."""
        return self._simulation.fleet

    @property
    def now(self) -> float:
        """Unix s, simulated."""
        return self._simulation.now

    @property
    def end_s(self) -> float:
        """Unix s at which the trace ends."""
        return self._demand.end_s

    async def warm_up(self) -> Changes:
        """Come to where the live part begins; returns every change on the way."""
        changes = []
        while self.now < self._replay.demand.end_s:
            changes.append(await self.turn())
        return joined(changes)

    async def turn(self) -> Changes:
        """Simulate some ticks, show them, and take the advice on them; returns the changes."""
        simulation, fleet = self._simulation, self.fleet
        found = []
        for _ in range(TURN_TICKS):
            before = fleet.decision.want.copy()
            simulation.run(simulation.now + TICK_S)
            self._next_second = count_demand(fleet, self._next_second, simulation.now)
            found.append(_changes(fleet, before))
        changes = joined(found)
        self._clock.advance(simulation.now - self._clock.now())
        write_tick(self._folder / TICK, fleet, changes, {}, simulation.now)
        await self._advisor.read_snapshot()
        if simulation.now > self._demand.start_s + self._step * self._demand.step_s:
            await self._publish()
        await self._advisor.update_graph()
        await self._advisor.advise()
        advice = for_fleet(read_advice(self._folder / ADVICE), fleet)
        control(simulation.state, Advised(advice=advice), simulation.now)
        return changes

    async def _publish(self) -> None:
        """Publish the forecast that is made at the end of the last step."""
        bundle = await asyncio.to_thread(self._bundle, self._step)
        self._step += 1
        await asyncio.to_thread(save_bundle, bundle, self._folder / FORECASTS)
        await self._advisor.read_bundle()

    def _bundle(self, step: int) -> ForecastBundle:
        replay = self._replay
        replayed = step - replay.first
        edges = replay.learner.edges_
        if replayed < len(replay.table.made_at_s):
            bundle = replay.table.bundle(replayed)
        else:
            if step >= self._first + len(self._forecasts):
                self._first, self._forecasts = step, self._forecast(step)
            bundle = self._forecasts[step - self._first]
        return bundle if edges is None else dataclasses.replace(bundle, edges=edges)

    def _forecast(self, first: int) -> list[ForecastBundle]:
        """The bundles of the steps from ``first`` on, each made from the steps before its own."""
        steps = np.arange(first, min(first + FORECASTS_AT_ONCE, self._demand.n_steps))
        forecast = self._replay.learner.predict(self._demand, steps)
        last = self._replay.last_bundle()
        return [
            dataclasses.replace(
                last,
                made_at_s=self._demand.start_s + float(step) * self._demand.step_s,
                demand_edges=forecast.demand_edges,
                exceedance=forecast.exceedance[:, i].astype(np.float64),
            )
            for i, step in enumerate(steps)
        ]


async def keep_pace(shop: LiveShop, clock: Clock, ended: Event, speed: float = SPEED) -> None:
    """Run the shop at so many times real speed, until its trace is over or ``ended`` is set."""
    begun_s, begin_s = clock.now(), shop.now
    while shop.now < shop.end_s and not ended.is_set():
        await shop.turn()
        ahead_s = (shop.now - begin_s) / speed - (clock.now() - begun_s)
        if ahead_s < -1.0:  # the machine was busy, or slept: go on from here
            begun_s, begin_s = clock.now(), shop.now
        await asyncio.sleep(max(ahead_s, 0.0))


def joined(changes: Sequence[Changes]) -> Changes:
    """Changes of successive times as one."""
    return Changes(
        revision=np.concatenate([one.revision for one in changes]),
        before=np.concatenate([one.before for one in changes]),
        decision=Decision(
            **{
                f.name: np.concatenate([getattr(one.decision, f.name) for one in changes])
                for f in dataclasses.fields(Decision)
            }
        ),
    )


def _fleet(services: Sequence[str], policy: Policy, start_s: float) -> Fleet:
    """A revision of each service, which knows its service, so that edges between them count."""
    fleet = Fleet()
    rows = {f"{name}-00001": policy.revision for name in services}
    fleet.add(rows, now=start_s, services=services)
    start_at_zero(fleet)
    return fleet


def _named(revision: str, service: str) -> Named:
    return Named(
        id=name_id(revision),
        revision=revision,
        service=service,
        configuration="",
        labelled_service="",
        uid="",
        upstreams="",
        downstream_namespaces="",
    )


def _changes(fleet: Fleet, before: IntArray) -> Changes:
    """The revisions whose wanted pods changed, with their decisions."""
    rows = np.flatnonzero(fleet.decision.want != before)
    decision = {f.name: getattr(fleet.decision, f.name)[rows] for f in dataclasses.fields(Decision)}
    return Changes(revision=fleet.ids[rows], before=before[rows], decision=Decision(**decision))
