"""Autoregression of order 10, refitted before every step on the two hours before it.

The same least squares as statsmodels' ``AutoReg(window, lags=10, trend="c")``, on many windows at
once; where a window has no unique solution, the one of least norm, as there.
"""

import numpy as np

from autoscaler.core.types import FloatArray

LAGS, WINDOW = 10, 120  # steps of a minute
AT_ONCE = 1024  # windows that are solved together: some 10 MB
RCOND = 1e-15  # singular values below this part of the greatest count as none, as in statsmodels


def next_steps(windows: FloatArray) -> FloatArray:
    """(n,) forecasts of the step after each of windows (n, WINDOW)."""
    parts = [_solved(windows[i : i + AT_ONCE]) for i in range(0, len(windows), AT_ONCE)]
    return np.concatenate([np.zeros(0), *parts])


def _solved(windows: FloatArray) -> FloatArray:
    lagged = np.lib.stride_tricks.sliding_window_view(windows, LAGS + 1, axis=1)
    known = np.ones((*lagged.shape[:2], LAGS + 1))  # a constant, and the lags
    known[..., 1:] = lagged[..., :-1]
    solution = np.linalg.pinv(known, rcond=RCOND) @ lagged[..., -1:]
    return np.asarray(solution[:, 0, 0] + (solution[:, 1:, 0] * windows[:, -LAGS:]).sum(axis=1))
