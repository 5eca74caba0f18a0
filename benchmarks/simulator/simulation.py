"""Simulates services under several policies with the real control loop.

Every service under every policy is one row of one fleet, so a sweep over ten prices costs little
more than one run: the autoscaler decides for all rows in the same pass. Timing is Knative's:
statistics every second, a decision every two, and at once for a revision at zero that gets a
request (a poke). A policy is a revision's settings, its forecasts, and floors that are planned.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from autoscaler.core.accounting import count_report, count_tick
from autoscaler.core.control import Advised, ControlState, Reported, Tick, control
from autoscaler.core.prediction.advice import Advice
from autoscaler.core.prediction.predictive import TICK_S, PodCosts, read_at_price
from autoscaler.core.state.fleet import ALL, Fleet
from autoscaler.core.types import BoolArray, FloatArray, IntArray
from benchmarks.simulator.actuation import apply_instructions, start_at_zero
from benchmarks.simulator.arrivals import Requests
from benchmarks.simulator.cluster import Cluster
from benchmarks.simulator.events import COUNTED
from benchmarks.simulator.floors import Floors, FloorsInForce
from benchmarks.simulator.forecasts import ForecastTable, stack
from benchmarks.simulator.past_waits import count_past
from benchmarks.simulator.settings import Settings, only, rows, value_of
from benchmarks.simulator.steady import Steady, may_be_steady

Counts = dict[str, npt.NDArray[Any]]  # (n_policies, n_services, ...) by its column in `State`
NOTE_S = 8.0  # s between searches for rows that are steady, in a fleet of `MANY`
FEW, MANY = 30, 600  # rows: between, a tick of some takes as long as one of all
EXTRA_ALLOWANCE_S = 3600.0  # s of pod beyond a bill of all
PUBLISH_S = 5.0  # s from the end of a step to its published forecast: scrape, read, predict


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A way to scale all services."""

    name: str
    revision: Settings  # of every service's revision, or (n,) of each
    forecasts: str = ""  # key in `World.tables`; "" = none
    floors: str = ""  # key in `World.floors`; "" = none

    def only(self, services: IntArray) -> "Policy":
        """For some of the services."""
        return replace(self, revision=only(self.revision, services))


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What all policies share: services, requests, forecasts, pods."""

    services: tuple[str, ...]  # (n,)
    requests: Requests
    tables: dict[str, ForecastTable]  # by name; all with the same origins
    # One for all services, or (n,):
    concurrency: int | IntArray  # requests in flight that one pod takes; 0 = unlimited
    start_up_s: float | FloatArray  # s from creating a pod until it is ready
    drain_s: float | FloatArray  # s from letting a pod go until it is gone
    floors: dict[str, Floors] = field(default_factory=dict)  # by name
    max_extra: float = np.inf  # of one bill of all that is simulated; inf = none

    def only(self, services: IntArray) -> "World":
        """With some of its services."""
        return replace(
            self,
            services=tuple(self.services[i] for i in services),
            requests=self.requests.only(services),
            tables={name: table.only(services) for name, table in self.tables.items()},
            concurrency=value_of(self.concurrency, services),
            start_up_s=value_of(self.start_up_s, services),
            drain_s=value_of(self.drain_s, services),
            floors={name: floors.only(services) for name, floors in self.floors.items()},
        )


class Simulation:
    """Simulates a world under policies. Row p * n + i is service i under policy p."""

    def __init__(
        self, world: World, policies: Sequence[Policy], *, start_s: float, twins: bool = False
    ) -> None:
        """twins: whether each row's twin is counted beside it."""
        n = len(world.services)
        self.policies = tuple(policies)
        self.world = world
        self.now = start_s
        self.service = np.tile(np.arange(n), len(policies))  # (n_rows,) index into the services
        self.cluster = Cluster(
            world.requests,
            self.service,
            concurrency=world.concurrency,
            start_up_s=world.start_up_s,
            drain_s=world.drain_s,
        )
        self.cluster.begin(start_s)
        self.state = ControlState(fleet=_fleet(world, policies, start_s))
        count_past(self.fleet, world.requests, self.service, start_s)
        self._twins = twins
        self._steady = Steady(self.state, self.cluster)
        worth_it = not FEW < len(self.fleet) < MANY
        self._skips = worth_it and not twins and may_be_steady(self.fleet)
        self._reported = np.zeros(len(self.fleet), dtype=np.bool_)  # rows reported last second
        self._poked = np.zeros(len(self.fleet))  # requests of this second that a poke reported
        self._withdrawn: BoolArray | None = None
        self._forecasts = _RollingForecasts(world, policies, n)
        self._floors = FloorsInForce(world.floors, [p.floors for p in policies], self.fleet)

    def run(self, until: float) -> None:
        """Simulate until whole Unix s ``until``."""
        while self.now < until:
            # Up to the next second in which anything happens.
            next_s = min(self._steady.next_s, self._forecasts.next_s, self._floors.next_s)
            self.now = float(min(until, max(np.ceil(next_s), self.now + 1.0)))
            self._second(self._steady.others(self.now))
            if self.now % TICK_S == 0:
                self._tick()
        self._steady.make_up(self.now)

    def _tick(self) -> None:
        advice = self._forecasts.newer(self.now, self.fleet)
        if advice:
            self._advise(advice)
        self._steady.check_forecasts(self.now)
        self._steady.wake(self._floors.apply(self.fleet, self.now), self.now)
        rows = self._steady.others(self.now)
        if not len(rows):
            return
        decided = None if len(rows) == len(self.fleet) else rows
        now = self.cluster.state.clock[rows]
        done = control(self.state, Tick(rows=decided), now)
        if self._twins:
            count_tick(self.state, now)
        self.cluster.scale(*apply_instructions(self.state, done, decided, now))
        if self._skips:
            self._note_steady(rows, done.rows)

    def _note_steady(self, rows: IntArray, requested: IntArray) -> None:
        """Of the rows that were decided, those for which nothing was requested may be steady."""
        # What has no pod any more, but had a request in this second, is reported once more.
        same = (self.fleet.observed.ready > 0) | ~self._reported
        same[requested] = False
        quiet = rows[same[rows] & (self.cluster.next_events(rows) > self.now)]
        # To find out costs as much as a tick. It is worth it where none has to go on, or for many.
        many = len(self.fleet) >= MANY and self.now % NOTE_S == 0
        if many or len(quiet) == len(rows):
            self._steady.note(quiet, self.now)

    def withdraw(self, withdrawn: BoolArray) -> None:
        """Show forecasts of some rows (n_rows,) from now on, without applying them."""
        self._withdrawn = withdrawn
        self._steady.wake(np.arange(len(self.fleet)), self.now)
        if self.advice:
            self._advise(self.advice)

    def _advise(self, advice: Advice) -> None:
        advised = Advised(advice=replace(advice, withdrawn=self._withdrawn))
        control(self.state, advised, self.now)
        self._steady.advised(self.now)

    def run_through(self, ends: Sequence[float], names: Sequence[str]) -> list[Counts]:
        """Simulate until each of whole Unix s in turn; what some columns count then."""
        found = []
        for end in ends:
            self.run(end)
            found.append({name: column.copy() for name, column in self.counts(names).items()})
        return found

    def counts(self, names: Sequence[str] = ()) -> Counts:
        """Since the last reset. names: of some columns alone."""
        shape = len(self.policies), len(self.world.services)
        columns = {name: getattr(self.cluster.state, name) for name in names or COUNTED}
        return {name: column.reshape(*shape, *column.shape[1:]) for name, column in columns.items()}

    def reset_counts(self) -> None:
        """Count from now on."""
        self.cluster.reset_counts()

    def close(self) -> None:
        """Nothing: it lives in this process."""

    @property
    def fleet(self) -> Fleet:
        """The columns of all rows."""
        return self.state.fleet

    @property
    def advice(self) -> Advice | None:
        """The forecasts in force, at each row's price."""
        return self.state.advice

    def _second(self, rows: IntArray) -> None:
        """Simulate the second up to now for some rows."""
        poke = self.fleet.no_pod_wanted()
        due = self.cluster.run(self.now, rows, poke)
        while len(due):
            poke[due] = False
            self._poke(due)
            due = self.cluster.run(self.now, due, poke)
        self._report(rows)

    def _poke(self, rows: IntArray) -> None:
        """Requests found no pod: the activator reports at once, and the rows are decided."""
        at = self.cluster.state.clock[rows]
        self._poked[rows] += 1.0
        self._reported[rows] = True
        first = Reported(
            rows=rows,
            seconds=np.floor(at).astype(np.int64),
            samples=np.ones((2, len(rows))),
            by_activator=True,
        )
        done = control(self.state, first, at)
        self._count(first, at)
        self.cluster.scale(*apply_instructions(self.state, done, rows, at))

    def _report(self, rows: IntArray) -> None:
        """Report the statistics of some rows' last second."""
        load, arrived = self.cluster.take_statistics(rows)
        ready = self.cluster.ready(rows)
        self.fleet.observed.ready[rows] = ready
        if self._twins:
            self.fleet.pods.pending[:], self.fleet.pods.terminating[:] = self.cluster.not_ready()
        alive = (ready > 0) | (load > 0)
        known = alive | self._reported[rows]
        some = rows[known]
        report = Reported(
            rows=some,
            seconds=np.full(len(some), int(self.now)),
            samples=np.stack([load[known], arrived[known]]) - self._poked[some],
            by_activator=False,
        )
        control(self.state, report, self.now)
        self._count(report, self.now)
        self._reported[rows] = alive
        self._poked[rows] = 0.0

    def _count(self, report: Reported, now: float | FloatArray) -> None:
        if self._twins:
            count_report(self.state, report, now)


