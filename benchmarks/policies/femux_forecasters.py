"""FeMux's forecasters: a minute ahead, from two hours of mean concurrency.

The set that its artefact has by default. A window whose values are all equal is forecast to go on
so, but by the Markov chain; forecasts keep to `within_rules`.
"""

from functools import partial

import numpy as np

from autoscaler.core.types import FloatArray
from benchmarks.policies import autoregression, fft, markov
from benchmarks.policies.point_forecast import Forecaster
from benchmarks.scores.femux_rules import most_of_last, within_rules

EQUAL = 1e-9  # up to which values are


def ar(in_flight: FloatArray, first: int) -> FloatArray:
    """(n, n_steps - first) autoregression of order 10."""
    windows = np.lib.stride_tricks.sliding_window_view(
        _before(in_flight, first), autoregression.WINDOW, axis=1
    )
    found = windows[..., -1].copy()
    varied = np.ptp(windows, axis=2) > EQUAL
    varied[:, : max(autoregression.WINDOW - first, 0)] = False
    found[varied] = autoregression.next_steps(windows[varied])
    return within_rules(found, in_flight, first)


def by_fft(in_flight: FloatArray, first: int) -> FloatArray:
    """(n, n_steps - first) the FFT of two hours, which FeMux's code reads an hour off."""
    return within_rules(fft.next_steps(in_flight, first, fft.FEMUX_WINDOW), in_flight, first)


def markov_chain(in_flight: FloatArray, first: int) -> FloatArray:
    """(n, n_steps - first) the Markov chain."""
    return within_rules(markov.next_steps(in_flight, first), in_flight, first)


def _before(in_flight: FloatArray, first: int) -> FloatArray:
    """What windows of the steps from ``first`` on can see."""
    return np.pad(in_flight, ((0, 0), (autoregression.WINDOW, 0)))[:, first:-1]


FORECASTERS: dict[str, Forecaster] = {
    "AR": ar,
    "FFT": by_fft,
    "Markov chain": markov_chain,
    "keep-alive 10 min": partial(most_of_last, 10),
    "keep-alive 5 min": partial(most_of_last, 5),
}
FIRST = "keep-alive 10 min"  # of a block with none before it
