"""One boosting model over the pod levels of all services: "will this level be needed?"

Services lend each other their experience, so that one with three calls in its history, or none,
still gets a sensible answer. Each window ahead has estimators of its own; averaging a few seeds,
which see other columns at each split, steadies the rare probabilities. Levels just above the
greatest ever needed are rows like any other, where a model of the count could not extrapolate.

Estimators run beside each other, a thread each. Left to share out each histogram among threads of
its own, a fit of a few thousand rows takes thirty times as long on a machine that is busy.
"""

from itertools import pairwise
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from joblib import Parallel, delayed
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from autoscaler.types import BoolArray, FloatArray, IntArray
from learner.demand import Demand
from learner.models import WINDOWS, Forecast
from learner.models.features import level_features
from learner.models.levels import cells_in_reach, demand_edges, pods_needed
from learner.models.rows import LevelRows, draw_rows, needed_within, rows_in_reach

Features = npt.NDArray[np.float32]  # (n_rows, n_features)
Lesson = tuple[Features, BoolArray, IntArray]  # features, needed, rows to use


class Pooled:
    """Histogram gradient boosting over pod levels; log loss, so its answers are probabilities."""

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
        """Learn from every service's levels, from about ``max_rows`` rows at most."""
        need = pods_needed(demand)
        rows = draw_rows(need, self.max_rows)
        features = self._features(demand, need, rows)
        spans = list(pairwise(self.windows))
        lessons = [_lesson(features, *needed_within(need, *span, rows)) for span in spans]
        # One estimator of a window for each seed; none where nothing varies, only its share counts.
        self.shares_ = [share for share, _ in lessons]
        self.estimators_: list[list[Any]] = [[] for _ in spans]
        tasks = [
            (window, delayed(_fitted)(lesson, seed, self.rounds))
            for window, (share, lesson) in enumerate(lessons)
            for seed in self.seeds
            if 0 < share < 1
        ]
        done = Parallel(n_jobs=-1, prefer="threads")([task for _, task in tasks])
        for (window, _), estimator in zip(tasks, done, strict=True):
            self.estimators_[window].append(estimator)
        return self

    def predict(self, demand: Demand, origins: IntArray) -> Forecast:
        """Answer for all services: nobody is too short for the pool."""
        need = pods_needed(demand)
        reach = cells_in_reach(need)[:, origins]
        n_cells = reach.max(axis=1, initial=1)
        shape = (len(reach), len(origins), len(self.windows) - 1, n_cells.max(initial=1))
        exceedance = np.zeros(shape, dtype=np.float32)
        for rows, place in rows_in_reach(reach, origins, demand.n_steps):
            answer = self._probabilities(self._features(demand, need, rows))
            exceedance[rows.service, place, :, rows.cell] = answer
        return Forecast(
            demand_edges=demand_edges(demand.capacity, n_cells),
            exceedance=np.minimum.accumulate(exceedance, axis=3),
            reason=("",) * len(demand.services),
        )

    def _features(self, demand: Demand, need: FloatArray, rows: LevelRows) -> Features:
        return level_features(
            need, rows, self.windows, start_s=demand.start_s, step_s=demand.step_s
        )

    def _probabilities(self, features: Features) -> FloatArray:
        """(n_rows, n_windows)."""
        answer = np.tile(self.shares_, (len(features), 1))
        asked = [window for window, each in enumerate(self.estimators_) for _ in each]
        votes = Parallel(n_jobs=-1, prefer="threads")(
            delayed(_chance)(estimator, features)
            for estimators in self.estimators_
            for estimator in estimators
        )
        for window in set(asked):
            mine = [vote for of, vote in zip(asked, votes, strict=True) if of == window]
            answer[:, window] = np.mean(mine, axis=0)
        return answer


def _lesson(features: Features, needed: BoolArray, unknown: BoolArray) -> tuple[float, Lesson]:
    """The share of rows that needed their level, and what to learn; unknown outcomes left out."""
    rows = np.flatnonzero(~unknown)
    share = float(needed[rows].mean()) if len(rows) else 0.0
    return share, (features, needed, rows)


def _fitted(lesson: Lesson, seed: int, rounds: int) -> Any:
    """Strongly regularised; no early stopping: its random rows would leak across time."""
    features, needed, rows = lesson
    seen = features[rows]
    # The binning refuses a column without any value; a constant one is never split on.
    seen[:, np.isnan(seen).all(axis=0)] = 0
    estimator = HistGradientBoostingClassifier(
        max_iter=rounds,
        learning_rate=0.05,
        max_leaf_nodes=15,
        min_samples_leaf=100,
        l2_regularization=5.0,
        max_features=0.3,
        early_stopping=False,
        random_state=seed,
    )
    with threadpool_limits(1, user_api="openmp"):
        return estimator.fit(seen, needed[rows])


def _chance(estimator: Any, features: Features) -> FloatArray:
    with threadpool_limits(1, user_api="openmp"):
        return np.asarray(estimator.predict_proba(features)[:, 1], dtype=np.float64)
