"""One boosting model over the pod levels of all services: "will this level be needed?"

What is learned on all services applies to each, so that one with three calls in its history, or
none, has a forecast. Levels just above the greatest ever needed are rows like any other, where a
model of the count could not extrapolate.
"""

from typing import Self

from autoscaler.core.types import FloatArray, IntArray
from learner.demand import Demand
from learner.models import WINDOWS, Forecast
from learner.models.boosting import Boosting, forecast_of
from learner.models.features import LevelFeatures, level_features
from learner.models.levels import pods_needed
from learner.models.rows import LevelRows, draw_rows


class Pooled:
    """Boosting over the past of each level and of its service, fitted on all services at once."""

    name = "pooled"

    def __init__(
        self,
        *,
        windows: tuple[int, ...] = WINDOWS,
        seeds: tuple[int, ...] = (0, 1, 2),
        max_rows: int = 200_000,
        rounds: int = 250,
    ) -> None:
        self.windows = windows
        self.seeds = seeds
        self.max_rows = max_rows
        self.rounds = rounds

    def fit(self, demand: Demand) -> Self:
        """Learn from every service's levels, from about ``max_rows`` rows a window at most."""
        need = pods_needed(demand)
        drawn = draw_rows(need, self.windows, self.max_rows)
        boosting = Boosting(windows=self.windows, seeds=self.seeds, rounds=self.rounds)
        self.boosting_ = boosting.fit(self._features(demand, need, drawn.rows), drawn)
        return self

    def predict(self, demand: Demand, origins: IntArray) -> Forecast:
        """Answer for all services, however short their history."""
        need = pods_needed(demand)

        def answer(rows: LevelRows) -> FloatArray:
            return self.boosting_.probabilities(self._features(demand, need, rows))

        return forecast_of(demand, need, origins, len(self.windows) - 1, answer)

    def _features(self, demand: Demand, need: FloatArray, rows: LevelRows) -> LevelFeatures:
        return level_features(
            need, rows, self.windows, start_s=demand.start_s, step_s=demand.step_s
        )
