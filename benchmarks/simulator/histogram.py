"""Histograms of waits and latencies: bins of a fixed ratio, so that quantiles are within 2 %.

What is compiled here becomes part of `events`, whose cached code (``__pycache__``) does not notice
a change of this file.
"""

import numpy as np
from numba import njit

from autoscaler.core.types import FloatArray

BINS = 1024
FIRST_EDGE_S = 1e-3  # up to it a time is as good as none
RATIO = 1.02  # of one bin's upper edge to the one before


@njit(cache=True)
def bin_of(seconds: float) -> int:
    """The bin with the first upper edge >= seconds; 0 = at most ``FIRST_EDGE_S``."""
    if seconds <= FIRST_EDGE_S:
        return 0
    return min(BINS - 1, int(np.ceil(np.log(seconds / FIRST_EDGE_S) / np.log(RATIO) - 1e-9)))


def upper_edges_s() -> FloatArray:
    """(BINS,) s; the first bin counts as 0."""
    bins = np.arange(BINS)
    return np.where(bins == 0, 0.0, FIRST_EDGE_S * RATIO**bins)
