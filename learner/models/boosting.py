"""Gradient boosting over pod levels: one binary classifier for each window ahead.

A few seeds, which sample other columns at each split, are averaged: it steadies rare probabilities.

Estimators run in parallel, one thread each. With OpenMP's own threads for each histogram, a fit of
a few thousand rows takes thirty times as long on a busy machine.
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
TrainingSet = tuple[Features, BoolArray, IntArray]  # features, needed, rows with known outcome


class Boosting:
    """Histogram gradient boosting over rows of pod levels; log loss gives probabilities."""

    def __init__(self, *, windows: tuple[int, ...], seeds: tuple[int, ...], rounds: int) -> None:
        self._windows, self._seeds, self._rounds = windows, seeds, rounds

    def fit(self, features: Features, need: FloatArray, rows: LevelRows) -> Self:
        """Learn which rows need their level. need: (n, n_steps) pods, NaN = gap."""
        spans = list(pairwise(self._windows))
        sets = [_training_set(features, *needed_within(need, *span, rows)) for span in spans]
        # One estimator of a window for each seed; none where all outcomes are equal.
        self.shares_ = [share for share, _ in sets]
        self.estimators_: list[list[Any]] = [[] for _ in spans]
        tasks = [
            (window, delayed(_fitted)(training_set, seed, self._rounds))
            for window, (share, training_set) in enumerate(sets)
            for seed in self._seeds
            if 0 < share < 1
        ]
        fitted = Parallel(n_jobs=-1, prefer="threads")([task for _, task in tasks])
        for (window, _), estimator in zip(tasks, fitted, strict=True):
            self.estimators_[window].append(estimator)
        return self

    def probabilities(self, features: Features) -> FloatArray:
        """(n_rows, n_windows)."""
        answer = np.tile(self.shares_, (len(features), 1))
        window_of = [window for window, each in enumerate(self.estimators_) for _ in each]
        by_estimator = Parallel(n_jobs=-1, prefer="threads")(
            delayed(_probability)(estimator, features)
            for estimators in self.estimators_
            for estimator in estimators
        )
        for window in set(window_of):
            seeds = [p for of, p in zip(window_of, by_estimator, strict=True) if of == window]
            answer[:, window] = np.mean(seeds, axis=0)
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


def _training_set(
    features: Features, needed: BoolArray, unknown: BoolArray
) -> tuple[float, TrainingSet]:
    """The share of rows that needed their level, and the rows whose outcome is known."""
    rows = np.flatnonzero(~unknown)
    share = float(needed[rows].mean()) if len(rows) else 0.0
    return share, (features, needed, rows)


def _fitted(training_set: TrainingSet, seed: int, rounds: int) -> Any:
    """Strongly regularised; no early stopping, as its random split would leak across time."""
    features, needed, rows = training_set
    known = features[rows]
    # The binning refuses a column without any value; a constant one is never split on.
    known[:, np.isnan(known).all(axis=0)] = 0
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
        return estimator.fit(known, needed[rows])


def _probability(estimator: Any, features: Features) -> FloatArray:
    with threadpool_limits(1, user_api="openmp"):
        return np.asarray(estimator.predict_proba(features)[:, 1], dtype=np.float64)
