"""Made services whose law is known, so that decisions can be judged apart from forecasts.

Three days are past, five hours are walked through: many services say as much as a long time, and
are simulated sooner. All of it is synthetic, and seeded.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from autoscaler.core.types import FloatArray
from benchmarks.goals.workloads import DAY_STEPS, STEP_S, Law, Workload
from benchmarks.made.processes import bursts, expected_calls, swing, varying
from benchmarks.simulator.arrivals import Requests, measure
from benchmarks.simulator.forecasts import ForecastTable
from benchmarks.traces.trace import Trace

SERVICES, CALL_S = 96, 0.2
DAY_S = DAY_STEPS * STEP_S
PAST_STEPS = 3 * DAY_STEPS
STEPS = PAST_STEPS + 300
END_S = STEPS * STEP_S
TIMER_S = 75.0
MIDS = (np.arange(256) + 0.5) / 256  # of the range in which a next call lies
GOLDEN = 0.618  # of a turn from one service's hours to the next's: none alike


def known(workload: Workload, law: Law, window_edges_s: FloatArray) -> ForecastTable:
    """What can be known at best, at each step of what follows a workload's past."""
    demand = workload.demand
    n = len(demand.services)
    begin_s = demand.start_s + workload.first * demand.step_s
    made_at_s = np.arange(begin_s, demand.end_s, demand.step_s)
    return ForecastTable(
        services=demand.services,
        made_at_s=made_at_s,
        fitted_at_s=begin_s,
        window_edges_s=window_edges_s,
        demand_edges=np.tile([0.0, 1.0], (n, 1)),
        exceedance=law(made_at_s, window_edges_s)[..., None].astype(np.float32),
        model=("law",) * n,
        reason=("",) * n,
    )


def made_workloads() -> Iterator[Workload]:
    """All of them."""
    for make in (timers, rare_regular_callers, day_and_night, poisson):
        yield make()


def timers(seed: int = 1) -> Workload:
    """A call every 75 s, never missed; each service has a phase of its own."""
    phase = np.random.default_rng(seed).uniform(0, TIMER_S, SERVICES)
    calls = [np.arange(begin, END_S, TIMER_S) for begin in phase]

    def law(origin_s: FloatArray, edges_s: FloatArray) -> FloatArray:
        at = origin_s[:, None] + edges_s
        return np.array([np.diff(np.searchsorted(one, at)) > 0 for one in calls], dtype=np.float64)

    return workload_of("timers of 75 s", calls, law)


def rare_regular_callers(seed: int = 2) -> Workload:
    """The next call comes 2 to 30 minutes after the last, and up to twice as long again."""
    random = np.random.default_rng(seed)
    least = np.geomspace(120.0, 1800.0, SERVICES)
    spread = least * np.resize([0.1, 0.3, 1.0, 2.0], SERVICES)
    calls = [
        np.cumsum(a + random.uniform(0, b, int(END_S // a) + 1))
        for a, b in zip(least, spread, strict=True)
    ]

    def law(origin_s: FloatArray, edges_s: FloatArray) -> FloatArray:
        known = []
        for one, floor, width in zip(calls, least, spread, strict=True):
            last = np.concatenate([[0.0], one])[np.searchsorted(one, origin_s)]
            age_s = (origin_s - last)[:, None]
            shortest = np.maximum(floor, age_s)
            first = shortest + MIDS * (floor + width - shortest) - age_s  # (k, n_mids)
            n_later = int(edges_s[-1] / floor) + 1
            later = np.cumsum(floor + width * random.random((len(MIDS), n_later)), axis=1)
            at = first[..., None] + np.pad(later, ((0, 0), (1, 0)))
            known.append(
                [((at >= a) & (at < b)).any(axis=2).mean(axis=1) for a, b in pairwise(edges_s)]
            )
        return np.array(known).transpose(0, 2, 1)

    return workload_of("rare regular callers", [one[one < END_S] for one in calls], law)


def day_and_night(seed: int = 3) -> Workload:
    """Poisson calls, forty times as many by day as by night; each service has hours of its own."""
    grid_s = np.arange(0.0, END_S + DAY_S, STEP_S)
    factor = np.stack([swing(grid_s, phase) for phase in np.arange(SERVICES) * GOLDEN])
    mean_s = np.geomspace(60.0, 2000.0, SERVICES)
    return _poisson("day and night", grid_s, factor / mean_s[:, None], seed)


def poisson(seed: int = 4) -> Workload:
    """Calls at a steady rate, one in 40 to 3,000 s."""
    grid_s = np.array([0.0, END_S + DAY_S])
    rate = np.repeat(1 / np.geomspace(40.0, 3000.0, SERVICES)[:, None], 2, axis=1)
    return _poisson("Poisson", grid_s, rate, seed)


def sparse(seed: int = 5) -> Workload:
    """Bursts: up to a dozen calls within minutes, then none for 10 minutes to 5 hours."""
    random = np.random.default_rng(seed)
    means_s = np.geomspace(600.0, 18_000.0, SERVICES)
    return workload_of("sparse bursts", [bursts(random, END_S, mean_s) for mean_s in means_s])


def _poisson(name: str, grid_s: FloatArray, rate: FloatArray, seed: int) -> Workload:
    """Poisson calls. grid_s: (k,) s. rate: (n, k) calls per second there."""
    random = np.random.default_rng(seed)
    expected = expected_calls(grid_s, rate)  # (n, k) calls up to then
    calls = [varying(random, grid_s, one) for one in expected]

    def law(origin_s: FloatArray, edges_s: FloatArray) -> FloatArray:
        at = origin_s[:, None] + edges_s
        mean = np.array([np.diff(np.interp(at, grid_s, e)) for e in expected])
        return np.asarray(1 - np.exp(-mean), dtype=np.float64)

    return workload_of(name, [one[one < END_S] for one in calls], law)


def workload_of(name: str, calls: Sequence[FloatArray], law: Law | None = None) -> Workload:
    """Of calls (k,) s of each service, ascending to ``END_S``."""
    requests = Requests(
        arrival_s=np.concatenate(calls),
        service_s=np.full(sum(map(len, calls)), CALL_S),
        offset=np.concatenate([[0], np.cumsum([len(one) for one in calls])]).astype(np.int64),
    )
    shape = len(calls), STEPS
    trace = Trace(
        services=tuple(f"made/{row:03}" for row in range(len(calls))),
        start_s=0.0,
        step_s=STEP_S,
        counts=np.zeros(shape),
        duration_s=np.full(shape, np.nan),
        kind="counts",
    )
    demand = measure(requests, trace, step_s=STEP_S, capacity=1.0)
    return Workload(name=name, requests=requests, demand=demand, first=PAST_STEPS, law=law)
