"""The seasonal copy: what the same window of former seasons needed, happens again.

The season is found for each service in the autocorrelation of its past, not assumed: a day, a
week, or the seven minutes of somebody's batch job. It is also the baseline: a model that does not
beat it on held-back time does not speak for the service.
"""

from itertools import pairwise
from typing import Self

import numpy as np

from autoscaler.core.types import BoolArray, FloatArray, IntArray
from learner.demand import Demand
from learner.models import WINDOWS, Forecast
from learner.models.levels import LEVELS
from learner.models.periods import season_of
from learner.models.rows import greatest_ahead
from learner.models.single_service import forecast_each, learn_each

SEASONS = 8  # former seasons that count
SHIFTS = np.array([-1, 0, 1])  # steps: the neighbours of the same window count too ...
SHIFT_WEIGHTS = np.array([0.25, 0.5, 0.25])  # ... half as much
NO_SEASON = "no season found"
TOO_SHORT = "no whole season has passed yet"


class SeasonalCopy:
    """Share of the former seasons' same window, give or take a step, that passed each level."""

    name = "seasonal"

    def __init__(self, *, windows: tuple[int, ...] = WINDOWS) -> None:
        self.windows = windows

    def fit(self, demand: Demand) -> Self:
        """Find each service's season."""
        self.season_ = learn_each(demand, season_of, 0)
        return self

    def predict(self, demand: Demand, origins: IntArray) -> Forecast:
        """Answer where the service had a season when it was fitted, and one has passed."""

        def answer(row: int, need: FloatArray, n_cells: int) -> FloatArray | str:
            season = self.season_.get(demand.services[row], 0)
            if season == 0:
                return NO_SEASON
            copies = [
                _copy(need, origins, season, span, n_cells) for span in pairwise(self.windows)
            ]
            together = np.stack(copies, axis=1)
            return TOO_SHORT if np.isnan(together).all() else together

        return forecast_each(demand, origins, len(self.windows) - 1, answer)


def _copy(
    need: FloatArray, origins: IntArray, season: int, span: tuple[int, int], n_cells: int
) -> FloatArray:
    """(n_origins, n_cells) smoothed share of former windows that passed each level, or NaN."""
    begin, end = span
    width = end - begin
    if len(need) == 0:
        return np.full((len(origins), n_cells), np.nan)
    (greatest,), (missing,) = greatest_ahead(need[None, :], 0, width)
    back = season * (-(-(end + 1) // season) + np.arange(SEASONS))
    start = (origins + begin)[:, None, None] - back[:, None] + SHIFTS
    seen = (start >= 0) & (start + width <= origins[:, None, None])
    start = np.where(seen, start, 0)
    weight = np.where(seen & ~missing[start], SHIFT_WEIGHTS, 0.0)
    passed = greatest[start][..., None] >= LEVELS[:n_cells]
    total = weight.sum(axis=(1, 2))[:, None]
    usual = _usual_share(greatest, missing, n_cells)[np.maximum(origins - width + 1, 0)]
    share = ((weight[..., None] * passed).sum(axis=(1, 2)) + usual) / (total + 1)
    return np.where(total >= 0.5, share, np.nan)


def _usual_share(greatest: FloatArray, missing: BoolArray, n_cells: int) -> FloatArray:
    """(n_steps + 1, n_cells) share of the windows that began before each step and passed."""
    whole = ~missing[:, None]
    passed = np.cumsum((greatest[:, None] >= LEVELS[:n_cells]) & whole, axis=0)
    share = passed / np.maximum(np.cumsum(whole, axis=0), 1)
    return np.concatenate([np.zeros((1, n_cells)), share])
