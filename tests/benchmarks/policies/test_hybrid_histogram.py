"""The hybrid histogram against its definition."""

import numpy as np
import pytest

from benchmarks.policies.hybrid_histogram import (
    AT_ONCE,
    HybridHistogram,
    IdleTimes,
    Windows,
    arima,
    windows_by_paper,
)
from benchmarks.scores.wild_rules import played
from tests.benchmarks.policies.scenes import scene_of

HOUR_S = 3600.0


def after_last(idle_s: list[float], range_h: float = 4.0) -> tuple[float, float]:
    """Windows after the last of instantaneous invocations with these pauses: pre and keep, min."""
    arrivals = np.cumsum([0.0, *idle_s])
    times = IdleTimes.of(arrivals, np.zeros(len(arrivals)))
    found = times.windows(np.array([len(idle_s)]), range_h)
    return float(found.pre_s[0] / 60), float(found.keep_s[0] / 60)


def windows_of(arrivals: np.ndarray) -> Windows:
    times = IdleTimes.of(arrivals, np.zeros(len(arrivals)))
    return times.windows(np.arange(len(arrivals)))


def test_few_idle_times_leave_the_image_for_the_whole_range() -> None:
    assert after_last([]) == (0.0, 240.0)
    assert after_last([1800.0] * 9) == (0.0, 240.0)
    assert after_last([1800.0] * 9, range_h=1.0) == (0.0, 60.0)


def test_head_is_rounded_down_and_tail_up_with_their_margins() -> None:
    idle = [1830.0] * 19 + [2430.0]  # bins 30 and 40
    pre, keep = after_last(idle)
    assert pre == pytest.approx(0.9 * 30)
    assert pre + keep == pytest.approx(1.1 * 41)


def test_one_in_a_hundred_lies_beyond_the_tail_and_one_in_twenty_before_the_head() -> None:
    pre, keep = after_last([90.0] * 4 + [1830.0] * 194 + [9000.0] * 2)
    assert pre == pytest.approx(0.9 * 30)
    assert pre + keep == pytest.approx(1.1 * 31)


def test_a_head_of_nothing_does_not_unload() -> None:
    assert after_last([10.0] * 20)[0] == 0.0
    assert after_last([10.0] * 20)[1] == pytest.approx(1.1)


def test_bins_that_are_all_alike_say_nothing() -> None:
    assert after_last([60.0 * each + 5 for each in range(240)]) == (0.0, 240.0)


def test_mostly_out_of_bounds_is_left_to_arima() -> None:
    pre, keep = after_last([1800.0] * 3 + [6 * HOUR_S] * 9)
    assert pre > 60.0
    assert pre + keep == pytest.approx(pre * 1.15 / 0.85)
    pre, _keep = after_last([6 * HOUR_S, 5 * HOUR_S] * 6)
    assert 5 * 60 - 10 < pre / 0.85 < 6 * 60 + 10


def test_arima_foresees_what_is_steady() -> None:
    assert arima(np.full(8, 5 * HOUR_S)) == pytest.approx(5 * HOUR_S, rel=0.02)


def test_windows_know_the_idle_times_up_to_their_invocation_alone() -> None:
    arrivals = np.cumsum(np.random.default_rng(0).gamma(2.0, 900.0, 60))
    whole, part = windows_of(arrivals), windows_of(arrivals[:40])
    np.testing.assert_array_equal(whole.pre_s[:40], part.pre_s)
    np.testing.assert_array_equal(whole.keep_s[:40], part.keep_s)


def test_an_invocation_during_another_ends_no_idle_time() -> None:
    times = IdleTimes.of(np.array([0.0, 10.0, 100.0]), np.array([50.0, 1.0, 1.0]))
    assert times.idle_s.tolist() == [50.0]
    assert times.ended_by.tolist() == [2]


def test_windows_are_the_same_in_parts() -> None:
    arrivals = np.cumsum(np.random.default_rng(0).gamma(2.0, 300.0, AT_ONCE + 50))
    whole, part = windows_of(arrivals), windows_by_paper(arrivals, 40, 4.0)
    np.testing.assert_array_equal(whole.pre_s[40:], part.pre_s)
    np.testing.assert_array_equal(whole.keep_s[40:], part.keep_s)
    assert windows_by_paper(np.zeros(0), 0, 4.0).pre_s.shape == (0,)


def test_under_wild_rules_it_wastes_less_than_its_range_at_no_more_cold_calls() -> None:
    arrivals = np.arange(300.0) * 1800
    windows = windows_of(arrivals)
    ours = played(arrivals, windows.pre_s, windows.keep_s, arrivals[-1])
    fixed = played(arrivals, 0.0, 4 * HOUR_S, arrivals[-1])
    assert ours.cold == fixed.cold == 1
    assert ours.wasted_s < 0.2 * fixed.wasted_s


def test_floors_stand_within_the_window() -> None:
    calls = [(30.0 * k + 0.5, 1.0) for k in range(12)]
    floors = HybridHistogram().plan(scene_of([calls], 400, 331), 4.0).floors
    assert floors is not None
    # The 12th came in minute 330; bin 29: loaded again 26.1 minutes after its end, kept until 33.
    loaded = 331 + np.flatnonzero(floors[0])
    assert loaded.tolist() == list(range(356, 364))


def test_further_pods_stay_as_long() -> None:
    calls = [(5.0, 60.0), (5.0, 60.0), (7.5, 60.0)]
    floors = HybridHistogram().plan(scene_of([calls], 80, 8), 1.0).floors
    assert floors is not None
    # From minute 8 on: the second was needed last in minute 5, the first until 8.5.
    assert floors[0].tolist() == [2] * 58 + [1] * 3 + [0] * 11
