"""Tail probabilities, and the false discovery rate over very many pairs."""

import numpy as np
from scipy import special

from autoscaler.core.types import FloatArray


def binomial_tail(successes: FloatArray, trials: FloatArray, probability: FloatArray) -> FloatArray:
    """P(at least so many successes | trials, probability of each); counts need not be whole.

    All of one shape; 1 where there is no success.
    """
    some = (successes > 0) & (trials > 0)
    k = np.where(some, np.minimum(successes, trials), 1.0)
    n = np.where(some, trials, 1.0)
    tail = special.betainc(k, n - k + 1.0, np.clip(probability, 0.0, 1.0))
    return np.asarray(np.where(some, tail, 1.0), dtype=np.float64)


def normal_tail(z: FloatArray) -> FloatArray:
    """P(a standard normal > z)."""
    return np.asarray(special.ndtr(-z), dtype=np.float64)


def false_rate(p: FloatArray, n_tests: int) -> FloatArray:
    """Benjamini-Hochberg: the share of false ones if this p-value and all below are accepted.

    p: (k,). n_tests: hypotheses tested, those left out of ``p`` (as p = 1) included.
    """
    order = np.argsort(p)[::-1]
    rank = np.arange(len(p), 0, -1)
    rate = np.minimum.accumulate(p[order] * max(n_tests, 1) / np.maximum(rank, 1))
    result = np.empty(len(p))
    result[order] = np.minimum(rate, 1.0)
    return result
