"""RUM by its definition."""

import numpy as np
import pytest

from benchmarks.scores.rum import (
    BLOCK,
    COLD_STARTS,
    DEFAULT,
    MEMORY,
    Weighting,
    counted,
    for_training,
    in_blocks,
    rum,
    rum_by_execution,
)

ONE = np.ones(1)


@pytest.mark.parametrize(
    ("weighting", "expected"),
    [(DEFAULT, 10 * 0.808 + 1), (COLD_STARTS, 40 * 0.808 + 1), (MEMORY, 10 * 0.808 + 4)],
)
def test_cold_starts_and_waste_are_weighed(weighting: Weighting, expected: float) -> None:
    assert rum(10 * ONE, 99.69 * ONE, weighting) == pytest.approx(expected)


def test_one_cold_start_weighs_as_much_as_80_gb_s() -> None:
    assert rum(ONE, 0 * ONE) == pytest.approx(rum(0 * ONE, 80.55 * ONE), rel=1e-4)


def test_long_executions_feel_cold_starts_less() -> None:
    found = rum_by_execution(np.full(3, 100.0), np.full(3, 99.69), np.array([0.0, 1.0, 80.8]))
    assert found.tolist() == pytest.approx([np.sqrt(80.8) + 1, np.sqrt(80.8) + 1, 2.0])


def test_only_whole_blocks_are_summed() -> None:
    minutes = np.ones((2, 3, 2 * BLOCK + 5))
    assert in_blocks(minutes).tolist() == [[[BLOCK, BLOCK]] * 3] * 2


def test_what_nobody_called_or_wasted_nothing_teaches_nothing() -> None:
    rums, calls, waste = np.full(3, 7.0), np.array([1.0, 0, 5]), np.array([1.0, 2, 0])
    assert for_training(rums, calls, waste).tolist() == [7, 0, 0]


def test_a_block_counts_unless_every_policy_allocated_nothing() -> None:
    allocated = np.array([[[0.0, 1.0, 0.0]], [[0.0, 0.0, 2.0]]])
    assert counted(allocated).tolist() == [[False, True, True]]
