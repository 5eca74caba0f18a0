"""What upstreams were called of late, some seconds apart."""

import numpy as np

from autoscaler.core.state.rate_history import STEP_S, STEPS, RateHistory
from autoscaler.core.types import FloatArray

NOW_S = 1_700_000_000.0


def history(*words: tuple[int, float, float], services: int = 3) -> RateHistory:
    """A history in which (service, s after now, rate) were recorded."""
    made = RateHistory()
    made.append(services)
    for service, after_s, rate in words:
        made.record(np.array([service]), NOW_S + after_s, np.array([rate]))
    return made


def read(made: RateHistory, service: int, after_s: float) -> float:
    return float(made.at(np.array([service]), np.array([NOW_S + after_s]))[0])


def test_says_what_was_recorded_then() -> None:
    made = history((0, 0.0, 2.0), (0, 10.0, 3.0), (1, 10.0, 7.0))
    assert [read(made, 0, s) for s in (0.0, 9.9, 10.0)] == [2.0, 2.0, 3.0]
    assert read(made, 1, 10.0) == 7.0


def test_of_one_step_the_last_word_stays() -> None:
    assert read(history((0, 0.0, 2.0), (0, 8.0, 5.0)), 0, 1.0) == 5.0


def test_a_late_tick_leaves_the_word_of_the_step_before() -> None:
    made = history((0, 0.0, 2.0), (0, 2.0 * STEP_S, 4.0))
    assert read(made, 0, STEP_S) == 2.0
    assert np.isnan(read(made, 0, 4.0 * STEP_S))


def test_knows_nothing_before_the_first_word_or_of_others() -> None:
    made = history((0, 0.0, 2.0))
    assert np.isnan([read(made, 0, -1.0), read(made, 1, 0.0), read(made, 2, 0.0)]).all()


def test_forgets_what_is_older_than_its_steps() -> None:
    words = [(0, float(STEP_S * i), float(i)) for i in range(STEPS + 5)]
    made = history(*words)
    kept = [read(made, 0, float(STEP_S * i)) for i in range(STEPS + 5)]
    assert np.isnan(kept[:5]).all()
    assert kept[5:] == [float(i) for i in range(5, STEPS + 5)]


def test_the_last_service_takes_the_place_of_one_that_goes() -> None:
    made = history((0, 0.0, 2.0), (1, 0.0, 3.0), (2, 0.0, 4.0))
    made.remove(0)
    made.append(1)
    now: FloatArray = np.full(3, NOW_S)
    np.testing.assert_array_equal(made.at(np.arange(3), now), [4.0, 3.0, np.nan])
    made.remove(2)
    made.remove(1)
    assert read(made, 0, 0.0) == 4.0
