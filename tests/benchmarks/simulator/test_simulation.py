"""Services under the real decide(): scenarios with exact results, and invariants."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from autoscaler.core.prediction.early import CASES
from autoscaler.core.state.revision import Mode, Revision
from autoscaler.core.types import FloatArray
from benchmarks.policies.policies import revision
from benchmarks.simulator.arrivals import Requests
from benchmarks.simulator.events import COUNTED
from benchmarks.simulator.forecasts import ForecastTable
from benchmarks.simulator.simulation import PUBLISH_S, Policy, Simulation, World

START_UP_S = 5.0
DRAIN_S = 0.0  # where a drain is not the point
BASE = revision(1, START_UP_S, DRAIN_S)
# Knative starts one pod for one request, not ceil(1 / 0.7).
LARGE = revision(10, START_UP_S, DRAIN_S)
KPA = Policy(name="KPA", revision=BASE)


def world(
    *arrivals: Sequence[float] | FloatArray,
    service_s: float = 0.25,
    concurrency: int = 1,
    start_up_s: float = START_UP_S,
    drain_s: float = DRAIN_S,
    table: ForecastTable | None = None,
) -> World:
    """Services that are called at these s."""
    return World(
        services=tuple(f"shop/{i}" for i in range(len(arrivals))),
        requests=Requests(
            arrival_s=np.concatenate([np.array(a, dtype=np.float64) for a in arrivals]),
            service_s=np.full(sum(map(len, arrivals)), service_s),
            offset=np.concatenate([[0], np.cumsum([len(a) for a in arrivals])]).astype(np.int64),
        ),
        tables={} if table is None else {"model": table},
        concurrency=concurrency,
        start_up_s=start_up_s,
        drain_s=drain_s,
    )


def busy(seed: int, *, seconds: int = 900) -> World:
    """Three services: bursts, a steady one, a rare one; seeded."""
    rng = np.random.default_rng(seed)
    bursts = 100 * rng.integers(0, seconds // 100, 60) + rng.uniform(0, 4, 60)
    steady, rare = rng.uniform(0, seconds, 400), rng.uniform(0, seconds, 5)
    return world(*(np.sort(at) for at in (bursts, steady, rare)), service_s=1.5)


def table(
    probability: Sequence[Sequence[float]], *, services: int = 1, level: float = 1.0
) -> ForecastTable:
    """Origins every minute from 0 on, windows of a minute; probability (n_origins, n_windows)."""
    matrix = np.array(probability, dtype=np.float64)
    return ForecastTable(
        services=tuple(f"shop/{i}" for i in range(services)),
        made_at_s=np.arange(0.0, 60.0 * len(matrix), 60.0),
        fitted_at_s=0.0,
        window_edges_s=60.0 * np.arange(matrix.shape[1] + 1),
        demand_edges=np.tile([0.0, level, level], (services, 1)),
        exceedance=np.tile(np.stack([matrix, 0 * matrix], axis=2), (services, 1, 1, 1)),
        model=("made by hand",) * services,
        reason=("",) * services,
    )


def under(mode: Mode, *, base: Revision = BASE) -> Policy:
    return Policy(name=mode.name, revision=replace(base, mode=mode), forecasts="model")


def column(simulation: Simulation, name: str) -> list[float]:
    return [float(value) for value in getattr(simulation.cluster.state, name)]


def pods(simulation: Simulation, *, until: float) -> list[tuple[float, int]]:
    """When the first row's ready pods changed, as (s, pods), looked at every two seconds."""
    changes = [(simulation.now, 0)]
    while simulation.now < until:
        simulation.run(simulation.now + 2.0)
        ready = int(simulation.cluster.ready()[0])
        if ready != changes[-1][1]:
            changes.append((simulation.now, ready))
    return changes[1:]


@pytest.mark.parametrize("seed", range(3))
def test_every_request_that_came_has_started_or_waits(seed: int) -> None:
    simulation = Simulation(busy(seed), [KPA], start_s=0.0)
    offset = simulation.world.requests.offset
    for until in (50.0, 104.0, 500.0, 900.0):
        simulation.run(until)
        s = simulation.cluster.state
        own = [simulation.world.requests.arrival_s[a:b] for a, b in pairwise(offset)]
        assert (s.next - offset[:-1]).tolist() == [int((at < until).sum()) for at in own]
        assert (s.requests + s.next - s.head).tolist() == (s.next - offset[:-1]).tolist()
    assert (s.waits.sum(axis=1) == s.requests).all()
    assert (s.cold_waits.sum(axis=1) == s.cold_from_zero + s.cold_scale_out).all()
    assert (s.busy_s <= s.allocated_s).all()


