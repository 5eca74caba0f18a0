"""The rules of "Serverless in the Wild", by hand."""

import numpy as np
import pytest

from benchmarks.scores.wild_rules import WildOutcome, fixed, played, scored, stepwise

CALLS = np.array([0.0, 300.0, 1000.0, 1000.0])


def test_the_first_call_is_cold_and_the_image_stays_for_the_keep_alive() -> None:
    found = fixed(CALLS, end_s=10_000.0)
    assert found == WildOutcome(invocations=4, cold=2, wasted_s=300.0 + 600 + 0 + 600)


@pytest.mark.parametrize(
    ("pre_s", "cold", "wasted_s"), [(300.0, 2, 200.0), (200.0, 2, 300.0), (650.0, 2, 150.0)]
)
def test_what_is_loaded_ahead_is_warm_within_its_window(
    pre_s: float, cold: int, wasted_s: float
) -> None:
    found = played(np.array([0.0, 300.0, 1000.0]), pre_s, 100.0, end_s=10_000.0)
    assert (found.cold, found.wasted_s) == (cold, wasted_s)


def test_each_call_may_have_a_window_of_its_own() -> None:
    found = played(CALLS, np.array([0.0, 700.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0, 50.0]), 1020.0)
    assert (found.cold, found.wasted_s) == (2, 20.0)


def test_an_application_without_calls_wastes_nothing() -> None:
    assert fixed(np.zeros(0), 100.0) == WildOutcome(invocations=0, cold=0, wasted_s=0.0)


def test_what_came_before_is_not_counted_and_leaves_its_image() -> None:
    found = fixed(CALLS, end_s=10_000.0, since_s=200.0)
    assert found == WildOutcome(invocations=3, cold=1, wasted_s=100.0 + 600 + 0 + 600)


def test_in_steps_a_cold_call_loads_the_image_until_its_step_ends() -> None:
    loaded = np.array([False, True, False, False])
    calls = np.array([-1.0, 15.0, 50.0, 70.0, 190.0, 240.0])  # the first and last are outside
    found = stepwise(calls, loaded, 0.0, 60.0)
    assert found == WildOutcome(invocations=4, cold=2, wasted_s=45.0 + 60 + 50)


def test_applications_count_alike_and_single_calls_are_not_always_cold() -> None:
    def outcome(invocations: int, cold: int) -> WildOutcome:
        return WildOutcome(invocations=invocations, cold=cold, wasted_s=100.0 * cold)

    theirs = [outcome(1, 1), outcome(10, 1), outcome(4, 4), outcome(100, 0), outcome(0, 0)]
    found = scored(theirs, [outcome(2, 2)] * 6)
    assert found.cold_p75 == pytest.approx(1.0)
    assert found.always_cold == pytest.approx(1 / 3)
    assert found.wasted == pytest.approx(0.5)
