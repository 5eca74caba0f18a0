"""Probabilities touched up on held-back time, so that "one in ten" happens one time in ten.

A straight line in log odds, one for each window: it keeps order, tells apart what the model tells
apart (steps, as isotonic regression makes them, would merge the rare probabilities on which the
price decides), and has two numbers to learn, so that little held-back time suffices.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from sklearn.linear_model import LogisticRegression

from autoscaler.core.types import BoolArray, FloatArray
from learner.models import Exceedance

FEWEST = 50  # outcomes of either kind below which probabilities stay as they come
STEEPEST = 2.0  # a slope beyond this, or below its inverse, is chance: leave all as it is
SMALLEST = 1e-7  # probability; log odds stay finite


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """For each window: log odds become ``intercept + slope * log odds``."""

    intercept: FloatArray  # (n_windows,)
    slope: FloatArray  # (n_windows,) > 0

    @classmethod
    def fit(cls, exceedance: Exceedance, passed: BoolArray, known: BoolArray) -> Self:
        """Learn from forecasts and what came.

        exceedance, passed: (n, n_origins, n_windows, n_cells); known: (n, n_origins, n_windows),
        False where the window was not fully seen. Probabilities of 0 (out of reach) do not count.
        """
        lines = [
            _line(
                exceedance[:, :, window][known[:, :, window]],
                passed[:, :, window][known[:, :, window]],
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


def _log_odds(chance: Exceedance) -> FloatArray:
    inside = np.clip(chance.astype(np.float64), SMALLEST, 1 - SMALLEST)
    return np.asarray(np.log(inside / (1 - inside)))


def _line(chance: Exceedance, passed: BoolArray) -> tuple[float, float]:
    counts = chance > 0
    outcome = passed[counts]
    if min(outcome.sum(), (~outcome).sum()) < FEWEST:
        return 0.0, 1.0
    model = LogisticRegression(C=1e3).fit(_log_odds(chance[counts])[:, None], outcome)
    slope = float(model.coef_[0, 0])
    if not 1 / STEEPEST <= slope <= STEEPEST:
        return 0.0, 1.0
    return float(model.intercept_[0]), slope