class _RollingForecasts:
    """Advice for all rows from the newest published bundles, at each row's price."""

    def __init__(self, world: World, policies: Sequence[Policy], n: int) -> None:
        names = list(world.tables)
        self._table = stack(tuple(world.tables.values())) if names else None
        offset = {name: i * n for i, name in enumerate(names)}
        self._row = np.concatenate(
            [
                np.arange(n) + offset[p.forecasts] if p.forecasts else np.full(n, -1)
                for p in policies
            ]
        )
        self._next = 0

    @property
    def next_s(self) -> float:
        """Unix s at which the next bundle is published; inf = never."""
        rest = self._table.made_at_s[self._next :] if self._table else np.zeros(0)
        return float(rest[0]) + PUBLISH_S if len(rest) else np.inf

    def newer(self, now: float, fleet: Fleet) -> Advice | None:
        """Advice by a bundle that was published by Unix s ``now``; None = no newer one."""
        if self._table is None:
            return None
        out = int(np.searchsorted(self._table.made_at_s, now - PUBLISH_S, side="right"))
        if out <= self._next:
            return None
        self._next = out
        bundle = self._table.bundle(out - 1)
        costs = PodCosts.of(fleet, ALL, fleet.spec)
        return read_at_price(bundle, self._row, costs, layout=fleet.layout)


def _fleet(world: World, policies: Sequence[Policy], start_s: float) -> Fleet:
    """All rows, initialised and at zero."""
    fleet = Fleet()
    revisions = {
        f"{name}-{i:05d}": revision
        for i, policy in enumerate(policies, 1)
        for name, revision in zip(
            world.services, rows(policy.revision, len(world.services)), strict=True
        )
    }
    fleet.add(revisions, now=start_s)
    fleet.limit_cluster(world.max_extra, EXTRA_ALLOWANCE_S)
    start_at_zero(fleet)
    return fleet
