"""Holt-Winters against statsmodels, and TSB by hand."""

import warnings

import numpy as np
import pytest
from statsmodels.tsa.holtwinters import ExponentialSmoothing

from benchmarks.policies.holt_winters import SEASON, SMOOTHING, WINDOW, holt_winters, weights
from benchmarks.policies.tsb import tsb
from tests.benchmarks.policies.scenes import scene_of

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize(
    "series",
    [
        RANDOM.integers(0, 5, WINDOW).astype(np.float64),
        np.tile([0.0, 0, 3, 1, 0, 0], 4) + RANDOM.random(WINDOW) / 10,
        np.arange(WINDOW) + RANDOM.random(WINDOW),
    ],
    ids=["noise", "season", "trend"],
)
def test_it_is_statsmodels_with_smoothing_given(series: np.ndarray) -> None:
    model = ExponentialSmoothing(
        series, trend="add", seasonal="add", seasonal_periods=SEASON,
        initialization_method="estimated",
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = model.fit(
            smoothing_level=SMOOTHING, smoothing_trend=SMOOTHING, smoothing_seasonal=SMOOTHING
        )
    assert series @ weights() == pytest.approx(fitted.forecast(1)[0], abs=0.02)


def test_a_season_that_was_stored_is_foreseen_in_whole_pods() -> None:
    calls = [(6.0 * k + 0.1, 30.0) for k in range(8)]
    found = holt_winters(scene_of([calls, []], 48, 30))
    assert found[0] == pytest.approx(np.tile([0.7, 0, 0, 0, 0, 0], 3), abs=1e-6)
    assert not found[1].any()


def test_tsb_smooths_whether_and_how_much() -> None:
    found = tsb(np.array([[0.0, 2.0, 0.0, 4.0, 0.0]]), 0)
    assert found[0].tolist() == pytest.approx([0, 0, 0.1 * 2, 0.09 * 2, 0.181 * 2.2])
    np.testing.assert_array_equal(tsb(np.array([[0.0, 2.0, 0.0, 4.0, 0.0]]), 2), found[:, 2:])
