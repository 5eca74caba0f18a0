"""The theta method, with the season and the theta that the past asks for.

Source: Fiorucci et al., International Journal of Forecasting 32(4), 2016, as statsforecast's
``AutoTheta`` has it. That package wants an older pandas than this project has; this is statsmodels'
``ThetaModel``, which tests for the season, removes it, and fits smoothing and trend.

What differs: AutoTheta fits four models and takes the one of the least squared error, a step ahead,
on what it was fitted on: STM (theta is 2), OTM (theta is optimised), DSTM and DOTM (the same, and
the trend moves on with each value). ThetaModel leaves theta to its user, and its trend stands
still. Here theta is the one of that least error, so that STM is a case of OTM; there is no DSTM or
DOTM, but a new fit each hour. AutoTheta optimises theta, smoothing and the first level together;
ThetaModel finds smoothing before theta, from the first value on, and what is beyond AutoTheta's
limits is moved to them.

Each fit is on the day before. Until the next one the level goes on with each value, smoothed as the
fit says. A service's day takes 0.7 s.
"""

import warnings

import numpy as np
from scipy.signal import lfilter

from autoscaler.core.types import FloatArray
from benchmarks.policies.statistics import statsmodels

SEASON = 60  # steps of a minute: timers tick within an hour
WINDOW, REFIT = 24 * SEASON, SEASON
SMOOTHING = 0.1, 0.99  # AutoTheta's limits


def auto_theta(in_flight: FloatArray, first: int) -> FloatArray:
    """(n, n_steps - first) forecasts of each step from those before; 0 before two seasons."""
    found = np.zeros_like(in_flight)
    for begin in range(max(first, 2 * SEASON), in_flight.shape[1], REFIT):
        length = min(WINDOW, begin - begin % SEASON)
        for row, series in enumerate(in_flight[:, begin - length : begin + REFIT]):
            if series[:length].any():
                found[row, begin : begin + REFIT] = following(series, length)
    return found[:, first:]


def following(series: FloatArray, length: int) -> FloatArray:
    """(n_steps - length,) forecasts of the steps after a fit on so many, whole seasons.

    series: (n_steps,). Each is forecast from all before it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of series without variance, and flat likelihoods
        model = statsmodels("tsa.forecasting.theta").ThetaModel(series[:length], period=SEASON)
        fitted = model.fit()
    season = np.resize(fitted.forecast_components(SEASON)["seasonal"], len(series))
    multiplied = model.method.startswith("mul")
    plain = series / season if multiplied else series - season
    alpha, slope = np.clip(fitted.params["alpha"], *SMOOTHING), fitted.params["b0"]
    smoothed, _ = lfilter([alpha], [1, alpha - 1], plain[:-1], zi=[(1 - alpha) * plain[0]])
    level = np.concatenate([plain[:1], smoothed])
    trend = slope * (1 - (1 - alpha) ** np.arange(len(series))) / alpha
    found = level + _weight((plain - level)[:length], trend[:length]) * trend
    return np.asarray((found * season if multiplied else found + season)[length:])


def _weight(errors: FloatArray, trend: FloatArray) -> float:
    """1 - 1 / theta of the least squared error, for theta from 1 on. errors: without a trend."""
    squares = trend @ trend
    return float(np.clip(errors @ trend / squares, 0.0, 1.0)) if squares else 0.0
