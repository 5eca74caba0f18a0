"""What is carried from step to step is what the whole past gives, late samples and all."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learner.models.features import level_features
from learner.models.levels import pods_needed
from learner.state.carried import CORRECTED_STEPS, CarriedState
from tests.examples import examples
from tests.learner.state.oracle import (
    START_S,
    STEP_S,
    WINDOWS,
    assert_features,
    demand_of,
    expected,
    mixed_need,
)

N_STEPS = 160
NEED = mixed_need(N_STEPS, seed=8)
# Periods are refreshed at each service's turn.
OTHERS = np.array(["period" not in name for name in expected(demand_of(NEED))[1].names])


@settings(max_examples=examples(8, many=100), deadline=None)
@given(st.lists(st.integers(0, 20), min_size=1, max_size=6), st.integers(0, 1000))
def test_rows_are_those_of_the_whole_past(strides: list[int], seed: int) -> None:
    carried, end = CarriedState(), 60
    for stride in strides:
        end = min(end + stride, N_STEPS)
        early = NEED[:, :end].copy()
        early[:, end - CORRECTED_STEPS :] = np.nan  # samples on their way
        carried.newest_rows(demand_of(early), WINDOWS)
        whole = demand_of(NEED[:, :end])
        assert_features(carried.at_end_of(whole), whole, OTHERS)
    some = np.random.default_rng(seed).permutation(len(NEED))[:5]
    demand = demand_of(NEED[:, :end]).only(some)
    found = carried.newest_rows(demand, WINDOWS)
    rows, features = expected(demand)
    np.testing.assert_array_equal(found.rows.service, rows.service)
    np.testing.assert_array_equal(found.rows.cell, rows.cell)
    np.testing.assert_array_equal(found.rows.origin, rows.origin)
    np.testing.assert_array_equal(found.features["lag_1"], features["lag_1"])


@settings(max_examples=examples(8, many=100), deadline=None)
@given(st.integers(30, N_STEPS - 20), st.integers(0, 1000))
def test_services_whose_pods_take_more_or_fewer_are_counted_anew(end: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    carried, demand = CarriedState(), demand_of(NEED)
    carried.at_end_of(demand.until(end))
    carried.at_end_of(demand.until(end + 1))
    capacity = np.where(rng.random(len(NEED)) < 0.3, rng.choice([0.5, 3.0, 10.0]), 1.0)
    changed = replace(demand, capacity=capacity)
    for later in (end + 2, end + 9):
        whole = changed.until(later)
        assert_features(carried.at_end_of(whole), whole, OTHERS)


def test_a_change_of_capacity_asks_for_the_past_of_who_has_only_the_last_steps() -> None:
    carried, demand = CarriedState(), demand_of(NEED)
    carried.at_end_of(demand.until(100))
    recent = demand.until(101).last(20)
    assert carried.goes_on(recent)
    assert not carried.goes_on(replace(recent, capacity=2 * recent.capacity))


@pytest.mark.parametrize("away", [5 * 24 * 60, -30])
def test_demand_that_does_not_go_on_is_taken_as_it_is(away: int) -> None:
    carried = CarriedState()
    carried.newest_rows(demand_of(NEED[:, :100], start=100), WINDOWS)
    other = demand_of(NEED[:, 60:], start=100 + away)
    found = carried.newest_rows(other, WINDOWS)
    features = level_features(
        pods_needed(other),
        found.rows,
        WINDOWS,
        start_s=START_S + (100 + away) * STEP_S,
        step_s=STEP_S,
    )
    np.testing.assert_array_equal(found.features["lag_1"], features["lag_1"])
