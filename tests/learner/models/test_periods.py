"""Seasons are found where they are, and nowhere else."""

import numpy as np
import pytest
from statsmodels.tsa.stattools import acf

from autoscaler.core.types import FloatArray
from learner.models.periods import autocorrelation, season_of

STEP = np.arange(1000)


@pytest.mark.parametrize("season", [7, 24, 96, 300])
def test_finds_the_season_of_a_noisy_wave(season: int) -> None:
    noise = np.random.default_rng(season).normal(0, 1, len(STEP))
    wave = np.round(10 + 5 * np.sin(2 * np.pi * STEP / season) + noise)
    assert abs(season_of(np.maximum(wave, 0)) - season) <= max(1, season // 20)


def test_finds_the_season_across_a_gap() -> None:
    need = np.where(STEP % 24 < 6, 4.0, 0.0)
    need[300:400] = np.nan
    assert season_of(need) == 24


@pytest.mark.parametrize("seed", range(10))
def test_noise_has_no_season(seed: int) -> None:
    assert season_of(np.random.default_rng(seed).poisson(2.0, 1000).astype(np.float64)) == 0


@pytest.mark.parametrize("need", [np.zeros(100), np.full(100, 3.0), np.full(100, np.nan)])
def test_what_never_changes_has_no_season(need: FloatArray) -> None:
    assert season_of(need) == 0


def test_the_autocorrelation_is_that_of_statsmodels() -> None:
    past = np.random.default_rng(0).poisson(3.0, (4, 500)).astype(np.float64)
    expected = [acf(series, adjusted=True, fft=True, nlags=250) for series in past]
    np.testing.assert_allclose(autocorrelation(past), expected, atol=1e-9)
