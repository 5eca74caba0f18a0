"""Calibration of probabilities on held-back time, by a line in log odds for each window (Platt).

A line keeps the order of probabilities and merges none: isotonic regression would merge the rare
ones on which decisions depend. It has two parameters, so that little held-back time suffices.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from sklearn.linear_model import LogisticRegression

from autoscaler.core.types import BoolArray, FloatArray
from learner.models import Exceedance

FEWEST_OUTCOMES = 50  # of either kind, below which probabilities stay as they are
MAX_SLOPE = 2.0  # a slope beyond this, or below its inverse, is taken for noise and not used
MIN_PROBABILITY = 1e-7  # keeps log odds finite


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """For each window: log odds become ``intercept + slope * log odds``."""

    intercept: FloatArray  # (n_windows,)
    slope: FloatArray  # (n_windows,) > 0

    @classmethod
    def fit(cls, exceedance: Exceedance, exceeded: BoolArray, known: BoolArray) -> Self:
        """Learn from forecasts and outcomes.

        exceedance, exceeded: (n, n_origins, n_windows, n_cells); known: (n, n_origins, n_windows),
        False where the window was not fully seen. Probabilities of 0 (out of reach) do not count.
        """
        lines = [
            _line(
                exceedance[:, :, window][known[:, :, window]],
                exceeded[:, :, window][known[:, :, window]],
            )
            for window in range(exceedance.shape[2])
        ]
        intercept, slope = np.array(lines).reshape(-1, 2).T
        return cls(intercept=intercept, slope=slope)

    def apply(self, exceedance: Exceedance) -> Exceedance:
        """Calibrated probabilities; 0 stays 0 and NaN stays NaN."""
        shape = (1, 1, -1, 1)
        odds = self.intercept.reshape(shape) + self.slope.reshape(shape) * _log_odds(exceedance)
        calibrated = np.where(exceedance == 0, 0.0, 1 / (1 + np.exp(-odds)))
        return np.asarray(calibrated, dtype=np.float32)


def _log_odds(probability: Exceedance) -> FloatArray:
    inside = np.clip(probability.astype(np.float64), MIN_PROBABILITY, 1 - MIN_PROBABILITY)
    return np.asarray(np.log(inside / (1 - inside)))


def _line(probability: Exceedance, exceeded: BoolArray) -> tuple[float, float]:
    counts = probability > 0
    outcome = exceeded[counts]
    if min(outcome.sum(), (~outcome).sum()) < FEWEST_OUTCOMES:
        return 0.0, 1.0
    model = LogisticRegression(C=1e3).fit(_log_odds(probability[counts])[:, None], outcome)
    slope = float(model.coef_[0, 0])
    if not 1 / MAX_SLOPE <= slope <= MAX_SLOPE:
        return 0.0, 1.0
    return float(model.intercept_[0]), slope
