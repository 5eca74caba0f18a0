"""What an account pays for, and what it has left."""

import numpy as np

from autoscaler.core.prediction.bill import (
    Cost,
    affordable,
    available_s,
    credit_after,
    spendable_in_turn,
)


def ints(*values: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(values, dtype=np.int64)


def test_knatives_pods_earn_their_part_of_each_tick() -> None:
    spendable = available_s(np.array([1.0, 1.0]), ints(10, 10), np.array([0.2, np.inf]))
    assert spendable.tolist() == [5.0, 1.0]


def costs(*, begun: int = 0, keep_s: float = 2.0, start_s: float = 2.0, one_s: float = 0.0) -> Cost:
    return Cost(
        begun=ints(begun),
        go_s=np.array([keep_s - 2.0]),
        keep_s=np.array([keep_s]),
        start_s=np.array([start_s]),
        one_s=np.array([one_s]),
    )


def paid(spendable_s: float, cost: Cost, *, least: int = 0) -> int:
    """Of four pods ahead that are asked for."""
    return int(affordable(np.array([spendable_s]), ints(4), ints(least), cost)[0])


def test_credit_pays_for_whole_pods_through_a_tick() -> None:
    for spendable_s, pods in ((-3.0, 0), (1.9, 0), (2.0, 1), (7.0, 3), (99.0, 4)):
        assert paid(spendable_s, costs()) == pods


def test_pods_are_paid_for_to_their_end() -> None:
    cost = costs(keep_s=10.0, start_s=10.0, one_s=90.0)
    for spendable_s, pods in ((99.9, 0), (100.0, 1), (109.9, 1), (110.0, 2)):
        assert paid(spendable_s, cost) == pods
    assert cost.end_s(ints(2)) == 2 * 8.0 + 90.0
    assert cost.end_s(ints(0)) == cost.of(ints(0)) == 0.0


def test_further_pods_are_paid_for_from_their_start() -> None:
    cost = costs(begun=2, keep_s=10.0, start_s=30.0)
    for spendable_s, pods in ((17.0, 0), (18.0, 1), (49.0, 2), (50.0, 3), (79.0, 3), (80.0, 4)):
        assert paid(spendable_s, cost) == pods
    assert cost.of(ints(3)) == 50.0


def test_fewer_pods_than_are_of_use_are_none() -> None:
    assert paid(5.0, costs(), least=3) == 0
    assert paid(6.0, costs(), least=3) == 3


def test_what_is_saved_is_earned_up_to_the_allowance() -> None:
    left = credit_after(np.full(3, 5.0), np.array([4.0, -2.0, -6.0]), np.full(3, 9.0))
    assert left.tolist() == [1.0, 7.0, 9.0]


def test_the_highest_price_comes_first_then_who_has_no_pod_then_the_first_row() -> None:
    price_s = np.array([60.0, 600.0, 60.0, 60.0])
    left = spendable_in_turn(10.0, np.array([1.0, 2.0, 4.0, 1.0]), price_s, ints(1, 1, 0, 1))
    assert left.tolist() == [4.0, 10.0, 8.0, 3.0]
