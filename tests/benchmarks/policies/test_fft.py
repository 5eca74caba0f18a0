"""The FFT's forecast against its definition, and what it can and cannot see."""

import numpy as np
import pytest

from benchmarks.policies.fft import FEMUX_WINDOW, HARMONICS, ICEBREAKER_WINDOW, next_steps, weights
from benchmarks.policies.icebreaker import icebreaker
from tests.benchmarks.policies.scenes import scene_of

WINDOWS = [ICEBREAKER_WINDOW, FEMUX_WINDOW]


def by_definition(window: np.ndarray, ahead: int = 0) -> float:
    """Detrend, transform, keep what is nearest to zero, sum the cosines at the step asked for."""
    n = len(window)
    at = np.arange(n)
    slope = np.polyfit(at, window, 1)[0]
    lines = np.fft.fft(window - slope * at)
    frequency = np.fft.fftfreq(n)
    total = slope * (n + ahead)
    for k in np.argsort(np.abs(frequency), kind="stable")[: 2 * HARMONICS + 1]:
        amplitude, phase = np.abs(lines[k]) / n, np.angle(lines[k])
        total += amplitude * np.cos(2 * np.pi * frequency[k] * (n + ahead) + phase)
    return float(total)


@pytest.mark.parametrize("length", WINDOWS)
def test_it_is_the_sum_of_cosines_at_the_next_step(length: int) -> None:
    values = np.random.default_rng(0).gamma(1.0, 3.0, (3, length + 4))
    forecasts = next_steps(values, length, length)
    expected = [[by_definition(row[k : k + length]) for k in range(4)] for row in values]
    np.testing.assert_allclose(forecasts, expected, atol=1e-9)


@pytest.mark.parametrize("ahead", [1, 9, ICEBREAKER_WINDOW + 1])
def test_a_step_further_ahead_is_the_same_sum_later(ahead: int) -> None:
    window = np.random.default_rng(2).gamma(1.0, 3.0, ICEBREAKER_WINDOW)
    forecast = window @ weights(ICEBREAKER_WINDOW, ahead)
    assert forecast == pytest.approx(by_definition(window, ahead), abs=1e-9)


def test_it_is_the_smoothed_start_of_its_window_and_the_trend() -> None:
    window = np.random.default_rng(1).random(ICEBREAKER_WINDOW)
    at = np.arange(ICEBREAKER_WINDOW)
    slope = np.polyfit(at, window, 1)[0]
    lines = np.fft.rfft(window - slope * at)
    lines[HARMONICS + 1 :] = 0
    smoothed = np.fft.irfft(lines, ICEBREAKER_WINDOW)
    expected = smoothed[0] + ICEBREAKER_WINDOW * slope
    assert window @ weights(ICEBREAKER_WINDOW) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("period", "seen"), [(60, True), (12, True), (6, True), (5, False)])
def test_it_sees_periods_that_divide_the_hour_and_take_six_minutes(period: int, seen: bool) -> None:
    at = np.arange(ICEBREAKER_WINDOW + period)
    wave = 1 + np.cos(2 * np.pi * at / period)
    forecasts = next_steps(wave[None], ICEBREAKER_WINDOW, ICEBREAKER_WINDOW)[0]
    swing = np.ptp(forecasts) / 2
    assert bool(swing > 0.5) is seen


@pytest.mark.parametrize("length", WINDOWS)
def test_what_is_constant_or_rises_steadily_goes_on(length: int) -> None:
    steady = np.array([np.full(length + 1, 2.0)])
    assert next_steps(steady, length, length)[0] == pytest.approx(2.0)
    rising = np.arange(length + 1.0)[None]
    assert next_steps(rising, length, length)[0] == pytest.approx(length)


def test_nothing_is_forecast_from_less_than_a_window() -> None:
    ones = np.ones((1, 62))
    assert next_steps(ones, 58, 60)[0].tolist() == pytest.approx([0, 0, 1, 1])


def test_icebreaker_rounds_invocations_and_counts_them_by_their_duration() -> None:
    every_minute = [(minute + 0.25, 12.0) for minute in range(70)]
    rare = [(59.5, 12.0)]
    found = icebreaker(scene_of([every_minute, rare], 70, 60))
    assert found[0] == pytest.approx(12 / 60)
    assert not found[1][3:].any()
