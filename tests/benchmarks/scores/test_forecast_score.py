"""Right forecasts cover what they say, and wrong ones do not."""

import numpy as np
import pytest
from scipy.stats import poisson

from benchmarks.scores.forecast_score import QUANTILES, mid_coverage, most_ahead, pinball
from learner.models.levels import LEVELS

N, CELLS = 40_000, 8


def curves_of(mean: float) -> np.ndarray:
    """(N, CELLS) that each level is needed, of Poisson pods; out of reach beyond."""
    return np.tile(poisson.sf(LEVELS[:CELLS] - 1, mean), (N, 1))


@pytest.mark.parametrize("mean", [0.02, 0.7, 2.0])
@pytest.mark.parametrize("quantile", QUANTILES)
def test_right_forecasts_cover_each_quantile(mean: float, quantile: float) -> None:
    came = np.random.default_rng(0).poisson(mean, N).astype(float)
    assert mid_coverage(curves_of(mean), came, quantile).mean() == pytest.approx(quantile, abs=0.01)


def test_too_low_forecasts_cover_less() -> None:
    came = np.random.default_rng(0).poisson(2.0, N).astype(float)
    assert mid_coverage(curves_of(1.0), came, 0.9).mean() < 0.75


def test_what_was_out_of_reach_is_not_covered() -> None:
    assert mid_coverage(np.array([[0.5, 0.0]]), np.array([2.0]), 0.99) == [0.0]
    assert mid_coverage(np.array([[0.5, 0.1]]), np.array([50.0]), 0.99) == [0.0]


def test_an_outcome_that_was_sure_is_covered_by_as_much_as_is_asked_for() -> None:
    assert mid_coverage(np.zeros((1, 2)), np.array([0.0]), 0.9) == [0.9]


def test_what_is_not_known_counts_for_nothing() -> None:
    assert np.isnan(mid_coverage(np.zeros((1, 2)), np.array([np.nan]), 0.9)).all()


def test_the_greatest_of_a_window_is_known_where_all_of_it_is() -> None:
    need = np.array([[1.0, 3.0, np.nan, 2.0, 0.0]])
    ahead = most_ahead(need, np.array([-1, 0, 1, 3, 4]), 2)
    assert ahead == pytest.approx(np.array([[np.nan, 3.0, np.nan, 2.0, np.nan]]), nan_ok=True)


def test_the_loss_of_a_quantile_is_least_at_the_quantile() -> None:
    came = np.random.default_rng(0).poisson(3.0, N).astype(float)
    losses = [pinball(np.full(N, float(k)), came, 0.9).mean() for k in range(9)]
    assert np.argmin(losses) == poisson.ppf(0.9, 3.0)
