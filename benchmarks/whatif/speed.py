"""Time of the simulator, and what it makes of its targets.

    python -m benchmarks.whatif.speed                 # minutes of each
    python -m benchmarks.whatif.speed --hours 24
    python -m benchmarks.whatif.speed --whole         # the targets themselves, by the clock

A made fleet from nine o'clock on, in one process: under all policies of the what-if; under kn-ahead
alone, at several numbers of services; and one service of each kind, for ten times as long. Half of
what is forecast is what came an hour ago, half how often each is called, so that decisions change
from minute to minute. Times are CPU times of this process; on cores that are shared with others
they come out up to twice as long. Of targets as a whole, the fleet is simulated as a what-if is: in
spans beside each other, on all cores.
"""

import os
import time
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.policies.policies import (
    FULL,
    baselines,
    copy,
    oracle,
    ours,
    priced,
    revision,
)
from benchmarks.replay import SPAN_WARM_UP_S
from benchmarks.simulator.arrivals import measure
from benchmarks.simulator.forecasts import ForecastTable, copied_forecasts, oracle_forecasts
from benchmarks.simulator.simulation import Policy, Simulation, World
from benchmarks.simulator.spans import SideBySide, Spans
from benchmarks.traces.trace import Trace
from benchmarks.whatif.made_fleet import KINDS, made_fleet
from benchmarks.whatif.run import SPAN_S
from learner.demand import Demand
from learner.settings import LearnerSettings

