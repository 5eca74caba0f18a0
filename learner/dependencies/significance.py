"""Which of very many pairs stand out, with the share of false ones among them held down."""

import numpy as np
from scipy import special

from autoscaler.core.types import FloatArray


def binomial_tail(successes: FloatArray, trials: FloatArray, chance: FloatArray) -> FloatArray:
    """P(at least so many successes | trials, chance of each); counts need not be whole.

    All of one shape; where nothing succeeded it is 1.
    """
    ran = (successes > 0) & (trials > 0)
    k = np.where(ran, np.minimum(successes, trials), 1.0)
    n = np.where(ran, trials, 1.0)
    tail = special.betainc(k, n - k + 1.0, np.clip(chance, 0.0, 1.0))
    return np.asarray(np.where(ran, tail, 1.0), dtype=np.float64)


def normal_tail(z: FloatArray) -> FloatArray:
    """P(a standard normal > z)."""
    return np.asarray(special.ndtr(-z), dtype=np.float64)


def false_rate(p: FloatArray, n_tests: int) -> FloatArray:
    """Benjamini-Hochberg: the share of false ones if this p-value and all below are believed.

    p: (k,). n_tests: hypotheses looked at, those left out of ``p`` (as p = 1) included.
    """
    order = np.argsort(p)[::-1]
    rank = np.arange(len(p), 0, -1)
    rate = np.minimum.accumulate(p[order] * max(n_tests, 1) / np.maximum(rank, 1))
    result = np.empty(len(p))
    result[order] = np.minimum(rate, 1.0)
    return result
