import numpy as np
import pytest

from autoscaler.core.state.window import Window, round6

LENGTH_S = 10
CONCURRENCY, RPS = 0, 1


def recorded(samples: dict[int, float], length_s: int = LENGTH_S) -> Window:
    """A window of one row with requests in flight by second, in the order told."""
    window = Window()
    window.append(np.array([length_s]))
    for second, value in samples.items():
        record(window, second, value)
    return window


def record(window: Window, second: int, value: float) -> None:
    window.record(np.array([0]), np.array([second]), np.array([[value], [100 * value]]))


def average(window: Window, second: int, metric: int = CONCURRENCY) -> float:
    return float(window.average(slice(None), np.array([second]), np.array([metric]))[0])


def exponential(window: Window, second: int) -> float:
    return float(window.exponential(np.array([0]), np.array([second]), np.array([0]))[0])


def empty(window: Window, second: int) -> bool:
    return bool(window.empty(slice(None), np.array([second]))[0])


def test_a_young_series_is_averaged_over_its_own_age() -> None:
    assert average(recorded({100: 2.0, 101: 4.0}), 101) == 3.0


def test_a_full_window_is_averaged_over_its_length() -> None:
    assert average(recorded({s: float(s - 100) for s in range(100, 120)}), 119) == 14.5


def test_samples_of_one_second_add_up() -> None:
    window = recorded({100: 2.0})
    record(window, 100, 3.0)
    assert average(window, 100) == 5.0


def test_both_metrics_are_kept_apart() -> None:
    window = recorded({100: 2.0})
    assert average(window, 100, CONCURRENCY) == 2.0
    assert average(window, 100, RPS) == 200.0


def test_an_inner_gap_counts_as_zeros() -> None:
    assert average(recorded({100: 4.0, 103: 4.0}), 103) == 2.0


def test_a_silent_tail_is_left_out_of_the_divisor() -> None:
    window = recorded(dict.fromkeys(range(100, 110), 4.0))
    assert average(window, 113) == 4.0


def test_what_fell_out_during_a_silent_tail_is_not_counted() -> None:
    window = recorded({s: 8.0 if s < 103 else 1.0 for s in range(100, 110)})
    assert average(window, 112) == 1.0


def test_a_whole_silent_window_averages_zero() -> None:
    assert average(recorded({100: 4.0}), 100 + LENGTH_S) == 0.0


def test_a_late_sample_goes_to_its_own_second() -> None:
    assert average(recorded({100: 2.0, 105: 2.0, 103: 2.0}), 105) == 1.0


def test_a_late_sample_before_the_first_makes_the_series_older() -> None:
    assert average(recorded({105: 6.0, 103: 3.0}), 105) == 3.0


def test_a_sample_a_window_late_is_dropped() -> None:
    window = recorded({110: 6.0, 110 - LENGTH_S: 100.0})
    assert average(window, 110) == 6.0


def test_the_oldest_second_of_the_window_still_counts() -> None:
    window = recorded({110: 6.0, 111 - LENGTH_S: 4.0})
    assert average(window, 110) == 1.0


def test_after_a_silent_window_the_series_is_young_again() -> None:
    assert average(recorded({100: 50.0, 100 + LENGTH_S: 6.0}), 100 + LENGTH_S) == 6.0


def test_nothing_written_is_empty() -> None:
    assert empty(recorded({}), 100)
    assert average(recorded({}), 100) == 0.0
    assert exponential(recorded({}), 100) == 0.0


def test_it_is_empty_strictly_after_a_window_of_silence() -> None:
    window = recorded({100: 1.0})
    assert not empty(window, 100 + LENGTH_S)
    assert empty(window, 101 + LENGTH_S)


def test_the_exponential_average_weighs_the_newest_second_most() -> None:
    k = 1 - (1 - 0.9999) ** (1 / LENGTH_S)
    window = recorded({100: 3.0, 101: 5.0})
    assert exponential(window, 101) == pytest.approx(5 * k + 3 * k * (1 - k), abs=1e-12)


