"""Scores of exceedance curves against what came: coverage of quantiles, and their loss.

**Coverage of counts.** A quantile at q is the least number of pods whose probability reaches q, so
that what comes lies within it more often than q, however right the forecast: where no pod is needed
in 98 of 100 windows, the median of 0 covers 98 %. Counted here is the *mid* coverage: an outcome at
the quantile counts by the share of its probability that lies below q (the expectation of the
randomised probability integral transform; Czado, Gneiting, Held 2009, Biometrics 65). Its mean is q
exactly where forecasts are right, without a draw.
"""

import numpy as np

from autoscaler.core.types import Curves, FloatArray, IntArray
from learner.models.levels import LEVELS

QUANTILES = (0.5, 0.9, 0.95, 0.99)


def most_ahead(need: FloatArray, first: IntArray, length: int) -> FloatArray:
    """(n, k) greatest need of ``length`` steps from each first one on; NaN = not wholly known.

    need: (n, n_steps) pods, NaN = gap. first: (k,) steps; windows may begin or end beyond them.
    """
    before = max(0, -int(first.min(initial=0)))
    after = max(0, int(first.max(initial=0)) + length - need.shape[1])
    padded = np.pad(need, ((0, 0), (before, after)), constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, length, axis=1)
    return np.asarray(windows[:, first + before].max(axis=2))


def mid_coverage(exceedance: Curves, came: FloatArray, quantile: float) -> FloatArray:
    """(...) share of each outcome's probability that lies below the quantile; NaN = unknown.

    exceedance: (..., n_cells) that each level is needed. came: (...) pods; levels out of reach have
    probability 0.
    """
    ends = np.zeros((*came.shape, 2))
    at_least = np.concatenate([np.ones_like(ends[..., :1]), exceedance, ends], axis=-1)
    cell = np.searchsorted(LEVELS, np.nan_to_num(came), side="right")[..., None]
    cell = np.minimum(cell, at_least.shape[-1] - 2)
    low = 1 - np.take_along_axis(at_least, cell, axis=-1)[..., 0]
    high = 1 - np.take_along_axis(at_least, cell + 1, axis=-1)[..., 0]
    width = np.maximum(high - low, 1e-12)
    return np.where(np.isnan(came), np.nan, np.clip((quantile - low) / width, 0, 1))


def pinball(forecast: FloatArray, came: FloatArray, quantile: float) -> FloatArray:
    """Elementwise loss of a forecast quantile, in the unit of both."""
    over = came - forecast
    return np.maximum(quantile * over, (quantile - 1) * over)
