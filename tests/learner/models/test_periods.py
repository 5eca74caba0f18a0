"""Periods are found where they are."""

import numpy as np
import pytest
from statsmodels.tsa.stattools import acf

from autoscaler.core.types import FloatArray
from learner.models.periods import autocorrelation, strongest_lag

STEP = np.arange(1000)


def lag_of(need: FloatArray) -> int:
    return int(strongest_lag(autocorrelation(need[None, :]))[0][0])


@pytest.mark.parametrize("period", [7, 24, 96])  # of slower waves a short lag is about as good
def test_the_period_of_a_noisy_wave_is_found(period: int) -> None:
    noise = np.random.default_rng(period).normal(0, 1, len(STEP))
    wave = np.round(10 + 5 * np.sin(2 * np.pi * STEP / period) + noise)
    assert abs(lag_of(np.maximum(wave, 0)) - period) <= max(1, period // 20)


def test_the_period_is_found_across_a_gap() -> None:
    need = np.where(STEP % 24 < 6, 4.0, 0.0)
    need[300:400] = np.nan
    assert lag_of(need) == 24


@pytest.mark.parametrize("need", [np.zeros(100), np.full(100, 3.0), np.full(100, np.nan)])
def test_what_never_changes_has_no_period(need: FloatArray) -> None:
    assert lag_of(need) == 0


def test_the_autocorrelation_is_that_of_statsmodels() -> None:
    past = np.random.default_rng(0).poisson(3.0, (4, 500)).astype(np.float64)
    expected = [acf(series, adjusted=True, fft=True, nlags=250) for series in past]
    np.testing.assert_allclose(autocorrelation(past), expected, atol=1e-9)
