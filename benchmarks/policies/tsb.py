"""The model of Teunter, Syntetos and Babai for intermittent demand.

Source: Teunter et al., European Journal of Operational Research 214(3), 2011, as statsforecast's
``TSB`` has it. Whether there is demand, and how much then, are smoothed apart; the product
is forecast. Smoothing of 0.1 both, usual in its literature.
"""

import numpy as np

from autoscaler.core.types import FloatArray

SMOOTHING = 0.1


def tsb(in_flight: FloatArray, first: int) -> FloatArray:
    """(n, n_steps - first) forecasts of each step from those before; before any demand, nothing."""
    found = np.zeros_like(in_flight)
    probability, size = np.zeros(len(in_flight)), np.zeros(len(in_flight))
    for step, value in enumerate(in_flight.T[:-1], 1):
        there = value > 0
        new = there & (size == 0)
        probability += SMOOTHING * (there - probability)
        size = np.where(there, size + np.where(new, 1.0, SMOOTHING) * (value - size), size)
        found[:, step] = probability * size
    return found[:, first:]
