"""A simulation that begins late has counted what one that began early did."""

from dataclasses import replace

import pytest

from autoscaler.core.state.waits import NONE_WAITED, WaitsArrays
from benchmarks.policies.policies import revision
from benchmarks.simulator.simulation import Policy, Simulation
from tests.benchmarks.simulator.test_simulation import KPA, busy, world

SLOW = Policy(name="slow", revision=revision(1, 40.0, 0.0))
READY = Policy(name="ready", revision=replace(revision(1, 5.0, 0.0), min_scale=60))
BEGIN_S = 3000.0


def counted(seed: int, policy: Policy) -> tuple[WaitsArrays, WaitsArrays]:
    """By a simulation of the past, and by one that begins after it."""
    shop = busy(seed, seconds=3600)
    simulated = Simulation(shop, [policy], start_s=0.0)
    simulated.run(BEGIN_S)
    begun = Simulation(shop, [policy], start_s=BEGIN_S)
    return simulated.fleet.services.waits.view, begun.fleet.services.waits.view


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("policy", [KPA, SLOW], ids=lambda policy: policy.name)
def test_who_came_together_is_what_a_simulation_of_it_counts(seed: int, policy: Policy) -> None:
    was, now = counted(seed, policy)
    # A report says in which second a call came, and not when in it.
    assert now.since_s == pytest.approx(was.since_s, abs=1.0)
    assert now.cases == pytest.approx(was.cases)
    assert now.requests == pytest.approx(was.requests, rel=0.1, abs=1.0)


@pytest.mark.parametrize("seed", range(5))
def test_how_long_requests_took_is_what_a_simulation_counts_where_none_waits(seed: int) -> None:
    was, now = counted(seed, READY)
    assert now.served_s == pytest.approx(was.served_s, rel=0.05)
    assert now.served == pytest.approx(was.served, rel=0.05)


def test_who_was_never_called_has_counted_nothing() -> None:
    late = Simulation(world([200.0]), [KPA], start_s=100.0)
    found = late.fleet.services.waits.view
    for name in ("since_s", "cases", "requests", "served_s", "served"):
        assert getattr(found, name)[0] == pytest.approx(getattr(NONE_WAITED, name), nan_ok=True)


def test_a_case_that_is_open_goes_on() -> None:
    shop = world([10.0, 198.0, 199.0, 201.0, 202.0, 230.0])
    late = Simulation(shop, [KPA], start_s=200.0)
    found = late.fleet.services.waits.view
    assert found.since_s[0] == 198.0
    assert found.requests[0] == pytest.approx(0.98 + 2.0)
    late.run(210.0)
    assert late.fleet.services.waits.view.requests[0] == pytest.approx(0.98 + 4.0)
