"""FeMux's step rule, by hand."""

import numpy as np
import pytest

from benchmarks.scores.femux_rules import most_of_last, played, within_rules

GB = np.array([0.5])


def one_minute(actual: float, forecast: float, invocations: float) -> tuple[float, float, float]:
    minute = [np.array([[each]]) for each in (actual, forecast, invocations)]
    found = played(minute[0], minute[1], minute[2], GB)
    return float(found.cold[0, 0]), float(found.allocated_gb_s[0, 0]), float(found.used_gb_s[0, 0])


@pytest.mark.parametrize(
    ("actual", "forecast", "invocations", "cold", "allocated_minutes"),
    [
        (0.3, 0.2, 9, 0, 1.0),  # one needed, one provided
        (0.3, 1.2, 9, 0, 2.0),  # one too many
        (0.3, 0.0, 1, 1, 0.5),  # arrives in the middle
        (0.3, 0.0, 3, 1, 5 / 6),  # the first of three, 10 s after the minute began
        (2.1, 0.0, 3, 3, 2.1),  # on average half of the minute, but never less than is used
        (1.2, 0.0, 3, 2, 5 / 6 + 3 / 6),
        (5.0, 0.0, 2, 2, 5.0),  # more are running than were invoked: those are not cold
        (1.5e-5, 0.7e-5, 1, 0, 1.5e-5),  # neither needed nor provided
        (1.7e-5, 0.9e-5, 1, 0, 1.0),  # both
    ],
)
def test_a_minute_costs_what_is_provided_and_what_is_missing(
    actual: float, forecast: float, invocations: float, cold: float, allocated_minutes: float
) -> None:
    found = one_minute(actual, forecast, invocations)
    assert found == pytest.approx((cold, allocated_minutes * 30.0, actual * 30.0))


def test_waste_is_what_is_allocated_and_not_used() -> None:
    ones = np.ones((1, 1))
    assert played(ones, 2 * ones, ones, GB).wasted_gb_s == pytest.approx(30.0)


def test_the_most_of_the_last_minutes() -> None:
    seen = np.array([[3.0, 1, 0, 0, 5]])
    assert most_of_last(2, seen).tolist() == [[0, 3, 3, 1, 0]]
    assert most_of_last(2, seen, 3).tolist() == [[1, 0]]


def test_a_keep_alive_stands_in_until_there_is_history() -> None:
    seen = np.zeros((1, 122))
    seen[0, 118] = 1.0
    assert within_rules(np.full((1, 4), -7.0), seen, 118).tolist() == [[0, 1, 0, 0]]


def test_what_is_large_grows_by_500_at_most() -> None:
    seen = np.full((1, 122), 2900.0)
    assert within_rules(np.array([[9000.0, 3000.0]]), seen, 120).tolist() == [[3400, 3000]]
