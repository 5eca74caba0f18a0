"""What is left out changes nothing: results are those of every second and tick, to the bit."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.core.state.revision import Metric, Mode, Revision
from benchmarks.policies.policies import revision
from benchmarks.simulator import simulation
from benchmarks.simulator.events import COUNTED
from benchmarks.simulator.floors import Floors
from benchmarks.simulator.simulation import Policy, Simulation, World
from tests.benchmarks.simulator.test_simulation import KPA, START_UP_S, column, table, world
from tests.examples import examples

END_S = 800.0
DECIDED = ("want", "scale", "probe", "proxy", "activators", "kpa", "predicted", "desired")
OBSERVED = ("ready", "replicas", "active", "active_since_s", "probe_passed", "initialized")
REMEMBERED = ("panic_since_s", "max_panic_pods", "kpa", "excess_burst_capacity")

times = st.lists(st.floats(0.0, END_S), max_size=12).map(sorted)
crowds = st.builds(
    lambda at, n, every: [at + i * every for i in range(n)],
    st.floats(0.0, END_S),
    st.integers(1, 60),
    st.sampled_from([0.01, 0.3, 2.0]),
)
calls = st.one_of(times, crowds)
curves = st.lists(
    st.lists(st.sampled_from([0.0, 0.01, 0.2, 0.9]), min_size=4, max_size=4),
    min_size=5,
    max_size=20,
)
plans = st.lists(st.integers(0, 3), min_size=1, max_size=6)  # pods from step to step


@st.composite
def policies(draw: Any) -> list[Policy]:
    """Some settings of Knative's and ours."""
    base: Revision = revision(draw(st.sampled_from([0, 1, 10])), START_UP_S, 30.0)
    return [
        Policy(
            name=str(i),
            revision=replace(
                base,
                mode=draw(st.sampled_from([Mode.SHADOW, Mode.OUTWARD, Mode.FULL])),
                cold_price_s=draw(st.sampled_from([20.0, 600.0])),
                retention_s=draw(st.sampled_from([0.0, 45.5, 300.0])),
                min_scale=draw(st.sampled_from([0, 0, 1, 3])),
                initial_scale=draw(st.sampled_from([1, 0, 2])),
                activation_scale=draw(st.sampled_from([0, 2])),
                metric=draw(st.sampled_from(list(Metric))),
                stable_window_s=draw(st.sampled_from([60, 17])),
                grace_s=draw(st.sampled_from([30.0, 3.3])),
                target_burst_capacity=draw(st.sampled_from([211.0, 0.0, -1.0])),
                has_scrape_target=draw(st.booleans()),
            ),
            forecasts=draw(st.sampled_from(["", "model"])),
            floors=draw(st.sampled_from(["", "", "plan"])),
        )
        for i in range(draw(st.integers(1, 4)))
    ]


@settings(max_examples=examples(5, many=400), deadline=None)
@given(st.lists(calls, min_size=1, max_size=4), curves, plans, policies(), st.booleans())
def test_results_are_those_of_every_second_and_tick(
    arrivals: list[list[float]],
    probability: list[list[float]],
    pods: list[int],
    compared: list[Policy],
    many: bool,
) -> None:
    without = world(
        *arrivals,
        service_s=0.7,
        concurrency=int(compared[0].revision.pod_capacity) % 100,
        drain_s=30.0,
        table=table(probability, services=len(arrivals)),
    )
    plan = Floors(
        from_s=np.array([50.5 + 97.0 * i for i in range(len(pods))]),
        pods=np.tile(pods, (len(arrivals), 1)),
    )
    given_ = replace(without, floors={"plan": plan})
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(simulation, "MANY", 1 if many else 600)
        found = Simulation(given_, compared, start_s=0.0)
        every = Simulation(given_, compared, start_s=0.0, twins=True)
        for until in (1.0, 333.0, END_S):
            for each in (found, every):
                each.run(until)
            _assert_same(found, every)


def _assert_same(found: Simulation, every: Simulation) -> None:
    counts, expected = found.counts(), every.counts()
    for name in COUNTED:
        np.testing.assert_array_equal(counts[name], expected[name], err_msg=name)
    for group, names in (("decision", DECIDED), ("observed", OBSERVED), ("memory", REMEMBERED)):
        for name in names:
            ours, theirs = (getattr(getattr(each.fleet, group), name) for each in (found, every))
            np.testing.assert_array_equal(ours, theirs, err_msg=f"{group}.{name}")


def test_a_service_that_nobody_calls_is_not_decided_for() -> None:
    simulation = Simulation(world([100.3]), [KPA], start_s=0.0)
    simulation.run(80_000.0)
    assert simulation.fleet.decision.at_s[0] < 1000.0
    assert column(simulation, "clock") == [80_000.0]


def test_a_pod_that_waits_for_calls_costs_what_it_costs_second_by_second() -> None:
    always = Policy(name="always", revision=replace(KPA.revision, min_scale=1))
    found = Simulation(_called_twice(), [always], start_s=0.0)
    every = Simulation(_called_twice(), [always], start_s=0.0, twins=True)
    for each in (found, every):
        each.run(5000.0)
    assert column(found, "allocated_s") == column(every, "allocated_s")
    assert found.fleet.decision.at_s[0] < every.fleet.decision.at_s[0]


def _called_twice() -> World:
    return world([100.3, 2000.7])
