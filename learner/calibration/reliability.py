"""How often what was forecast with each probability came, and the line that follows from it.

Outcomes are counted in bins of log odds, for each window; old ones fade. A line in log odds for
each window (Platt 1999) then corrects the probabilities: it keeps their order and merges none,
where isotonic regression would merge the rare ones on which decisions depend.
"""

import numpy as np
from sklearn.linear_model import LogisticRegression

from autoscaler.core.types import BoolArray, FloatArray
from learner.models import Exceedance

AS_FORECAST = 1.0  # outcomes in each bin that are taken to have come as forecast: where little is
# known, probabilities stay about as they are
MAX_SLOPE = 2.0  # a slope beyond this, or below its inverse, is taken for noise and not used
MIN_PROBABILITY = 1e-7  # keeps log odds finite
BIN_WIDTH = 0.25  # log odds
MOST_ODDS = 16.25  # log odds of the last bin's end; beyond those of MIN_PROBABILITY
CENTRES = np.arange(-MOST_ODDS, MOST_ODDS, BIN_WIDTH) + BIN_WIDTH / 2  # (n_bins,) log odds

EDGES = np.array([0.0, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99, 1.0])  # of the table shown


class Reliability:
    """Counts of outcomes by window and forecast log odds."""

    def __init__(self, n_windows: int) -> None:
        self.number = np.zeros((2, n_windows, len(CENTRES)))  # of those that did not come, and did

    def add(
        self, window: int, probability: FloatArray, came: BoolArray, weight: float = 1.0
    ) -> None:
        """Count outcomes (k,) of forecasts (k,). Probabilities of 0 (out of reach) do not count."""
        counts = probability > 0
        place = np.floor((log_odds(probability[counts]) + MOST_ODDS) / BIN_WIDTH).astype(np.int64)
        for outcome in (0, 1):
            chosen = place[came[counts] == outcome]
            counted = np.bincount(chosen, minlength=len(CENTRES))
            self.number[outcome, window] += weight * counted

    def fade(self, share: float) -> None:
        """Let what was counted weigh ``share`` of what it did."""
        self.number *= share

    def table(self) -> tuple[FloatArray, FloatArray]:
        """(n_windows, len(EDGES) - 1) outcomes of forecasts between two edges, and those that came.

        Probability is cut at ``EDGES``.
        """
        place = np.searchsorted(EDGES, 1 / (1 + np.exp(-CENTRES)), side="right") - 1
        row = self.number @ (place[:, None] == np.arange(len(EDGES) - 1))
        return row.sum(axis=0), row[1]

    def lines(self) -> tuple[FloatArray, FloatArray]:
        """(n_windows,) intercepts and slopes; 0 and 1 where nothing is known."""
        found = [_line(self.number[:, window]) for window in range(self.number.shape[1])]
        intercept, slope = np.array(found).reshape(-1, 2).T
        return intercept, slope


def corrected(exceedance: Exceedance, intercept: FloatArray, slope: FloatArray) -> Exceedance:
    """Log odds become ``intercept + slope * log odds``; 0 stays 0 and NaN stays NaN.

    exceedance: (n, n_origins, n_windows, n_cells). intercept, slope: (n_windows,).
    """
    shape = (1, 1, -1, 1)
    odds = intercept.reshape(shape) + slope.reshape(shape) * log_odds(exceedance)
    return np.where(exceedance == 0, 0.0, 1 / (1 + np.exp(-odds))).astype(np.float32)


def log_odds(probability: Exceedance | FloatArray) -> FloatArray:
    """Finite also for 0 and 1."""
    inside = np.clip(probability.astype(np.float64), MIN_PROBABILITY, 1 - MIN_PROBABILITY)
    return np.asarray(np.log(inside / (1 - inside)))


def _line(number: FloatArray) -> tuple[float, float]:
    """Of one window; number: (2, n_bins)."""
    if not number.any():
        return 0.0, 1.0
    probability = 1 / (1 + np.exp(-CENTRES))
    weight = number + AS_FORECAST * np.stack([1 - probability, probability])
    outcome, place = np.nonzero(weight)
    model = LogisticRegression(C=1e3)
    model.fit(CENTRES[place][:, None], outcome, sample_weight=weight[outcome, place])
    slope = float(model.coef_[0, 0])
    if not 1 / MAX_SLOPE <= slope <= MAX_SLOPE:
        return 0.0, 1.0
    return float(model.intercept_[0]), slope
