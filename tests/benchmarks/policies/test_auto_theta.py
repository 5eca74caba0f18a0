"""AutoTheta against statsmodels: its ThetaModel for one theta after another, and its smoothing."""

import numpy as np
import pytest
from statsmodels.tsa.forecasting.theta import ThetaModel
from statsmodels.tsa.holtwinters import SimpleExpSmoothing

from autoscaler.core.types import FloatArray
from benchmarks.policies.auto_theta import REFIT, SEASON, WINDOW, auto_theta, following

LENGTH = 4 * SEASON
MINUTE = np.arange(LENGTH + 5)
NOISE = np.random.default_rng(1).normal(0, 1, len(MINUTE))
WAVE = np.sin(2 * np.pi * MINUTE / SEASON)
THETAS = (*(1 / (1 - np.linspace(0, 0.999, 1000))), np.inf)


@pytest.mark.parametrize(
    ("series", "seasonal", "multiplied", "limited"),
    [
        (5 + 0.05 * MINUTE + NOISE, False, True, False),
        (50 - 0.1 * MINUTE + NOISE, False, True, False),
        (6 + 3 * WAVE + 0.02 * MINUTE + 0.5 * NOISE, True, True, False),
        (3 * WAVE + 0.02 * MINUTE + 0.5 * NOISE, True, False, False),
        (np.where(MINUTE % 15 == 3, 2 + NOISE / 10, 0), True, False, True),
    ],
    ids=["rising", "falling", "season, multiplied", "season, added", "timer"],
)
def test_it_is_theta_model_with_the_theta_of_the_least_error(
    series: FloatArray, seasonal: bool, multiplied: bool, limited: bool
) -> None:
    model = ThetaModel(series[:LENGTH], period=SEASON)
    fitted = model.fit()
    season = fitted.forecast_components(SEASON)["seasonal"].to_numpy()[MINUTE % SEASON]
    assert (np.ptp(season) > 0, model.method == "mul") == (seasonal, multiplied)
    plain = series / season if multiplied else series - season
    slope, alpha = fitted.params["b0"], min(max(fitted.params["alpha"], 0.1), 0.99)
    level = SimpleExpSmoothing(
        plain, initialization_method="known", initial_level=plain[0]
    ).fit(smoothing_level=alpha, optimized=False).fittedvalues  # fmt: skip
    trend = slope * (1 / alpha - (1 - alpha) ** MINUTE / alpha)

    def forecasts(theta: float) -> FloatArray:
        return np.asarray(level + (1 - 1 / theta) * trend)

    errors = [np.square(plain - forecasts(theta))[:LENGTH].sum() for theta in THETAS]
    best = THETAS[int(np.argmin(errors))]
    expected = forecasts(best) * season if multiplied else forecasts(best) + season
    if alpha == fitted.params["alpha"]:
        assert expected[LENGTH] == pytest.approx(fitted.forecast(1, theta=best).iloc[0])
    assert (alpha == 0.1) == limited
    assert following(series, LENGTH) == pytest.approx(expected[LENGTH:], abs=1e-3)


def test_it_is_fitted_each_hour_on_the_day_before() -> None:
    busy = np.random.default_rng(2).poisson(2.0, WINDOW + 200).astype(np.float64)
    found = auto_theta(np.array([busy, 0 * busy]), 0)
    assert not found[:, : 2 * SEASON].any()
    assert not found[1].any()
    np.testing.assert_array_equal(auto_theta(busy[None], SEASON), found[:1, SEASON:])
    begin = WINDOW + SEASON
    hour = slice(begin, begin + REFIT)
    np.testing.assert_array_equal(found[0, hour], following(busy[SEASON : begin + REFIT], WINDOW))
