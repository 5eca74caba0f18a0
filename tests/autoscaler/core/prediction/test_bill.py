"""What an account pays for, and what it has left."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.core.prediction.bill import (
    DAY_S,
    Cost,
    affordable,
    earnings_s,
    free_in_turn,
    settled,
)
from tests.autoscaler.core.stories import LAW


def ints(*values: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(values, dtype=np.int64)


def test_knatives_pods_earn_their_part_of_each_tick() -> None:
    assert earnings_s(ints(10, 10), np.array([0.2, np.inf])).tolist() == [4.0, 0.0]


def costs(
    *, present: int = 0, lead_s: float = 0.0, drain_s: float = 0.0, stay_s: float = 0.0
) -> Cost:
    return Cost(
        present=ints(present),
        lead_s=np.array([lead_s]),
        drain_s=np.array([drain_s]),
        stay_s=np.array([stay_s]),
    )


def paid(free_s: float, cost: Cost, *, least: int = 0) -> int:
    """Of four pods ahead that are asked for."""
    return int(affordable(np.array([free_s]), ints(4), ints(least), cost)[0])


def test_credit_pays_for_whole_pods_through_a_tick() -> None:
    for free_s, pods in ((-3.0, 0), (1.9, 0), (2.0, 1), (7.0, 3), (99.0, 4)):
        assert paid(free_s, costs()) == pods


def test_pods_are_paid_for_to_their_end() -> None:
    cost = costs(lead_s=3.0, drain_s=5.0, stay_s=90.0)
    for free_s, pods in ((99.9, 0), (100.0, 1), (109.9, 1), (110.0, 2)):
        assert paid(free_s, cost) == pods
        assert cost.of(ints(pods)) <= free_s
    assert cost.end_s(ints(2)) == 2 * 5.0 + 90.0
    assert cost.end_s(ints(0)) == cost.of(ints(0)) == 0.0


def test_pods_that_stand_cost_a_tick_and_further_ones_their_start_and_end() -> None:
    cost = costs(present=2, lead_s=8.0, drain_s=20.0, stay_s=90.0)
    for free_s, pods in ((1.0, 0), (2.0, 1), (4.0, 2), (33.0, 2), (34.0, 3), (64.0, 4)):
        assert paid(free_s, cost) == pods
    assert cost.committed_s == 2 * 20.0 + 90.0
    assert cost.of(ints(3)) == 34.0


def test_fewer_pods_than_are_of_use_are_none() -> None:
    assert paid(5.0, costs(), least=3) == 0
    assert paid(6.0, costs(), least=3) == 3


def test_credit_beyond_the_allowance_is_at_most_what_was_earned_in_a_day() -> None:
    assert settled(5.0, 0.0, 0.4, 9.0) == (5.0, 0.4)
    assert settled(50.0, 0.0, 0.4, 9.0) == (9.4, 0.4)
    credit_s, day_s = settled(1e6, 0.2 * DAY_S, 0.4, 9.0)
    assert (credit_s, day_s) == (9.0 + day_s, 0.2 * DAY_S)


def test_what_is_worth_most_comes_first_then_the_first_row() -> None:
    cost_s, worth = np.array([1.0, 2.0, 4.0, 1.0]), np.array([1.0, 4.0, 3.0, 1.0])
    assert free_in_turn(10.0, cost_s, worth).tolist() == [4.0, 10.0, 8.0, 3.0]


amounts = st.lists(st.tuples(st.floats(0.0, 100.0), st.floats(0.0, 1e6)), min_size=1, max_size=6)


@LAW
@given(rows=amounts, free_s=st.floats(0.0, 300.0), more=st.floats(0.0, 1e6))
def test_what_is_worth_more_never_has_less_left_and_nobody_what_others_spend(
    rows: list[tuple[float, float]], free_s: float, more: float
) -> None:
    cost_s, worth = np.array(rows).T
    left = free_in_turn(free_s, cost_s, worth)
    raised = worth + more * (np.arange(len(rows)) == 0)
    assert free_in_turn(free_s, cost_s, raised)[0] >= left[0] - 1e-9
    paid = cost_s <= left
    assert cost_s[paid].sum() <= free_s + 1e-9
