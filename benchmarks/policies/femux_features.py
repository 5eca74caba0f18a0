"""FeMux's features of a block: how dense, stationary, linear and periodic its series is.

Source: ubc-cirrus-lab/femux. The tests are statsmodels'.
"""

import warnings

import numpy as np

from autoscaler.core.types import FloatArray
from benchmarks.policies.statistics import statsmodels

LEVEL = 0.05  # of significance
LONGEST, SHORTEST = 60, 2  # minutes, of periods that are counted
DEVIATIONS = 2.0  # beyond the mean, from which a line is one


def features(blocks: FloatArray) -> FloatArray:
    """(n, 4) density, stationarity, linearity, harmonics of blocks (n, minutes)."""
    rows = [(row.mean(), stationary(row), linear(row), harmonics(row)) for row in blocks]
    return np.array(rows, dtype=np.float64).reshape(-1, 4)


def stationary(series: FloatArray) -> bool:
    """Whether a unit root is refuted (augmented Dickey-Fuller, lags by AIC); so is a constant."""
    if not np.ptp(series):
        return True
    p = _p_value("adfuller", series, autolag="AIC")
    return bool(np.isnan(p) or p <= LEVEL)


def linear(series: FloatArray) -> bool:
    """Whether differences of log(1 + x) may be independent (BDS); so may a constant's."""
    changes = np.diff(np.log1p(series))
    if not np.ptp(changes):
        return True
    p = _p_value("bds", changes)
    return bool(np.isnan(p) or p >= LEVEL)


def harmonics(series: FloatArray) -> int:
    """How many frequencies of periods from 2 to 60 minutes stand out."""
    if not np.ptp(series):
        return 0
    at = np.arange(len(series)) - (len(series) - 1) / 2
    trend = (at @ series) / (at @ at) * at
    lines = np.abs(np.fft.rfft(series - trend))
    frequency = np.fft.rfftfreq(len(series))
    lines = lines[(frequency >= 1 / LONGEST) & (frequency <= 1 / SHORTEST)]
    return int((lines >= lines.mean() + DEVIATIONS * lines.std()).sum())


def _p_value(test: str, series: FloatArray, **options: str) -> float:
    """NaN where the test cannot tell."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return float(getattr(statsmodels("tsa.stattools"), test)(series, **options)[1])
        except (ValueError, np.linalg.LinAlgError):
            return float("nan")
