"""Spans of a long time, simulated beside each other as if all began at once.

A simulated second costs little more for a thousand rows than for a hundred: what takes long is the
number of seconds. So a day is cut into spans, and the services of each are services of their own,
at the time of the first span. Each span has a warm-up of its own; of what a policy learned before
that it knows only what `count_past` says.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from autoscaler.core.types import IntArray
from benchmarks.simulator.arrivals import Requests
from benchmarks.simulator.forecasts import ForecastTable
from benchmarks.simulator.parts import simulation_of
from benchmarks.simulator.settings import value_of
from benchmarks.simulator.simulation import Counts, Policy, World

KEPT = 10_000  # requests of a service before each span: what `count_past` knows of older ones fades


@dataclass(frozen=True, slots=True, kw_only=True)
class Spans:
    """Equal parts of the time that is counted, one after the other."""

    begin_s: float  # Unix s at which the first one begins: a forecast of every table is made then
    length_s: float  # of each: a multiple of the tables' steps
    number: int
    warm_up_s: float  # before each, not counted

    def services(self, n: int) -> IntArray:
        """(number * n,) the service of each in `folded`: span by span."""
        return np.tile(np.arange(n), self.number)


class SideBySide:
    """All spans of a world, simulated up to the same time after their begin."""

    def __init__(
        self, world: World, policies: Sequence[Policy], spans: Spans, *, processes: int = 1
    ) -> None:
        """processes: as `simulation_of` has them."""
        self.world, self.policies, self.spans = world, tuple(policies), spans
        copies = spans.services(len(world.services))
        self._simulation = simulation_of(
            folded(world, spans) if spans.number > 1 else world,
            [policy.only(copies) for policy in policies],
            start_s=spans.begin_s - spans.warm_up_s,
            processes=processes,
        )

    @property
    def now(self) -> float:
        """Unix s up to which so much would have been simulated one span after the other."""
        since_s = self._simulation.now - self.spans.begin_s
        return self.spans.begin_s + since_s * (self.spans.number if since_s > 0 else 1)

    @property
    def share_done(self) -> float:
        """Share of what is simulated, warm-up included."""
        spans = self.spans
        since_s = self._simulation.now - (spans.begin_s - spans.warm_up_s)
        return since_s / (spans.warm_up_s + spans.length_s)

    def warm_up(self) -> None:
        """Simulate up to the begin of spans, and count from there."""
        self._simulation.run(self.spans.begin_s)
        self._simulation.reset_counts()

    def run_through(self, ends_s: Sequence[float], names: Sequence[str]) -> list[Counts]:
        """Simulate until each of whole s after the begin; what some columns count then.

        Of each span: (n_policies, number, n_services, ...).
        """
        ends = [self.spans.begin_s + end_s for end_s in ends_s]
        return [self._by_span(counts) for counts in self._simulation.run_through(ends, names)]

    def counts(self, names: Sequence[str] = ()) -> Counts:
        """Of all spans together, as `Simulation.counts`."""
        by_span = self._by_span(self._simulation.counts(names))
        return {name: column.sum(axis=1) for name, column in by_span.items()}

    def close(self) -> None:
        """End what belongs to it."""
        self._simulation.close()

    def _by_span(self, counts: Counts) -> Counts:
        shape = len(self.policies), self.spans.number, len(self.world.services)
        return {name: column.reshape(*shape, *column.shape[2:]) for name, column in counts.items()}


def folded(world: World, spans: Spans) -> World:
    """With the services of each span, at the time of the first one.

    Without floors, and without a bill of all: the one goes by the time, the other by what was
    spent before.
    """
    assert not world.floors
    assert world.max_extra == np.inf
    n = len(world.services)
    copies = spans.services(n)
    return World(
        services=tuple(f"{world.services[i]}-{at // n}" for at, i in enumerate(copies)),
        requests=_moved(world.requests, spans),
        tables={name: _cut(table, spans) for name, table in world.tables.items()},
        concurrency=value_of(world.concurrency, copies),
        start_up_s=value_of(world.start_up_s, copies),
        drain_s=value_of(world.drain_s, copies),
    )


def _moved(requests: Requests, spans: Spans) -> Requests:
    """Each span's, with the last ones before it and none after it."""
    arrival_s, service_s = [], []
    for span in range(spans.number):
        later_s = span * spans.length_s
        ends_s = later_s + spans.begin_s + np.array([-spans.warm_up_s, spans.length_s])
        for begin, end in pairwise(requests.offset.tolist()):
            first, until = begin + np.searchsorted(requests.arrival_s[begin:end], ends_s)
            first = max(first - KEPT, begin)
            arrival_s.append(requests.arrival_s[first:until] - later_s)
            service_s.append(requests.service_s[first:until])
    lengths = [len(each) for each in arrival_s]
    return Requests(
        arrival_s=np.concatenate(arrival_s),
        service_s=np.concatenate(service_s),
        offset=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
    )


def _cut(table: ForecastTable, spans: Spans) -> ForecastTable:
    """Of each span its own forecasts; before the table's first one there are none."""
    step_s = float(table.made_at_s[1] - table.made_at_s[0])
    first = round((spans.begin_s - table.made_at_s[0]) / step_s)
    # The warm-up begins with one that is published already.
    before, length = int(spans.warm_up_s // step_s) + 1, round(spans.length_s / step_s)
    after = np.arange(-before, length)
    origins = first + after + length * np.arange(spans.number)[:, None]
    exceedance = table.exceedance[:, np.maximum(origins, 0)]  # (n, number, n_origins, ...)
    exceedance[:, origins < 0] = np.nan
    return replace(
        table.only(spans.services(len(table.services))),
        made_at_s=np.asarray(spans.begin_s + after * step_s, dtype=np.float64),
        exceedance=np.concatenate(np.moveaxis(exceedance, 1, 0)),
    )
