"""The period of a series: the lag at which it most resembles its own past.

`periods_at` computes a feature of many series at once, from what was known at each refresh: every
thirty steps while the past is short, less often later.
"""

from typing import TypeVar

import numpy as np
import numpy.typing as npt
from scipy.fft import next_fast_len

from autoscaler.core.types import FloatArray, IntArray

REFRESH = 30  # steps between two refreshes ...
REFRESH_LATER = 480  # ... and once the past is longer than ``SHORT_PAST``
SHORT_PAST = 1440  # steps
LOOK_BACK = 4096  # steps of the past that count; the longest period found is half of it
SHORTEST = 3  # steps; shorter periods are plain in the lags, and no season

Series = TypeVar("Series", npt.NDArray[np.float32], FloatArray)


def autocorrelation(past: Series) -> Series:
    """(n_series, n_steps // 2 + 1) correlation with itself at each lag; NaN steps count as mean.

    Each lag is averaged over the pairs that it has, so that long lags are not damped. In the dtype
    of ``past``.
    """
    n_steps = past.shape[1]
    known = ~np.isnan(past)
    number = np.maximum(known.sum(axis=1, keepdims=True), 1)
    mean = np.where(known, past, 0).sum(axis=1, keepdims=True) / number
    centred = np.where(known, past - mean, 0)
    n_lags = n_steps // 2 + 1
    size = next_fast_len(n_steps + n_lags, real=True)  # or the end would meet the beginning
    spectrum = np.fft.rfft(centred, size, axis=1)
    power_at = spectrum.real**2 + spectrum.imag**2
    products = np.fft.irfft(power_at, size, axis=1)[:, :n_lags]
    pairs = n_steps - np.arange(n_lags)
    power = np.maximum(products[:, :1] / n_steps, 1e-9)
    return np.asarray(products / pairs / power, dtype=past.dtype)


def strongest_lag(correlation: Series) -> tuple[IntArray, Series]:
    """For each series the shortest lag about as good as the best one, and its correlation.

    A period's multiples correlate about as well as itself, hence "about as good": nine tenths.
    A lag must exceed its neighbours. Returns lags (0 = none) and correlations, (n_series,).
    """
    none = np.zeros(len(correlation), dtype=np.int64)
    if correlation.shape[1] <= SHORTEST + 1:
        return none, none.astype(correlation.dtype)
    middle = correlation[:, SHORTEST:-1]
    peak = (middle >= correlation[:, SHORTEST - 1 : -2]) & (middle > correlation[:, SHORTEST + 1 :])
    height = np.where(peak, middle, -1.0)
    best = height.max(axis=1)
    good = peak & (height >= 0.9 * best[:, None]) & (best[:, None] > 0)
    lag = np.where(good.any(axis=1), good.argmax(axis=1) + SHORTEST, 0)
    strength = np.where(lag > 0, correlation[np.arange(len(lag)), lag], 0.0)
    return lag, strength.astype(correlation.dtype)


def periods_at(
    values: npt.NDArray[np.float32], series: IntArray, origin: IntArray
) -> tuple[IntArray, npt.NDArray[np.float32]]:
    """Period (steps, 0 = none) and its strength for each row, as known at the last refresh.

    values: (n_series, n_steps), NaN = gap. series, origin: (n_rows,).
    """
    period = np.zeros(len(series), dtype=np.int64)
    strength = np.zeros(len(series), dtype=np.float32)
    refreshed = last_refresh(origin)
    for until in np.unique(refreshed[refreshed > 0]):
        rows = np.flatnonzero(refreshed == until)
        wanted, back_to_row = np.unique(series[rows], return_inverse=True)
        past = values[wanted, max(0, until - LOOK_BACK) : until]
        lag, height = strongest_lag(autocorrelation(past))
        period[rows], strength[rows] = lag[back_to_row], height[back_to_row]
    return period, strength


def last_refresh(origin: IntArray) -> IntArray:
    """The step of the last refresh at or before each origin."""
    interval = np.where(origin <= SHORT_PAST, REFRESH, REFRESH_LATER)
    return np.asarray(origin // interval * interval)
