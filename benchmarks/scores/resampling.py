"""Intervals by the bootstrap: what other services of the same kind would have given."""

from dataclasses import dataclass

import numpy as np

from autoscaler.core.types import FloatArray, IntArray

RESAMPLES, SEED = 2_000, 0
TAILS = 0.025, 0.975  # an interval of 95 %


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A value, and its interval of 95 %."""

    value: float
    low: float
    high: float


def resampled(values: FloatArray) -> FloatArray:
    """(..., RESAMPLES) sums over services drawn with replacement. values: (..., n_services).

    The same services are drawn for any values of as many, so that ratios and differences are
    paired.
    """
    return np.asarray(values @ times_drawn(values.shape[-1]).T)


def resampled_all(values: FloatArray) -> FloatArray:
    """(k, RESAMPLES) sums over services and days, mean over seeds, each drawn with replacement.

    values: (n_seeds, k, n_services, n_days). Paired, as `resampled`.
    """
    n_seeds, _, n, n_days = values.shape
    by_service = np.tensordot(times_drawn(n), values, axes=(1, 2))  # (RESAMPLES, n_seeds, k, days)
    seeds = times_drawn(n_seeds, SEED + 1) / n_seeds
    days = times_drawn(n_days, SEED + 2)
    return np.asarray(np.einsum("rskd,rs,rd->kr", by_service, seeds, days))


def times_drawn(n: int, seed: int = SEED) -> IntArray:
    """(RESAMPLES, n) how often each of n is drawn, where n are drawn with replacement."""
    random = np.random.default_rng(seed)
    return np.asarray(random.multinomial(n, np.full(n, 1 / n), RESAMPLES))


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
