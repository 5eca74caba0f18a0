"""The command that measures the simulator."""

import numpy as np

from benchmarks.simulator.simulation import Policy
from benchmarks.whatif.speed import Cost, cost, fleet, policies_of_the_what_if, whole


def test_a_made_fleet_is_simulated_under_all_policies_of_the_what_if() -> None:
    policies: list[Policy] = policies_of_the_what_if()
    found = cost(fleet(2, 0.05), policies, 0.05)
    assert (found.rows, found.simulated_s) == (2 * len(policies), 180.0)
    assert found.cpu_s > 0


def test_a_service_alone_is_called_as_among_the_others() -> None:
    among, alone = fleet(3, 0.05).requests, fleet(3, 0.05, only=1).requests
    begin, end = among.offset[1:3]
    np.testing.assert_array_equal(alone.arrival_s, among.arrival_s[begin:end])


def test_a_time_is_simulated_as_a_whole_and_in_spans() -> None:
    world, policies = fleet(2, 2.0), policies_of_the_what_if()[:1]
    for span_s in (3600.0, 7200.0):
        assert whole(world, policies, 2 / 24, span_s) > 0


def test_costs_are_extrapolated_by_simulated_time() -> None:
    assert Cost(rows=1, simulated_s=10.0, cpu_s=0.5).of(86_400.0) == 4320.0
