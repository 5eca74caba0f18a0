"""Floors: pods stand from their step on, nothing is lowered, and others are left alone."""

from dataclasses import replace

import numpy as np

from benchmarks.policies.policies import revision
from benchmarks.simulator.arrivals import Requests
from benchmarks.simulator.floors import Floors
from benchmarks.simulator.simulation import Policy, Simulation, World

BASE = revision(1, 5.0, 0.0)
FLOOR = Floors(from_s=np.array([60.0, 120.0]), pods=np.array([[2, 0]]))


def ready_at(policy: Policy, *seconds: float) -> list[int]:
    """Ready pods at some times, of a service that is never called."""
    world = World(
        services=("shop/cart",),
        requests=Requests(
            arrival_s=np.zeros(0), service_s=np.zeros(0), offset=np.zeros(2, dtype=np.int64)
        ),
        tables={},
        concurrency=1,
        start_up_s=5.0,
        drain_s=0.0,
        floors={"plan": FLOOR},
    )
    simulation = Simulation(world, [Policy(name="KPA", revision=BASE), policy], start_s=0.0)
    found = []
    for second in seconds:
        simulation.run(second)
        kpa, ready = simulation.cluster.ready()
        assert kpa == 0
        found.append(int(ready))
    return found


def test_pods_stand_from_the_floors_step_until_knatives_rule_lets_them_go() -> None:
    planned = Policy(name="planned", revision=BASE, floors="plan")
    assert ready_at(planned, 59, 64, 66, 119, 240) == [0, 0, 2, 2, 0]


def test_a_floor_lowers_no_min_scale() -> None:
    always = Policy(name="planned", revision=replace(BASE, min_scale=3), floors="plan")
    assert ready_at(always, 59, 90, 240) == [3, 3, 3]
