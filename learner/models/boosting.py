"""The boosting under the models of pod levels: one binary estimator for each window ahead.

Averaging a few seeds, which see other columns at each split, steadies the rare probabilities.

Estimators run beside each other, a thread each. Left to share out each histogram among threads of
its own, a fit of a few thousand rows takes thirty times as long on a machine that is busy.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from joblib import Parallel, delayed
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from autoscaler.core.types import BoolArray, FloatArray, IntArray
from learner.demand import Demand
from learner.models import Forecast
from learner.models.levels import cells_in_reach, demand_edges
from learner.models.rows import LevelRows, needed_within, rows_in_reach

Features = npt.NDArray[np.float32]  # (n_rows, n_features)
Lesson = tuple[Features, BoolArray, IntArray]  # features, needed, rows to use


class Boosting:
    """Histogram gradient boosting over rows of pod levels; log loss: it answers probabilities."""

    def __init__(self, *, windows: tuple[int, ...], seeds: tuple[int, ...], rounds: int) -> None:
        self._windows, self._seeds, self._rounds = windows, seeds, rounds

    def fit(self, features: Features, need: FloatArray, rows: LevelRows) -> Self:
        """Learn which rows needed their level. need: (n, n_steps) pods, NaN = gap."""
        spans = list(pairwise(self._windows))
        lessons = [_lesson(features, *needed_within(need, *span, rows)) for span in spans]
        # One estimator of a window for each seed; none where nothing varies, only its share counts.
        self.shares_ = [share for share, _ in lessons]
        self.estimators_: list[list[Any]] = [[] for _ in spans]
        tasks = [
            (window, delayed(_fitted)(lesson, seed, self._rounds))
            for window, (share, lesson) in enumerate(lessons)
            for seed in self._seeds
            if 0 < share < 1
        ]
        done = Parallel(n_jobs=-1, prefer="threads")([task for _, task in tasks])
        for (window, _), estimator in zip(tasks, done, strict=True):
            self.estimators_[window].append(estimator)
        return self

    def probabilities(self, features: Features) -> FloatArray:
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


def forecast_of(
    demand: Demand,
    need: FloatArray,
    origins: IntArray,
    n_windows: int,
    answer: Callable[[LevelRows], FloatArray],
) -> Forecast:
    """A forecast for every service; ``answer``: rows to probabilities (n_rows, n_windows)."""
    reach = cells_in_reach(need)[:, origins]
    n_cells = reach.max(axis=1, initial=1)
    shape = (len(reach), len(origins), n_windows, n_cells.max(initial=1))
    exceedance = np.zeros(shape, dtype=np.float32)
    for rows, place in rows_in_reach(reach, origins, demand.n_steps):
        exceedance[rows.service, place, :, rows.cell] = answer(rows)
    return Forecast(
        demand_edges=demand_edges(demand.capacity, n_cells),
        exceedance=np.minimum.accumulate(exceedance, axis=3),
        reason=("",) * len(demand.services),
    )


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