def test_the_exponential_average_fades_in_silence() -> None:
    k = 1 - (1 - 0.9999) ** (1 / LENGTH_S)
    assert exponential(recorded({100: 3.0}), 102) == pytest.approx(3 * k * (1 - k) ** 2, abs=1e-12)
    assert exponential(recorded({100: 3.0}), 100 + LENGTH_S) == 0.0


def test_a_long_exponential_window_forgets_no_slower_than_a_fifth_a_second() -> None:
    assert exponential(recorded({100: 3.0}, length_s=600), 100) == pytest.approx(0.6)


def test_a_shorter_window_keeps_the_newest_seconds() -> None:
    window = recorded({s: float(s - 100) for s in range(100, 110)})
    window.resize(0, 2)
    assert average(window, 109) == 8.5


def test_a_longer_window_counts_the_old_length_as_lived() -> None:
    window = recorded({109: 10.0})
    window.resize(0, 2 * LENGTH_S)
    assert average(window, 109) == 1.0


def test_a_resized_window_that_saw_nothing_is_still_young() -> None:
    window = recorded({})
    window.resize(0, 2 * LENGTH_S)
    record(window, 100, 4.0)
    assert average(window, 100) == 4.0


def test_resizing_to_the_same_length_changes_nothing() -> None:
    window = recorded({109: 10.0})
    window.resize(0, LENGTH_S)
    assert average(window, 109) == 10.0


def test_values_survive_compaction() -> None:
    window = recorded({100: 7.0})
    window.append(np.array([600] * 4))
    for _ in range(4):
        window.remove(1)
    assert window.nbytes < 20_000
    assert average(window, 100) == 7.0


@pytest.mark.parametrize(
    ("x", "rounded"),
    [(0.0000005, 1e-6), (-0.0000005, -1e-6), (0.00000049, 0.0), (2.5e-6, 3e-6), (-2.5e-6, -3e-6)],
)
def test_halves_are_rounded_away_from_zero(x: float, rounded: float) -> None:
    assert round6(np.array([x]))[0] == rounded


def test_a_float_just_below_a_half_is_rounded_down() -> None:
    below = np.nextafter(0.5e-6, 0.0)
    assert below * 1e6 < 0.5
    assert round6(np.array([below]))[0] == 0.0


def test_zeros_that_are_passed_count_as_if_each_had_been_recorded() -> None:
    passed, one_by_one = (recorded({100: 2.0, 101: 0.0, 102: 1.0}) for _ in range(2))
    for second in range(103, 110):
        record(one_by_one, second, 0.0)
    passed.pass_zeros(np.array([0]), 109)
    for second in (109, 110, 112, 119, 120, 130):
        assert average(passed, second) == average(one_by_one, second)
    for window in (passed, one_by_one):
        record(window, 110, 4.0)
    assert average(passed, 110) == average(one_by_one, 110) == 0.5


def test_samples_other_than_zero_are_told_with_their_seconds() -> None:
    window = recorded({100: 2.0, 101: 0.0, 107: 1.0, 112: 3.0})
    window.append(np.array([4, 6]))
    window.record(np.array([2]), np.array([50]), np.array([[0.0], [1.0]]))
    position, second = window.samples(np.array([2, 1, 0]))
    assert position.tolist() == [0, 2, 2]
    assert sorted(second.tolist()) == [50, 107, 112]


def test_averages_stay_within_their_bounds_until_a_sample_falls_out() -> None:
    window = recorded({100: 2.0, 101: 1.0})
    row, second, metric = np.array([0]), np.array([101]), np.array([CONCURRENCY])
    least, most = window.bounds(row, second, metric, np.array([True]))[:, 0]
    seen = [average(window, 101)]
    for later in range(102, 110):
        record(window, later, 0.0)
        seen.append(average(window, later))
    assert (least, most) == (0.3, 1.5)
    assert min(seen) == least
    assert max(seen) == most


def test_in_silence_an_average_is_at_most_the_sum() -> None:
    window = recorded({100: 2.0, 101: 1.0})
    row, second, metric = np.array([0]), np.array([103]), np.array([CONCURRENCY])
    assert window.bounds(row, second, metric, np.array([False]))[:, 0].tolist() == [0.3, 3.0]
