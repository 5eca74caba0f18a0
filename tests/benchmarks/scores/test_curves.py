"""A curve of a policy is read between its settings, and its hypervolume is an area."""

import numpy as np
import pytest

from benchmarks.scores.curves import cold_at, hypervolume, pod_s_at, reaches

POD_S, COLD = np.array([100.0, 200.0, 300.0]), np.array([60.0, 20.0, 10.0])


def test_cold_requests_are_read_between_two_settings() -> None:
    assert cold_at(150, POD_S, COLD) == 40
    assert cold_at(1000, POD_S, COLD) == 10


def test_pod_seconds_are_read_between_two_settings() -> None:
    assert pod_s_at(40, POD_S, COLD) == 150
    assert pod_s_at(70, POD_S, COLD) == 100
    assert np.isnan(pod_s_at(5, POD_S, COLD))


def test_a_setting_that_spends_and_misses_more_is_not_counted() -> None:
    pod_s, cold = np.array([100.0, 150.0, 200.0]), np.array([60.0, 90.0, 20.0])
    assert cold_at(150, pod_s, cold) == 60
    assert pod_s_at(60, pod_s, cold) == 100


def test_a_curve_reaches_down_to_its_most_sparing_setting() -> None:
    assert reaches(100, POD_S)
    assert not reaches(99, POD_S)


def test_the_hypervolume_is_the_area_between_curve_and_reference() -> None:
    # Under 100 cold and 400 pod-seconds: 40 to 80 above the first segment, 80 to 90, and 90.
    area = 100 * (40 + 80) / 2 + 100 * (80 + 90) / 2 + 100 * 90
    assert hypervolume(POD_S, COLD, most_pod_s=400, most_cold=100) == pytest.approx(area / 40_000)


def test_a_curve_counts_from_where_it_comes_below_the_reference() -> None:
    # 40 cold at 150 pod-seconds, then down to 20 at 200.
    found = hypervolume(POD_S, COLD, most_pod_s=200, most_cold=40)
    assert found == pytest.approx(50 * 20 / 2 / 8_000)


def test_what_costs_more_than_the_reference_gains_nothing() -> None:
    assert hypervolume(POD_S, COLD, most_pod_s=90, most_cold=100) == 0
    assert hypervolume(POD_S, COLD, most_pod_s=400, most_cold=5) == 0


def test_no_curve_is_beyond_one_that_is_better_everywhere() -> None:
    worse = hypervolume(POD_S, COLD, most_pod_s=400, most_cold=100)
    assert hypervolume(POD_S * 0.9, COLD * 0.9, most_pod_s=400, most_cold=100) > worse


def test_without_a_reference_there_is_no_hypervolume() -> None:
    assert np.isnan(hypervolume(POD_S, COLD, most_pod_s=400, most_cold=0))
