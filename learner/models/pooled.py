"""One boosting model over the pod levels of all services: "will this level be needed?"

What is learned on all services applies to each, so that one with three calls in its history, or
none, has a forecast. Levels just above the greatest ever needed are rows like any other, where a
model of the count could not extrapolate.

Made services are learned beside the given ones. On the first day the model knows little else; later
they keep the habits of a few services from being taken for those of all.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Self

import numpy as np
from joblib import Parallel, delayed

from autoscaler.core.prediction.dependencies import Edges
from autoscaler.core.types import FloatArray, IntArray
from learner.demand import Demand
from learner.models import Forecast
from learner.models.boosting import Boosting, TrainingSet, forecast_of
from learner.models.columns import LevelFeatures, is_of_season
from learner.models.features import level_features
from learner.models.known_rows import KnownRows, pieces_of
from learner.models.levels import pods_needed
from learner.models.made_services import STEP_S, made_services
from learner.models.rows import by_service, draw_rows
from learner.models.upstream import (
    NO_PAIRS,
    UpstreamPairs,
    no_upstream,
    strongest_upstreams,
    upstream_columns,
)
from learner.settings import WINDOWS

MOST_SERVICES = 2000  # whose past a fit learns from: some minutes
MADE_STEPS, MADE_SEED = 2880, 0  # ten of their days
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
        others: Sequence[TrainingSet] = (),
    ) -> None:
        """``max_rows``: of each window, of the given services; a quarter of that of made ones.

        ``others``: rows of other clusters, learned beside them; some columns may be missing.
        """
        self.windows = windows
        self.seeds = seeds
        self.max_rows = max_rows
        self.rounds = rounds
        self.others = others

    @classmethod
    def of(cls, boosting: Boosting, pairs: UpstreamPairs = NO_PAIRS, name: str = name) -> Self:
        """With trees that were fitted elsewhere, and the name that they answer under."""
        model = cls(windows=boosting.windows)
        model.boosting_, model.pairs_, model.name = boosting, pairs, name
        return model

    def fit(self, demand: Demand, edges: Edges | None = None) -> Self:
        """Learn from the levels of the services, and of made ones."""
        self.pairs_ = NO_PAIRS if edges is None else strongest_upstreams(demand, edges)
        given = self._drawn(demand)
        # Their own days teach them of days: those of made services misled fits on ten days.
        made = made_training_set(self.windows, self.max_rows // 4, days=False)
        boosting = Boosting(windows=self.windows, seeds=self.seeds, rounds=self.rounds)
        names = given.features.names
        others = [replace(each, features=each.features.among(names)) for each in self.others]
        self.boosting_ = boosting.fit(given, made, *others)
        return self

    def _drawn(self, demand: Demand) -> TrainingSet:
        """Rows of the services, or of some where they are many. Their series are not kept."""
        chosen = _some_services(demand)
        some = demand.only(chosen) if len(chosen) < len(demand.services) else demand
        need = pods_needed(some)
        drawn = draw_rows(need, self.windows, self.max_rows)
        parts = Parallel(n_jobs=-1, prefer="threads")(
            delayed(level_features)(
                own_need, rows, self.windows, start_s=some.start_s, step_s=some.step_s
            )
            for own_need, rows in by_service(need, drawn.rows)
        )
        level = LevelFeatures(
            names=parts[0].names, values=np.concatenate([part.values for part in parts])
        )
        among_all = replace(drawn.rows, service=chosen[drawn.rows.service])
        features = level.beside(upstream_columns(self.pairs_, demand, among_all))
        return TrainingSet(features=features, drawn=drawn)

    def predict(
        self, demand: Demand, origins: IntArray, known: KnownRows | None = None
    ) -> Forecast:
        """Answer for all services, however short their history."""
        pieces = [known] if known else pieces_of(demand, origins, self.windows)
        answers = ((piece, self._probabilities(demand, piece)) for piece in pieces)
        return forecast_of(demand, len(origins), len(self.windows) - 1, answers)

    def followed(self, services: Sequence[str]) -> set[str]:
        """Other services, from whose demand those are forecast."""
        pairs, mine = zip(self.pairs_.upstream, self.pairs_.service, strict=True), set(services)
        return {upstream for upstream, service in pairs if service in mine} - mine

    def _probabilities(self, demand: Demand, known: KnownRows) -> FloatArray:
        upstream = upstream_columns(self.pairs_, demand, known.rows)
        return self.boosting_.probabilities(known.features.beside(upstream))


def _some_services(demand: Demand) -> IntArray:
    """Rows of the services to learn from; of too many, others at each fit."""
    n = len(demand.services)
    if n <= MOST_SERVICES:
        return np.arange(n)
    random = np.random.default_rng(int(demand.end_s))
    return np.sort(random.permutation(n)[:MOST_SERVICES])


@lru_cache(maxsize=1)
def made_training_set(windows: tuple[int, ...], max_rows: int, *, days: bool) -> TrainingSet:
    """Rows of made services: the same at every fit. days: as `made_services` has it."""
    n_of_each = min(1 + max_rows // ROWS_OF_ONE, MOST_MADE)
    need = made_services(n_of_each, MADE_STEPS, MADE_SEED, days=days)
    drawn = draw_rows(need, windows, max_rows)
    # Made services know no time of day, and follow nobody. Half of them know no days either: in its
    # first days no service does.
    features = level_features(need, drawn.rows, windows, start_s=np.nan, step_s=STEP_S)
    of_days = np.array([is_of_season(name) for name in features.names])
    features.values[np.ix_(drawn.rows.service % 2 == 1, of_days)] = np.nan
    return TrainingSet(features=features.beside(no_upstream(len(drawn.rows))), drawn=drawn)
