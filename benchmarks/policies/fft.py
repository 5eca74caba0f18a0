"""The FFT that rivals forecast by: a window's low frequencies, one step on or some more.

The linear trend of the window is taken out (its slope; the mean stays), the lowest frequencies are
kept (the constant and ten on each side), and their sum is read at the step after the window, with
the trend back on. As each of them repeats after the window, what is read there is the window's own
start, smoothed, plus the trend: one weighted sum of the window, the same weights for all. It sees
no period that is longer than its window, such as a day.
"""

from functools import cache

import numpy as np

from autoscaler.core.types import FloatArray

HARMONICS = 10  # on each side of the constant
FEMUX_WINDOW, ICEBREAKER_WINDOW = 120, 60  # steps of a minute


@cache
def weights(window: int, ahead: int = 0) -> FloatArray:
    """(window,) of each step in the forecast of the next, or of one so many steps after it."""
    at = np.arange(window)
    centred = at - at.mean()
    slope = centred / (centred**2).sum()  # of the line fitted: a weighted sum, too
    turns = np.outer(np.arange(1, HARMONICS + 1), at - ahead) / window
    smoothed = (1 + 2 * np.cos(2 * np.pi * turns).sum(axis=0)) / window
    return np.asarray(smoothed + slope * (window + ahead - smoothed @ at))


def next_steps(values: FloatArray, first: int, window: int, ahead: int = 0) -> FloatArray:
    """(n, n_steps - first) forecasts made for steps from ``first`` on, by the ``window`` before.

    values: (n, n_steps). ahead: 0 = of that step itself, else of one so many steps after it. Where
    less was seen, nothing is forecast.
    """
    padded = np.pad(values, ((0, 0), (window, 0)))[:, first:-1]
    windows = np.lib.stride_tricks.sliding_window_view(padded, window, axis=1)
    forecasts = windows @ weights(window, ahead)
    forecasts[:, : max(window - first, 0)] = 0.0
    return forecasts
