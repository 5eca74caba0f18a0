"""The interval of what was saved."""

from typing import Any

import numpy as np
import pytest

from autoscaler.advisor.ledger.comparison import Compared, Comparison
from autoscaler.advisor.ledger.counted import COLUMNS
from autoscaler.advisor.ledger.table import HOUR_S, Table, merged, with_squares

HOURS = 168


def whole(**columns: Any) -> Comparison:
    """All of a service, by (hours, 1) of each column."""
    tables = []
    for hour in range(HOURS):
        sums = np.zeros((len(COLUMNS), 1))
        for name, values in columns.items():
            sums[COLUMNS.index(name)] = values[hour]
        tables.append(
            Table(
                start_s=hour * HOUR_S,
                length_s=HOUR_S,
                covered_s=HOUR_S,
                services=("shop/cart",),
                mode=np.array([3]),
                sums=with_squares(sums),
            )
        )
    return Compared.of(merged(tables, start_s=0.0, length_s=HOURS * HOUR_S)).together([0])


def test_what_is_saved_is_knative_s_less_ours_and_what_is_paid_is_ours_less_knative_s() -> None:
    one = np.ones(HOURS)
    found = whole(knative_cold=3 * one, ahead_cold=one, knative_pod_s=one, ahead_pod_s=5 * one)
    assert found.saved_cold.value == 2.0 * HOURS
    assert found.more_pod_s.value == 4.0 * HOURS
    assert found.total("knative_cold") == 3.0 * HOURS


def test_equal_policies_differ_by_nothing_for_sure() -> None:
    found = whole(knative_cold=np.ones(HOURS), ahead_cold=np.ones(HOURS)).saved_cold
    assert (found.value, found.low, found.high) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(("an_hour", "least", "most"), [(0.1, 0.9, 0.99), (2.0, 0.98, 1.0)])
def test_holds_what_is_expected_as_often_as_it_says_where_events_are_rare_and_else_more_often(
    an_hour: float, least: float, most: float
) -> None:
    draws = np.random.default_rng(0)
    held = 0
    for _ in range(100):
        knative, ahead = draws.poisson(an_hour, HOURS), draws.poisson(an_hour / 4, HOURS)
        found = whole(knative_cold=knative, ahead_cold=ahead).saved_cold
        held += found.low <= an_hour * 0.75 * HOURS <= found.high
    assert least <= held / 100 <= most


def test_a_burst_in_an_hour_is_one_event() -> None:
    spread, burst = np.zeros(HOURS), np.zeros(HOURS)
    spread[:30], burst[0] = 1.0, 30.0
    one, other = whole(knative_cold=spread).saved_cold, whole(knative_cold=burst).saved_cold
    assert one.value == other.value == 30.0
    assert one.low > 0.0 > other.low
