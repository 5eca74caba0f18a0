"""Parts in processes of their own give what one simulation does."""

from dataclasses import replace

import numpy as np
import pytest

from autoscaler.core.state.revision import Mode
from autoscaler.core.types import FloatArray
from benchmarks.simulator.events import COUNTED
from benchmarks.simulator.parts import FEWEST_SERVICES, Parts, simulation_of
from benchmarks.simulator.simulation import Policy, Simulation, World
from tests.benchmarks.simulator.test_simulation import BASE, KPA, table, world

FULL = Policy(
    name="full", revision=replace(BASE, mode=Mode.FULL, cold_price_s=60.0), forecasts="model"
)


def services(n: int) -> World:
    """Called at random, under forecasts that say so."""
    random = np.random.default_rng(2)
    calls: list[FloatArray] = [
        np.sort(random.uniform(0, 900.0, random.poisson(20))) for _ in range(n)
    ]
    return world(
        *calls, table=table(random.uniform(0, 1, (15, 2)).tolist(), services=n), service_s=1.5
    )


def test_parts_count_what_one_simulation_does() -> None:
    given = services(5)
    whole = Simulation(given, [KPA, FULL], start_s=0.0)
    with Parts(given, [KPA, FULL], start_s=0.0, n_parts=2) as parts:
        for until in (100.0, 900.0):
            for each in (whole, parts):
                each.run(until)
            found, expected = parts.counts(), whole.counts()
            assert set(found) == set(expected) == set(COUNTED)
            for name in COUNTED:
                np.testing.assert_array_equal(found[name], expected[name])
            for each in (whole, parts):
                each.reset_counts()
        assert set(parts.counts(("requests",))) == {"requests"}
        assert parts.now == whole.now == 900.0


def test_what_they_count_on_the_way_is_what_one_counts_that_stops_there() -> None:
    given, ends = services(5), [60.0, 61.0, 300.0]
    stopped = Simulation(given, [KPA, FULL], start_s=0.0)
    expected = []
    for end in ends:
        stopped.run(end)
        expected.append(stopped.counts(("requests",))["requests"].copy())
    with Parts(given, [KPA, FULL], start_s=0.0, n_parts=2) as parts:
        for each in (parts, Simulation(given, [KPA, FULL], start_s=0.0)):
            found = each.run_through(ends, ("requests",))
            np.testing.assert_array_equal([counts["requests"] for counts in found], expected)
            assert each.now == 300.0


def test_a_process_that_has_ended_is_an_error_and_not_a_wait() -> None:
    with Parts(services(4), [KPA], start_s=0.0, n_parts=2) as parts:
        parts._processes[1].kill()
        parts._processes[1].join()
        with pytest.raises((EOFError, BrokenPipeError, ConnectionResetError)):
            parts.run(100.0)


@pytest.mark.parametrize(
    ("n", "processes", "in_parts"),
    [(3, 2, False), (2 * FEWEST_SERVICES, 1, False), (2 * FEWEST_SERVICES, 2, True)],
)
def test_few_services_are_simulated_in_this_process(n: int, processes: int, in_parts: bool) -> None:
    given = services(n)
    simulation = simulation_of(given, [KPA], start_s=0.0, processes=processes)
    try:
        assert isinstance(simulation, Parts) == in_parts
    finally:
        simulation.close()
