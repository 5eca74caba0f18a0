"""The seasonal copy: the need of the same window in former seasons, forecast to recur.

The season of each service is found in the autocorrelation of its past: a day, a week, or the seven
minutes of a batch job.
"""

from itertools import pairwise
from typing import Self

import numpy as np

from autoscaler.core.types import BoolArray, FloatArray, IntArray
from learner.demand import Demand
from learner.models import Forecast
from learner.models.levels import LEVELS
from learner.models.periods import season_of
from learner.models.rows import greatest_ahead
from learner.models.single_service import fit_by_service, forecast_by_service
from learner.settings import WINDOWS

SEASONS = 8  # former seasons that count
SHIFTS = np.array([-1, 0, 1])  # steps: the windows beside the same one count too ...
SHIFT_WEIGHTS = np.array([0.25, 0.5, 0.25])  # ... half as much
NO_SEASON = "no season found"
TOO_SHORT = "no whole season has passed yet"


class SeasonalCopy:
    """Share of the former seasons' same window, give or take a step, that needed each level."""

    name = "seasonal"

    def __init__(self, *, windows: tuple[int, ...] = WINDOWS) -> None:
        self.windows = windows

    def fit(self, demand: Demand) -> Self:
        """Find each service's season."""
        self.season_ = fit_by_service(demand, season_of, 0)
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
            forecast = np.stack(copies, axis=1)
            return TOO_SHORT if np.isnan(forecast).all() else forecast

        return forecast_by_service(demand, origins, len(self.windows) - 1, answer)


def _copy(
    need: FloatArray, origins: IntArray, season: int, span: tuple[int, int], n_cells: int
) -> FloatArray:
    """(n_origins, n_cells) smoothed share of former windows that needed each level, or NaN."""
    begin, end = span
    width = end - begin
    if len(need) == 0:
        return np.full((len(origins), n_cells), np.nan)
    (greatest,), (missing,) = greatest_ahead(need[None, :], 0, width)
    back = season * (-(-(end + 1) // season) + np.arange(SEASONS))
    start = (origins + begin)[:, None, None] - back[:, None] + SHIFTS
    past = (start >= 0) & (start + width <= origins[:, None, None])
    start = np.where(past, start, 0)
    weight = np.where(past & ~missing[start], SHIFT_WEIGHTS, 0.0)
    needed = greatest[start][..., None] >= LEVELS[:n_cells]
    total = weight.sum(axis=(1, 2))[:, None]
    prior = _share_before(greatest, missing, n_cells)[np.maximum(origins - width + 1, 0)]
    share = ((weight[..., None] * needed).sum(axis=(1, 2)) + prior) / (total + 1)
    return np.where(total >= 0.5, share, np.nan)


def _share_before(greatest: FloatArray, missing: BoolArray, n_cells: int) -> FloatArray:
    """(n_steps + 1, n_cells) of the windows that begin before each step, the share with a need."""
    whole = ~missing[:, None]
    needed = np.cumsum((greatest[:, None] >= LEVELS[:n_cells]) & whole, axis=0)
    share = needed / np.maximum(np.cumsum(whole, axis=0), 1)
    return np.concatenate([np.zeros((1, n_cells)), share])