def test_a_policy_alone_equals_itself_among_others() -> None:
    retaining = Policy(name="retention", revision=replace(BASE, retention_s=300.0))
    always = Policy(name="always", revision=replace(BASE, min_scale=1))
    alone = Simulation(busy(1), [KPA], start_s=0.0)
    among = Simulation(busy(1), [always, KPA, retaining], start_s=0.0)
    alone.run(900.0)
    among.run(900.0)
    for name in COUNTED:
        np.testing.assert_array_equal(
            getattr(among.cluster.state, name)[3:6], getattr(alone.cluster.state, name)
        )


def test_a_call_to_zero_waits_for_the_start_up_and_for_no_tick() -> None:
    simulation = Simulation(world([100.3]), [KPA], start_s=0.0)
    simulation.run(120.0)
    assert column(simulation, "wait_s") == pytest.approx([START_UP_S])
    assert column(simulation, "cold_from_zero") == [1]


def test_a_service_called_once_goes_to_zero_a_stable_window_after_its_last_statistic() -> None:
    # Served from 105.3 to 105.55, last reported at 106; 60 s later its average is zero and it is
    # inactive; the activator, in the path all along, is asked at the next tick, believed one later.
    once = Policy(name="KPA", revision=LARGE)
    simulation = Simulation(world([100.3], concurrency=10), [once], start_s=0.0)
    assert pods(simulation, until=300.0) == [(106.0, 1), (170.0, 0)]
    assert column(simulation, "allocated_s") == pytest.approx([170.0 - 100.3])


def test_under_knative_too_a_pod_costs_its_drain() -> None:
    once = Policy(name="KPA", revision=LARGE)
    shared = world([100.3], concurrency=10, drain_s=30.0)
    simulation = Simulation(shared, [once], start_s=0.0)
    assert pods(simulation, until=300.0) == [(106.0, 1), (170.0, 0)]
    assert column(simulation, "allocated_s") == pytest.approx([170.0 + 30.0 - 100.3])


def test_zero_waits_out_the_grace_where_the_activator_has_to_come_into_the_path_first() -> None:
    apart = Policy(name="apart", revision=replace(LARGE, target_burst_capacity=0.0))
    simulation = Simulation(world([100.3], concurrency=10), [apart], start_s=0.0)
    assert pods(simulation, until=300.0) == [(106.0, 1), (166.0 + 30.0, 0)]


def test_retention_keeps_the_last_pod_for_a_later_call() -> None:
    retaining = Policy(name="retention", revision=replace(BASE, retention_s=300.0))
    simulation = Simulation(world([100.3, 400.0]), [KPA, retaining], start_s=0.0)
    simulation.run(450.0)
    assert column(simulation, "cold_from_zero") == [2, 1]


def test_retention_ends() -> None:
    retaining = Policy(name="retention", revision=replace(LARGE, retention_s=300.0))
    simulation = Simulation(world([100.3], concurrency=10), [retaining], start_s=0.0)
    assert pods(simulation, until=600.0) == [(106.0, 1), (166.0 + 300.0, 0)]


def test_min_scale_is_never_cold_after_its_first_pod() -> None:
    always = Policy(name="always", revision=replace(BASE, min_scale=1))
    simulation = Simulation(world([10.0, 150.0, 400.0, 401.0]), [always], start_s=0.0)
    assert pods(simulation, until=600.0) == [(8.0, 1)]
    assert column(simulation, "wait_s") == [0.0]
    assert column(simulation, "allocated_s") == [600.0 - 2.0]


def test_a_burst_gets_pods_within_a_panic_window() -> None:
    steady = np.arange(0.0, 200.0, 0.5)
    simulation = Simulation(world([*steady, *[200.0] * 20], service_s=2.0), [KPA], start_s=0.0)
    simulation.run(200.0)
    before = int(simulation.cluster.ready()[0])
    simulation.run(212.0)
    assert simulation.cluster.ready()[0] >= before + 10


def test_a_forecast_has_the_pod_ready_before_the_request() -> None:
    # Made at 300 for 360 ... 420.
    probability = [[0.0, 0.0]] * 5 + [[0.0, 1.0], [1.0, 0.0]] + [[0.0, 0.0]] * 3
    shared = world([360.0], table=table(probability))
    simulation = Simulation(shared, [KPA, under(Mode.OUTWARD)], start_s=0.0)
    simulation.run(400.0)
    assert column(simulation, "wait_s") == pytest.approx([START_UP_S, 0.0])
    assert column(simulation, "cold_from_zero") == [1, 0]


def test_full_lets_the_pod_go_when_the_forecast_expects_nobody() -> None:
    shared = world([100.3], table=table([[0.0, 0.0]] * 10))
    simulation = Simulation(shared, [KPA, under(Mode.OUTWARD), under(Mode.FULL)], start_s=0.0)
    simulation.fleet.early.cases[:] = CASES  # and no pod was missed
    simulation.run(500.0)
    kpa, outward, full = column(simulation, "allocated_s")
    assert outward == kpa
    assert full < kpa