STEP_S, HOUR_S, DAY_S = 60.0, 3600.0, 86_400.0
BEGIN_S = 9 * HOUR_S
WARM_UP_S = 900.0  # not timed: all is compiled, and keep-alives are full
START_UP_S, DRAIN_S, PRICE_S = 5.0, 30.0, 600.0
SIZES = (100, 300, 1_000)
MODEL, ORACLE, COPY = "model", "oracle", "copy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """CPU time of a simulation."""

    rows: int  # services times policies
    simulated_s: float
    cpu_s: float

    def of(self, simulated_s: float) -> float:
        """CPU s of so many simulated s."""
        return self.cpu_s / self.simulated_s * simulated_s


def fleet(services: int, hours: float, only: int | None = None) -> World:
    """Made services, or one of them alone, called until some hours after `BEGIN_S`."""
    end_s = BEGIN_S + WARM_UP_S + hours * HOUR_S
    names, requests = made_fleet(services, end_s / DAY_S)
    if only is not None:
        names, requests = (names[only],), requests.only(np.array([only]))
    n_steps = int(np.ceil(end_s / STEP_S))
    counts = np.zeros((len(names), n_steps))
    for row, (begin, end) in enumerate(pairwise(requests.offset)):
        step = (requests.arrival_s[begin:end] // STEP_S).astype(np.int64)
        counts[row] = np.bincount(step, minlength=n_steps)
    trace = Trace(
        services=names, start_s=0.0, step_s=STEP_S, counts=counts,
        duration_s=np.full(counts.shape, np.nan), kind="counts",
    )  # fmt: skip
    capacity = revision(0, START_UP_S, DRAIN_S).pod_capacity
    demand = measure(requests, trace, step_s=STEP_S, capacity=capacity)
    return World(
        services=names, requests=requests, tables=_tables(demand),
        concurrency=0, start_up_s=START_UP_S, drain_s=DRAIN_S,
    )  # fmt: skip


def _tables(demand: Demand) -> dict[str, ForecastTable]:
    """Of an oracle, of who copies the hour before, and of who half believes the latter."""
    origins = np.arange(int(BEGIN_S // STEP_S), demand.n_steps)
    edges_s = np.array(LearnerSettings().windows, dtype=np.float64) * STEP_S
    n = len(demand.services)
    like = ForecastTable(
        services=demand.services, fitted_at_s=BEGIN_S,
        made_at_s=(origins * STEP_S).astype(np.float64),
        window_edges_s=edges_s, demand_edges=np.zeros((n, 2)),
        exceedance=np.zeros((n, len(origins), len(edges_s) - 1, 1), dtype=np.float32),
        model=("",) * n, reason=("",) * n,
    )  # fmt: skip
    copied = copied_forecasts(like, demand, origins, HOUR_S)
    busy = (demand.arrivals > 0).mean(axis=1)  # share of the minutes with a call
    usual = 1.0 - (1.0 - busy[:, None]) ** (np.diff(edges_s) / STEP_S)
    half = 0.5 * copied.exceedance
    half[..., 0] += 0.5 * usual[:, None, :]
    return {
        MODEL: replace(copied, exceedance=half.astype(np.float32)),
        ORACLE: oracle_forecasts(like, demand, origins),
        COPY: copied,
    }


def policies_of_the_what_if() -> list[Policy]:
    """As `kn-ahead whatif` simulates them."""
    base = revision(0, START_UP_S, DRAIN_S)
    mine = ours(base, PRICE_S, MODEL, (FULL,))
    return [*baselines(base), copy(base, COPY), *mine, oracle(base, ORACLE)]


def cost(world: World, policies: list[Policy], hours: float) -> Cost:
    """Simulated in this process."""
    simulation = Simulation(world, policies, start_s=BEGIN_S)
    simulation.run(BEGIN_S + WARM_UP_S)
    begin = time.process_time()
    simulation.run(BEGIN_S + WARM_UP_S + hours * HOUR_S)
    cpu_s = time.process_time() - begin
    return Cost(rows=len(simulation.fleet), simulated_s=hours * HOUR_S, cpu_s=cpu_s)


def whole(world: World, policies: list[Policy], days: float, span_s: float) -> float:
    """s by the clock to simulate so many days, in spans beside each other, on all cores."""
    number = round(days * DAY_S / span_s)
    spans = Spans(begin_s=BEGIN_S, length_s=span_s, number=number, warm_up_s=SPAN_WARM_UP_S)
    begin = time.perf_counter()
    with closing(SideBySide(world, policies, spans, processes=os.cpu_count() or 1)) as simulation:
        simulation.warm_up()
        simulation.run_through([span_s], ())
        simulation.counts()
    return time.perf_counter() - begin


def say_targets(policies: list[Policy], console: Console) -> None:
    """The targets, simulated as a whole; of one service, spans leave less to skip."""

    def say(case: str, world: World, days: int, span_s: float, target_s: int) -> None:
        took_s = whole(world, policies, days, span_s)
        console.print(f"{case}: {took_s:,.0f} s by the clock, target {target_s:,} s")

    say("1,000 services, 14 days", fleet(1_000, 14 * 24), 14, SPAN_S, 600)
    for i, kind in enumerate(KINDS):
        one = fleet(len(KINDS), 365 * 24, only=i)
        say(f"a year of a service: {kind}", one, 365, 365 * DAY_S, 60)


def main(
    hours: Annotated[float, typer.Option(min=0.02, help="To simulate of each.")] = 0.1,
    services: Annotated[int, typer.Option(min=1, help="Under all policies.")] = 300,
    as_a_whole: Annotated[bool, typer.Option("--whole", help="The targets themselves.")] = False,
) -> None:
    """Print CPU seconds, as measured and for the targets; or the seconds that targets take."""
    policies = policies_of_the_what_if()
    ours_alone = [each for each in policies if each.name == priced(FULL, PRICE_S)]
    if as_a_whole:
        say_targets(ours_alone, Console())
        return
    table = Table("case", "rows", "simulated s", "CPU s", "ms a s", "target, s", "CPU s for it")

    def add(case: str, found: Cost, target: str, simulated_s: float) -> None:
        table.add_row(
            case, f"{found.rows:,}", f"{found.simulated_s:,.0f}", f"{found.cpu_s:.2f}",
            f"{found.of(1e3):.3f}", target, f"{found.of(simulated_s):,.0f}",
        )  # fmt: skip

    of_all = cost(fleet(services, hours), policies, hours)
    add(f"{services} services, {len(policies)} policies", of_all, "a day", DAY_S)
    for size in SIZES:
        found = cost(fleet(size, hours), ours_alone, hours)
        add(f"{size:,} services", found, "14 days in 1,200", 14 * DAY_S)
    for i, kind in enumerate(KINDS):
        one = fleet(len(KINDS), 10 * hours, only=i)
        add(f"a service: {kind}", cost(one, ours_alone, 10 * hours), "a year in 60", 365 * DAY_S)
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
