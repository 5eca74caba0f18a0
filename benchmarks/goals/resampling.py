"""Intervals by the bootstrap: what other services of the same kind would have given."""

import numpy as np

from autoscaler.core.types import FloatArray

RESAMPLES, SEED = 2_000, 0
TAILS = 0.025, 0.975  # an interval of 95 %


def resampled(values: FloatArray) -> FloatArray:
    """(..., RESAMPLES) sums over services drawn with replacement. values: (..., n_services).

    The same services are drawn for any values of as many, so that ratios and differences are
    paired.
    """
    n = values.shape[-1]
    random = np.random.default_rng(SEED)
    times = random.multinomial(n, np.full(n, 1 / n), RESAMPLES)  # that each is drawn
    return np.asarray(values @ times.T)


def interval(statistic: FloatArray) -> tuple[float, float]:
    """Least and most of a statistic (RESAMPLES,); unknown ones aside."""
    known = statistic[~np.isnan(statistic)]
    if not len(known):
        return np.nan, np.nan
    low, high = np.quantile(known, TAILS, method="nearest")
    return float(low), float(high)


def ratio(over: FloatArray, under: FloatArray) -> FloatArray:
    """Elementwise; NaN where nothing is below."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(under > 0, over / under, np.nan)
