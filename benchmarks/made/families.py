"""Made workloads by name. The docstring of each is its law; a seed makes the same bytes always.

Unless a law says otherwise, a call takes a log-normal time whose median is 0.05, 0.2 or 1 s by
service, pods start in 5 s, and parameters are log-uniform in the ranges given, each service's own.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autoscaler.core.types import FloatArray, IntArray
from autoscaler.errors import PermanentError
from benchmarks.made import call_chains, processes
from benchmarks.made.processes import DAY_S, HOUR_S, MINUTE_S, between
from benchmarks.made.traffic import MadeTraffic
from benchmarks.simulator.arrivals import Requests

MOST_SERVICE_DAYS = 20_000  # 1,000 services for 20 days: of flash crowds 120 million requests
START_UP_S = 5.0
MEDIAN_WORK_S = (0.05, 0.2, 1.0)
NO_EDGES: IntArray = np.zeros((0, 2), dtype=np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """What a family makes."""

    calls: list[FloatArray]  # of each service, s, ascending
    services: tuple[str, ...] = ()  # names, where they are not numbered
    work_s: tuple[float, ...] = MEDIAN_WORK_S  # medians of what calls take, one of them a service
    start_up_from_s: FloatArray = field(default_factory=lambda: np.zeros(1))  # (c,)
    start_up_s: FloatArray | None = None  # (n, c); None = START_UP_S
    edges: IntArray = field(default_factory=lambda: NO_EDGES)


Random = np.random.Generator
Family = Callable[[Random, int, float], Drawn]  # of so many services for so many s


def make(
    name: str, *, services: int, days: int, seed: int, graphs: list[dict[str, Any]] | None = None
) -> MadeTraffic:
    """A workload of a family.

    services: how many; fan-outs make about as many. graphs: recorded call graphs that fan-outs
    follow instead of drawn ones, as `read_graphs` returns them, from as many entry points. Raises
    PermanentError for a family that there is none of, or a size that is not positive or too large.
    """
    if name not in FAMILIES:
        raise PermanentError(f"made workload {name!r}; allowed: {', '.join(FAMILIES)}")
    if services < 1 or days < 1 or services * days > MOST_SERVICE_DAYS:
        raise PermanentError(
            f"{services} services and {days} days; allowed: one each at least, and"
            f" {MOST_SERVICE_DAYS} of their product"
        )
    random = np.random.default_rng([seed, *name.encode()])
    if graphs is None:
        drawn = FAMILIES[name](random, services, days * DAY_S)
    elif name == fan_outs.__name__:
        drawn = _called(*call_chains.fan_outs(random, services, days * DAY_S, graphs))
    else:
        raise PermanentError(f"recorded call graphs for {name!r}; allowed: for fan_outs")
    n = len(drawn.calls)
    work_s = [
        random.lognormal(np.log(random.choice(drawn.work_s)), 0.5, len(at)) for at in drawn.calls
    ]
    start_up_s = drawn.start_up_s
    return MadeTraffic(
        name=name,
        seed=seed,
        services=drawn.services or tuple(f"made/{name.replace('_', '-')}-{i:04}" for i in range(n)),
        span_s=days * DAY_S,
        requests=Requests(
            arrival_s=np.concatenate(drawn.calls),
            service_s=np.concatenate(work_s),
            offset=np.concatenate([[0], np.cumsum([len(at) for at in drawn.calls])]).astype(
                np.int64
            ),
        ),
        start_up_from_s=drawn.start_up_from_s,
        start_up_s=np.full((n, 1), START_UP_S) if start_up_s is None else start_up_s,
        edges=drawn.edges,
    )


def poisson(random: Random, n: int, end_s: float) -> Drawn:
    """Calls at random, one in 1 minute to 2 hours: there is nothing to learn."""
    return Drawn(calls=[processes.poisson(random, end_s) for _ in range(n)])


def timers(random: Random, n: int, end_s: float) -> Drawn:
    """A call every 1 to 60 minutes, later by an exponential second."""
    return Drawn(calls=[processes.timer(random, end_s) for _ in range(n)])


def sparse(random: Random, n: int, end_s: float) -> Drawn:
    """Rare, but regular: 3 to 40 minutes after the last call, or up to half as long again."""
    return Drawn(calls=[processes.regular(random, end_s) for _ in range(n)])


def bursty(random: Random, n: int, end_s: float) -> Drawn:
    """Up to a dozen calls within minutes, then none for some 20 minutes to 5 hours."""
    return Drawn(calls=[processes.bursts(random, end_s) for _ in range(n)])


def diurnal(random: Random, n: int, end_s: float) -> Drawn:
    """Poisson calls, forty times as many at the day's top as at night.

    Half way between (geometric mean) it is one in 1 to 33 minutes. Each has hours of its own.
    """
    return Drawn(calls=_daily(random, n, end_s, np.ones_like))


def weekly(random: Random, n: int, end_s: float) -> Drawn:
    """Calls at random in office hours of five days of seven, one in 10 s to 10 minutes."""
    return Drawn(calls=[processes.office_hours(random, end_s) for _ in range(n)])


def flash_crowd(random: Random, n: int, end_s: float) -> Drawn:
    """Poisson calls, one in 5 to 120 s, and a crowd now and then, once a day on average.

    The rate then doubles every five minutes, three times in a row, stays so for fifteen minutes
    and halves every ten.
    """
    grid_s, calls = _grid(end_s), []
    for mean_s in _each(random, n, 5.0, 120.0):
        rate = np.full(len(grid_s), 1 / mean_s)
        for begin_s in processes.poisson(random, end_s, DAY_S):
            rate = np.maximum(rate, processes.crowd(grid_s, begin_s) / mean_s)
        calls.append(_varying(random, grid_s, rate, end_s))
    return Drawn(calls=calls)


def drift(random: Random, n: int, end_s: float) -> Drawn:
    """As diurnal, and the rate doubles or, as often, halves every 3 to 14 days.

    It is that of diurnal in the middle of the time.
    """

    def factor(grid_s: FloatArray) -> FloatArray:
        doubling_s = between(random, 3 * DAY_S, 14 * DAY_S) * random.choice([-1, 1])
        return np.asarray(2.0 ** ((grid_s - end_s / 2) / doubling_s))

    return Drawn(calls=_daily(random, n, end_s, factor))


def release(random: Random, n: int, end_s: float) -> Drawn:
    """As diurnal. In the middle start-up, of 2 to 8 s, changes by a factor of 3 to 6, up or down.

    Down as often as up; then it is the later start-up that is of 2 to 8 s.
    """
    one_s = np.array(_each(random, n, 2.0, 8.0))
    other_s = one_s * np.array(_each(random, n, 3.0, 6.0))
    slower = random.random(n) < 0.5
    return Drawn(
        calls=diurnal(random, n, end_s).calls,
        start_up_from_s=np.array([0.0, end_s / 2]),
        start_up_s=np.column_stack(
            [np.where(slower, one_s, other_s), np.where(slower, other_s, one_s)]
        ),
    )


def outage(random: Random, n: int, end_s: float) -> Drawn:
    """As diurnal, and once in the last third nobody gets through to any service.

    After half an hour to two hours without a call, ten minutes have twice as many.
    """
    begin_s = end_s * random.uniform(2 / 3, 0.9)
    back_s = begin_s + between(random, HOUR_S / 2, 2 * HOUR_S)

    def factor(grid_s: FloatArray) -> FloatArray:
        crowded = (grid_s >= back_s) & (grid_s < back_s + 600.0)
        return np.where(crowded, 2.0, 1.0) * ((grid_s < begin_s) | (grid_s >= back_s))

    calls = _daily(random, n, end_s, factor)
    return Drawn(calls=[at[(at < begin_s) | (at >= back_s)] for at in calls])


def dst_change(random: Random, n: int, end_s: float) -> Drawn:
    """Office hours, as weekly; from midnight in the middle on all comes an hour earlier in UTC."""
    middle_s = end_s / 2 // DAY_S * DAY_S
    return Drawn(
        calls=[processes.office_hours(random, end_s, earlier_from_s=middle_s) for _ in range(n)]
    )


def slow_start(random: Random, n: int, end_s: float) -> Drawn:
    """As sparse, but pods take 120 to 300 s to start, and a call some 20 s, as of large models."""
    return Drawn(
        calls=sparse(random, n, end_s).calls,
        work_s=(20.0,),
        start_up_s=np.array(_each(random, n, 120.0, 300.0))[:, None],
    )


def chains(random: Random, n: int, end_s: float) -> Drawn:
    """Chains of 2, 4 and 8 services in turn; each calls the next after 50 ms, always.

    Their first services are called by Poisson processes, timers, or Poisson processes that follow
    the day, some eight times an hour (log-normal, 1.5).
    """
    return _called(*call_chains.chains(random, n, end_s))


def fan_outs(random: Random, n: int, end_s: float) -> Drawn:
    """Requests that each follow a call graph of their entry point, drawn in layers, or recorded.

    Entry points are called as the first services of chains are.
    """
    return _called(*call_chains.fan_outs(random, n, end_s))


FAMILIES: dict[str, Family] = {
    family.__name__: family
    for family in (
        diurnal, weekly, timers, sparse, bursty, flash_crowd, chains, fan_outs, drift, release,
        outage, dst_change, slow_start, poisson,
    )
}  # fmt: skip


def _called(services: tuple[str, ...], calls: list[FloatArray], edges: IntArray) -> Drawn:
    return Drawn(services=services, calls=calls, edges=edges)


def _each(random: Random, n: int, low: float, high: float) -> list[float]:
    """A parameter of each service."""
    return [between(random, low, high) for _ in range(n)]


def _grid(end_s: float) -> FloatArray:
    return np.arange(0.0, end_s + MINUTE_S, MINUTE_S)


def _daily(
    random: Random, n: int, end_s: float, factor: Callable[[FloatArray], FloatArray]
) -> list[FloatArray]:
    """Calls of services that follow the day. factor: (k,) on a rate at times (k,)."""
    grid_s, calls = _grid(end_s), []
    for mean_s in _each(random, n, 60.0, 2000.0):
        rate = processes.swing(grid_s, random.random()) / mean_s * factor(grid_s)
        calls.append(_varying(random, grid_s, rate, end_s))
    return calls


def _varying(random: Random, grid_s: FloatArray, rate: FloatArray, end_s: float) -> FloatArray:
    at = processes.varying(random, grid_s, processes.expected_calls(grid_s, rate))
    return at[at < end_s]
