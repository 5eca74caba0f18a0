"""What an account pays for, and what it has left."""

import numpy as np

from autoscaler.core.prediction.bill import (
    Stay,
    affordable,
    available_s,
    credit_after,
    spendable_in_turn,
)

AT_ONCE = Stay(each_s=np.zeros(1), one_s=np.zeros(1))


def ints(*values: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(values, dtype=np.int64)


def test_knatives_pods_earn_their_part_of_each_tick() -> None:
    spendable = available_s(np.array([1.0, 1.0]), ints(10, 10), np.array([0.2, np.inf]))
    assert spendable.tolist() == [5.0, 1.0]


def test_credit_pays_for_whole_pods_through_a_tick() -> None:
    for spendable_s, pods in ((-3.0, 0), (1.9, 0), (2.0, 1), (7.0, 3), (99.0, 4)):
        assert affordable(np.array([spendable_s]), ints(4), ints(0), AT_ONCE) == pods


def test_pods_that_stay_are_paid_for_to_their_end() -> None:
    stay = Stay(each_s=np.array([8.0]), one_s=np.array([90.0]))
    for spendable_s, pods in ((99.9, 0), (100.0, 1), (109.9, 1), (110.0, 2)):
        assert affordable(np.array([spendable_s]), ints(4), ints(0), stay) == pods
    assert stay.of(ints(2)) == 2 * 8.0 + 90.0
    assert stay.of(ints(0)) == 0.0


def test_fewer_pods_than_are_of_use_are_none() -> None:
    assert affordable(np.array([5.0]), ints(4), ints(3), AT_ONCE) == 0
    assert affordable(np.array([6.0]), ints(4), ints(3), AT_ONCE) == 3


def test_what_goes_early_is_earned_up_to_the_allowance() -> None:
    left = credit_after(
        np.array([5.0, 5.0, 5.0]), ints(3, 3, 3), ints(5, 2, 0), np.array([9.0] * 3)
    )
    assert left.tolist() == [1.0, 7.0, 9.0]


def test_the_highest_price_comes_first_then_who_has_no_pod_then_the_first_row() -> None:
    price_s = np.array([60.0, 600.0, 60.0, 60.0])
    left = spendable_in_turn(10.0, np.array([1.0, 2.0, 4.0, 1.0]), price_s, ints(1, 1, 0, 1))
    assert left.tolist() == [4.0, 10.0, 8.0, 3.0]