def test_full_is_knative_where_there_is_no_forecast() -> None:
    empty = table([[np.nan, np.nan]] * 15, services=3)
    shared = replace(busy(2), tables={"model": empty})
    simulation = Simulation(shared, [KPA, under(Mode.FULL)], start_s=0.0)
    simulation.run(900.0)
    for name in COUNTED:
        values = getattr(simulation.cluster.state, name)
        np.testing.assert_array_equal(values[:3], values[3:])


def test_without_forecasts_every_mode_is_knative() -> None:
    modes = [
        Policy(name=mode.name, revision=replace(BASE, mode=mode))
        for mode in (Mode.OFF, Mode.SHADOW, Mode.OUTWARD, Mode.FULL)
    ]
    simulation = Simulation(busy(3), modes, start_s=0.0)
    simulation.run(900.0)
    for name in COUNTED:
        values = getattr(simulation.cluster.state, name).reshape(4, 3, -1)
        np.testing.assert_array_equal(values[1:], [values[0]] * 3)


def test_in_shadow_a_forecast_changes_nothing() -> None:
    shared = replace(busy(3), tables={"model": table([[1.0, 1.0]] * 15, services=3, level=5.0)})
    simulation = Simulation(shared, [KPA, under(Mode.SHADOW), under(Mode.OUTWARD)], start_s=0.0)
    simulation.run(900.0)
    for name in COUNTED:
        values = getattr(simulation.cluster.state, name)
        np.testing.assert_array_equal(values[:3], values[3:6])
    assert simulation.cluster.state.wait_s[6:].sum() < simulation.cluster.state.wait_s[:3].sum()


def test_outward_never_wants_less_than_knatives_rule_asks_for() -> None:
    probabilities = np.random.default_rng(0).uniform(0.0, 0.3, (15, 2)).tolist()
    shared = replace(busy(4), tables={"model": table(probabilities, services=3, level=3.0)})
    simulation = Simulation(shared, [under(Mode.OUTWARD)], start_s=0.0)
    added = 0
    while simulation.now < 900.0:
        simulation.run(simulation.now + 2.0)
        decision = simulation.fleet.decision
        assert (decision.desired >= decision.kpa).all()
        added += int((decision.desired > decision.kpa).sum())
    assert added


def test_outward_costs_at_least_what_knative_costs_where_waiting_asks_for_no_pods() -> None:
    # Elsewhere it may cost less: who does not wait is not counted twice, and causes no panic.
    probabilities = np.random.default_rng(0).uniform(0.0, 0.3, (15, 2)).tolist()
    calm = np.arange(0.0, 900.0, 130.0)
    shared = world(calm, concurrency=10, start_up_s=0.5, table=table(probabilities))
    modes = [Policy(name="KPA", revision=LARGE), under(Mode.OUTWARD, base=LARGE)]
    simulation = Simulation(shared, modes, start_s=0.0)
    simulation.run(900.0)
    kpa, outward = column(simulation, "allocated_s")
    assert outward >= kpa


def test_a_forecast_is_seen_only_once_it_is_published() -> None:
    shared = world([1000.0], table=table([[0.5, 0.5]] * 10))
    simulation = Simulation(shared, [under(Mode.OUTWARD)], start_s=0.0)
    seen: dict[float | None, float] = {}
    while simulation.now < 200.0:
        simulation.run(simulation.now + 2.0)
        advice = simulation.advice
        seen.setdefault(None if advice is None else float(advice.starts_s[0]), simulation.now)
    assert PUBLISH_S == 5.0
    assert seen == {None: 2.0, 0.0: 6.0, 60.0: 66.0, 120.0: 126.0, 180.0: 186.0}


def test_a_policy_sees_its_own_table_and_its_own_services() -> None:
    calls = table([[1.0]] * 10, services=2)
    calls.exceedance[0] = 0.0
    nothing = replace(calls, exceedance=0 * calls.exceedance)
    shared = replace(world([], []), tables={"nothing": nothing, "model": calls})
    blind = replace(under(Mode.OUTWARD), forecasts="nothing")
    simulation = Simulation(shared, [KPA, blind, under(Mode.OUTWARD)], start_s=0.0)
    simulation.run(60.0)
    assert simulation.cluster.ready().tolist() == [0, 0, 0, 0, 0, 1]


@pytest.mark.parametrize("span", [1.0, 2.0, 15.0, 60.0])
def test_stops_at_the_second_that_was_asked_for(span: float) -> None:
    simulation = Simulation(world([3.0]), [KPA], start_s=0.0)
    for turn in range(1, 9):
        simulation.run(turn * span)
        assert simulation.now == turn * span
