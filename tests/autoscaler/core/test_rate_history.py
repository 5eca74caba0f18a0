"""What upstreams were called of late, some seconds apart."""

import numpy as np

from autoscaler.core.rate_history import STEP_S, STEPS, Trail
from autoscaler.core.types import FloatArray

NOW_S = 1_700_000_000.0


def trail(*words: tuple[int, float, float], rows: int = 3) -> Trail:
    """A trail that was told (row, s after now, rate)."""
    told = Trail()
    told.append(rows)
    for row, after_s, rate in words:
        told.record(np.array([row]), np.array([NOW_S + after_s]), np.array([rate]))
    return told


def read(told: Trail, row: int, after_s: float) -> float:
    return float(told.at(np.array([row]), np.array([NOW_S + after_s]))[0])


def test_says_what_was_said_then() -> None:
    told = trail((0, 0.0, 2.0), (0, 10.0, 3.0), (1, 10.0, 7.0))
    assert [read(told, 0, s) for s in (0.0, 9.9, 10.0)] == [2.0, 2.0, 3.0]
    assert read(told, 1, 10.0) == 7.0


def test_of_one_step_the_last_word_stays() -> None:
    assert read(trail((0, 0.0, 2.0), (0, 8.0, 5.0)), 0, 1.0) == 5.0


def test_a_late_tick_leaves_the_word_of_the_step_before() -> None:
    told = trail((0, 0.0, 2.0), (0, 2.0 * STEP_S, 4.0))
    assert read(told, 0, STEP_S) == 2.0
    assert np.isnan(read(told, 0, 4.0 * STEP_S))


def test_knows_nothing_before_the_first_word_or_of_others() -> None:
    told = trail((0, 0.0, 2.0), (1, 0.0, np.nan))
    assert np.isnan([read(told, 0, -1.0), read(told, 1, 0.0), read(told, 2, 0.0)]).all()


def test_forgets_what_is_older_than_its_steps() -> None:
    words = [(0, float(STEP_S * i), float(i)) for i in range(STEPS + 5)]
    told = trail(*words)
    kept = [read(told, 0, float(STEP_S * i)) for i in range(STEPS + 5)]
    assert np.isnan(kept[:5]).all()
    assert kept[5:] == [float(i) for i in range(5, STEPS + 5)]


def test_the_last_row_takes_the_place_of_one_that_goes() -> None:
    told = trail((0, 0.0, 2.0), (1, 0.0, 3.0), (2, 0.0, 4.0))
    told.remove(0)
    told.append(1)
    now: FloatArray = np.full(3, NOW_S)
    np.testing.assert_array_equal(told.at(np.arange(3), now), [4.0, 3.0, np.nan])
    told.remove(2)
    told.remove(1)
    assert read(told, 0, 0.0) == 4.0
    assert told.nbytes == STEPS * 8
