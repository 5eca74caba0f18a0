"""Services that call each other: waits that add up, pods that drain, and the fast simulator."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from autoscaler.core.prediction.dependencies import Edges
from autoscaler.core.state.revision import Mode
from autoscaler.core.types import FloatArray
from benchmarks.policies.policies import revision
from benchmarks.simulator import simulation as simulator
from benchmarks.simulator.arrivals import Requests
from benchmarks.simulator.calls import Call, CallSimulation, Log, Service, Shop
from benchmarks.simulator.pods import SimulatedPod

START_UP_S = 3.0
OURS = replace(revision(10, START_UP_S, 30.0), mode=Mode.OUTWARD)


def chain(n: int, *, slots: int = 10) -> Shop:
    """Services in a row; each calls the next."""
    calls = [(Call(to=i + 1),) for i in range(n - 1)] + [()]
    services = tuple(Service(name=f"shop/s{i}", calls=c) for i, c in enumerate(calls))
    return Shop(services=services, start_up_s=START_UP_S, slots=slots)


def edges(names: tuple[str, ...], *pairs: tuple[int, int], confidence: float = 1.0) -> Edges:
    one = np.ones(len(pairs))
    return Edges(
        services=names,
        upstream=np.array([up for up, _ in pairs], dtype=np.int64),
        downstream=np.array([down for _, down in pairs], dtype=np.int64),
        lag_s=0 * one,
        gain=one,
        probability=one,
        confidence=confidence * one,
        evidence=one,
        seen_at_s=one,
        direct=one > 0,
        origin=np.zeros(len(pairs), dtype=np.int64),
    )


def test_a_cold_chain_waits_once_a_service_under_knative() -> None:
    latency = CallSimulation(chain(4), OURS, None).run([(10.3, 0)], 60.0)
    assert latency == pytest.approx([4 * START_UP_S + 4 * 0.02], abs=1e-5)


def test_with_sure_edges_it_waits_once() -> None:
    shop = chain(4)
    graph = edges(shop.names, (0, 1), (1, 2), (2, 3))
    latency = CallSimulation(shop, OURS, graph).run([(10.3, 0)], 60.0)
    assert latency == pytest.approx([START_UP_S + 4 * 0.02], abs=1e-5)


def test_an_asynchronous_call_is_later_and_delays_no_request() -> None:
    later = (Call(to=1, pause_s=20.0),)
    shop = replace(chain(2), services=(Service(name="shop/a", calls=later), Service(name="shop/b")))
    simulation = CallSimulation(shop, OURS, None)
    latency = simulation.run([(10.3, 0)], 200.0)
    assert latency == pytest.approx([START_UP_S + 0.02], abs=1e-5)
    log = simulation.log()
    assert log.service.tolist() == [0, 1]
    assert 2.0 < log.at_s[1] - log.at_s[0] < 200.0


def test_a_reply_makes_no_calls() -> None:
    calls = (Call(to=1),), (Call(to=0, ends=True),)
    services = tuple(Service(name=f"shop/{i}", calls=c) for i, c in enumerate(calls))
    simulation = CallSimulation(replace(chain(2), services=services), OURS, None)
    simulation.run([(10.3, 0)], 60.0)
    assert simulation.log().service.tolist() == [0, 1, 0]


def test_requests_are_the_same_under_every_policy() -> None:
    shop = replace(
        chain(3),
        services=(
            Service(name="shop/a", calls=(Call(to=1, probability=0.5), Call(to=2, pause_s=9.0))),
            Service(name="shop/b", calls=(Call(to=2, probability=0.5),)),
            Service(name="shop/c"),
        ),
    )
    arrivals = [(7.0 * i, 0) for i in range(60)]
    graph = edges(shop.names, (0, 1), (0, 2))
    many = []
    for known in (None, graph):
        simulation = CallSimulation(shop, OURS, known, seed=4)
        simulation.run(arrivals, 700.0)
        many.append(np.bincount(simulation.log().service).tolist())
    assert many[0] == many[1]
    assert 60 > many[0][1] > 10


def test_a_draining_pod_finishes_its_requests_and_takes_no_more() -> None:
    shop = Shop(services=(Service(name="shop/a", work_s=50.0),), start_up_s=1.0, drain_s=0.625)
    simulation = CallSimulation(shop, OURS, None)
    pods = simulation.pods[0]
    pods.scale(2)
    simulation.env.run(until=simulation.env.now + 2.0)
    turns = [pods.enqueue() for _ in range(4)]
    first, second = turns[0].value, turns[1].value
    assert isinstance(first, SimulatedPod)
    assert isinstance(second, SimulatedPod)
    assert first is not second
    assert [first.load, second.load] == [2, 2]
    pods.scale(1)
    assert pods.ready == 1
    turns += [pods.enqueue() for _ in range(8)]
    assert all(turn.triggered for turn in turns)
    waiting = pods.enqueue()
    assert not waiting.triggered
    begin = simulation.env.now
    simulation.env.run(until=begin + 0.5)
    pods.finish(second)
    pods.finish(second)
    assert not waiting.triggered
    assert pods.pod_s() == pytest.approx((2.5 + 2.5, 0.5 + 0.5))
    simulation.env.run(until=begin + 0.75)
    assert pods.pod_s() == pytest.approx((2.75 + 2.625, 0.75 + 0.5))


def test_a_pod_without_a_request_is_counted_as_unused() -> None:
    shop = chain(2)
    simulation = CallSimulation(
        shop, OURS, edges(shop.names[::-1], (0, 1))
    )  # a false edge: s1 calls s0
    simulation.run([(10.3, 1)], 300.0)
    assert [pods.started for pods in simulation.pods] == [1, 1]
    assert [pods.unused for pods in simulation.pods] == [1, 0]
    assert [len(pods.pods) for pods in simulation.pods] == [0, 0]


def independent(seed: int, seconds: int) -> list[FloatArray]:
    rng = np.random.default_rng(seed)
    bursts = 100 * rng.integers(0, seconds // 100, 80) + rng.uniform(0, 4, 80)
    some = [rng.uniform(0, seconds - 60, n) for n in (5, 20, 600)]
    return [np.sort(at) for at in (*some, bursts)]


@pytest.mark.parametrize(("slots", "apart"), [(1, 0.02), (2, 0.0), (10, 0.0)])
@pytest.mark.parametrize("seed", [0, 1])
def test_without_calls_it_agrees_with_the_fast_simulator(
    slots: int, apart: float, seed: int
) -> None:
    """With one slot per pod, events of the same instant are ordered differently: a tolerance."""
    work_s, seconds, settings = 1.5, 900, revision(slots, 5.0, 20.0)
    arrivals = independent(seed, seconds)
    services = tuple(Service(name=f"shop/{i}", work_s=work_s) for i in range(len(arrivals)))
    shop = Shop(services=services, start_up_s=5.0, drain_s=20.0, slots=slots)
    ours = CallSimulation(shop, settings, None, start_s=0.0)
    ours.run([(float(at), i) for i, some in enumerate(arrivals) for at in some], seconds)
    fast = _fast(shop, arrivals, work_s)
    fast.run(seconds)
    state, log = fast.cluster.state, ours.log()
    wait_s = np.bincount(log.service, np.nan_to_num(log.wait_s))
    assert state.cold_from_zero.sum() > 10
    assert wait_s == pytest.approx(state.wait_s, rel=max(apart, 1e-4), abs=1e-3)
    cold = np.bincount(log.service, _counted(log), len(arrivals))
    assert cold == pytest.approx(state.cold_from_zero + state.cold_scale_out, rel=apart)
    started = [pods.started for pods in ours.pods]
    assert started == pytest.approx(state.started.tolist(), rel=apart)
    allocated = [pods.pod_s()[0] for pods in ours.pods]
    assert allocated == pytest.approx(state.allocated_s.tolist(), rel=max(apart, 1e-3))


def _counted(log: Log) -> FloatArray:
    return (log.cold & ~np.isnan(log.wait_s)).astype(np.float64)


def _fast(shop: Shop, arrivals: Sequence[FloatArray], work_s: float) -> simulator.Simulation:
    counts = [len(at) for at in arrivals]
    world = simulator.World(
        services=shop.names,
        requests=Requests(
            arrival_s=np.concatenate(arrivals),
            service_s=np.full(sum(counts), work_s),
            offset=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        ),
        tables={},
        concurrency=shop.slots,
        start_up_s=shop.start_up_s,
        drain_s=shop.drain_s,
    )
    settings = revision(shop.slots, shop.start_up_s, shop.drain_s)
    policy = simulator.Policy(name="KPA", revision=settings)
    return simulator.Simulation(world, [policy], start_s=0.0)
