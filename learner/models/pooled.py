"""One boosting model over the pod levels of all services: "will this level be needed?"

What is learned on all services applies to each, so that one with three calls in its history, or
none, has a forecast. Levels just above the greatest ever needed are rows like any other, where a
model of the count could not extrapolate.

Made services are learned beside the given ones. On the first day the model knows little else; later
they keep the habits of a few services from being taken for those of all.
"""

from functools import lru_cache
from typing import Self

import numpy as np

from autoscaler.core.types import FloatArray, IntArray
from learner.demand import Demand
from learner.models import Forecast
from learner.models.boosting import Boosting, TrainingSet, forecast_of, newest_forecast_of
from learner.models.columns import LevelFeatures
from learner.models.features import level_features
from learner.models.levels import pods_needed
from learner.models.made_services import made_services
from learner.models.newest import NewestRows
from learner.models.rows import LevelRows, draw_rows
from learner.models.upstream import found_upstreams, no_upstream, upstream_columns
from learner.settings import WINDOWS

MADE_STEPS, MADE_SEED = 2880, 0  # two days of minutes
MOST_MADE, ROWS_OF_ONE = 12, 2000  # made services of a kind, and rows that make one more of each


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
        """``max_rows``: of each window, of the given services; a quarter of that of made ones."""
        self.windows = windows
        self.seeds = seeds
        self.max_rows = max_rows
        self.rounds = rounds

    def fit(self, demand: Demand) -> Self:
        """Learn from the levels of every service, and of made ones."""
        self.pairs_ = found_upstreams(demand)
        need = pods_needed(demand)
        drawn = draw_rows(need, self.windows, self.max_rows)
        given = TrainingSet(features=self._features(demand, need, drawn.rows), drawn=drawn)
        made = made_training_set(self.windows, self.max_rows // 4)
        boosting = Boosting(windows=self.windows, seeds=self.seeds, rounds=self.rounds)
        self.boosting_ = boosting.fit(given, made)
        return self

    def predict(
        self, demand: Demand, origins: IntArray, newest: NewestRows | None = None
    ) -> Forecast:
        """Answer for all services, however short their history."""
        if newest is not None:
            upstream = upstream_columns(self.pairs_, demand, newest.rows)
            probability = self.boosting_.probabilities(newest.features.beside(upstream))
            return newest_forecast_of(demand, newest.rows, probability)
        need = pods_needed(demand)

        def answer(rows: LevelRows) -> FloatArray:
            return self.boosting_.probabilities(self._features(demand, need, rows))

        return forecast_of(demand, need, origins, len(self.windows) - 1, answer)

    def _features(self, demand: Demand, need: FloatArray, rows: LevelRows) -> LevelFeatures:
        level = level_features(
            need, rows, self.windows, start_s=demand.start_s, step_s=demand.step_s
        )
        return level.beside(upstream_columns(self.pairs_, demand, rows))


@lru_cache(maxsize=1)
def made_training_set(windows: tuple[int, ...], max_rows: int) -> TrainingSet:
    """Rows of made services: the same at every fit."""
    need = made_services(min(1 + max_rows // ROWS_OF_ONE, MOST_MADE), MADE_STEPS, MADE_SEED)
    drawn = draw_rows(need, windows, max_rows)
    # Made services know no time of day, and follow nobody.
    features = level_features(need, drawn.rows, windows, start_s=np.nan, step_s=1.0)
    return TrainingSet(features=features.beside(no_upstream(len(drawn.rows))), drawn=drawn)
