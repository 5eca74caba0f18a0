"""Holt-Winters as the Predictive Horizontal Pod Autoscaler has it.

Source: jthomperoo/predictive-horizontal-pod-autoscaler. The series is what replicas were calculated
from load, minute by minute; statsmodels' ``ExponentialSmoothing`` with additive trend and season,
smoothing that the user gives, and estimated initial states forecasts the next, which is rounded up;
the greater of it and the present calculation is in force. Values are those of its manual's example:
smoothing of 0.9 all over, a season of 6 intervals, 4 seasons stored.

With smoothing given, errors are linear in the series and the initial states, and those of the least
squares are linear in the series; so is the forecast: one weighted sum of what is stored.
"""

from functools import cache

import numpy as np

from autoscaler.core.types import FloatArray
from benchmarks.policies.contender import Scene
from benchmarks.policies.point_forecast import NOTHING, in_flight

SMOOTHING, SEASON, STORED = 0.9, 6, 4
WINDOW = SEASON * STORED


def holt_winters(scene: Scene) -> FloatArray:
    """(n, n_steps - first) requests in flight that the forecast replicas take at the target."""
    seen = in_flight(scene)
    target = np.broadcast_to(
        np.asarray(scene.services.revision.target, dtype=np.float64), len(seen)
    )[:, None]
    replicas = np.where(seen < NOTHING, 0.0, np.ceil(np.round(seen / target, 9)))
    windows = np.lib.stride_tricks.sliding_window_view(
        np.pad(replicas, ((0, 0), (WINDOW, 0)))[:, scene.first : -1], WINDOW, axis=1
    )
    forecasts = np.ceil(np.round(windows @ weights(), 9))
    forecasts[:, : max(WINDOW - scene.first, 0)] = 0.0
    return np.asarray(np.maximum(forecasts, 0.0) * target, dtype=np.float64)


@cache
def weights() -> FloatArray:
    """(WINDOW,) of each stored value in the forecast of the next."""
    states = np.eye(2 + SEASON)
    of_series = [_smoothed(unit, np.zeros(2 + SEASON)) for unit in np.eye(WINDOW)]
    of_states = [_smoothed(np.zeros(WINDOW), unit) for unit in states]
    errors = np.array([error for error, _ in of_series]).T
    by_states = np.array([error for error, _ in of_states]).T
    estimated = -np.linalg.pinv(by_states) @ errors  # initial states of least squared errors
    forecast = np.array([each for _, each in of_series])
    return np.asarray(forecast + np.array([each for _, each in of_states]) @ estimated)


def _smoothed(series: FloatArray, initial: FloatArray) -> tuple[FloatArray, float]:
    """Errors of one-step forecasts, and the forecast of the step after the series."""
    level, trend, *season = initial.tolist()
    errors = np.zeros(len(series))
    for step, value in enumerate(series):
        before, seasonal = level + trend, season[step % SEASON]
        errors[step] = value - before - seasonal
        smoothed = SMOOTHING * (value - seasonal) + (1 - SMOOTHING) * before
        trend = SMOOTHING * (smoothed - level) + (1 - SMOOTHING) * trend
        season[step % SEASON] = SMOOTHING * (value - before) + (1 - SMOOTHING) * seasonal
        level = smoothed
    return errors, level + trend + season[len(series) % SEASON]
