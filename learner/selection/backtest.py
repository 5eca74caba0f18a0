"""The backtest: forecasts on held-back time, scored service by service by the cost of decisions.

The last share of the past is held back; forecasts are made in it at many origins, each from what
came before, and scored by the decisions that would have followed over the next two steps.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np

from autoscaler.core.types import FloatArray, IntArray
from learner.demand import Demand
from learner.models import Forecast
from learner.models.levels import cells_in_reach, pods_needed
from learner.models.rows import greatest_ahead
from learner.selection.losses import decision_cost

HELD_BACK = 0.2  # share of the past
MOST_ORIGINS = 400  # spread evenly; more take time and change little
MOST_VALUES = 1 << 25  # of forecasts of all services at all origins: 128 MiB for each model
PRICES = (3.0, 10.0, 30.0, 100.0)  # idle pod-steps per missing pod; the cost is over all of them
JUDGED_WINDOWS = 2  # the first ones: what is decided now


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldBack:
    """The held-back origins, and the need after each."""

    first: int  # step at which the held-back time begins
    origins: IntArray  # (n_origins,) steps
    greatest: FloatArray  # (n, n_origins, n_windows) pods needed within each window; NaN = unknown

    @classmethod
    def of(cls, demand: Demand, windows: tuple[int, ...]) -> Self:
        """Hold back the end of ``demand``."""
        first = int(demand.n_steps * (1 - HELD_BACK))
        need = pods_needed(demand)
        # The service with the most pods sets the width of all forecasts.
        n_values = need.shape[0] * (len(windows) - 1) * int(cells_in_reach(need).max(initial=1))
        n_origins = min(MOST_ORIGINS, max(MOST_VALUES // max(n_values, 1), 1))
        n_origins = min(n_origins, demand.n_steps - first)
        origins = np.linspace(first, demand.n_steps - 1, n_origins).astype(np.int64)
        outcomes = []
        for begin, end in pairwise(windows):
            greatest, missing = greatest_ahead(need, begin, end)
            outcomes.append(np.where(missing, np.nan, greatest)[:, origins])
        return cls(first=first, origins=origins, greatest=np.stack(outcomes, axis=2))

    def cost(self, forecast: Forecast) -> FloatArray:
        """(n,) cost of the decisions, summed over prices; infinite where there is no forecast."""
        total = np.zeros(len(forecast.reason))
        for window in range(min(JUDGED_WINDOWS, self.greatest.shape[2])):
            need = self.greatest[:, :, window]
            for price in PRICES:
                # Divided by the root of the price, so that high prices do not dominate the sum.
                cost = decision_cost(forecast.exceedance[:, :, window], need, price)
                total += cost / np.sqrt(price)
        missing = np.array([reason != "" for reason in forecast.reason], dtype=bool)
        return np.where(missing, np.inf, total)
