"""Gradient boosting over pod levels: one binary classifier for each window ahead.

Each starts from the level's own law and learns where to depart from it; where there is none, from
what such levels have in common. A few seeds, which sample other columns at each split, are
averaged: it steadies rare probabilities.

XGBoost takes such a start (``base_margin``), which scikit-learn's boosting does not. Estimators run
in parallel, one thread each.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Self

import numpy as np
import numpy.typing as npt
import xgboost
from joblib import Parallel, delayed

from autoscaler.core.types import FloatArray, IntArray
from learner.demand import Demand
from learner.models import Forecast
from learner.models.columns import LevelFeatures, Values
from learner.models.known_rows import KnownRows
from learner.models.levels import demand_edges
from learner.models.own_law import own_law
from learner.models.rows import DrawnRows, Outcomes

# Strongly regularised; no early stopping, as its random split would leak across time.
SETTINGS = {
    "objective": "binary:logistic",
    "tree_method": "hist",
    "grow_policy": "lossguide",
    "max_leaves": 15,
    "max_depth": 0,  # no other limit
    "eta": 0.05,
    "reg_lambda": 5.0,
    "colsample_bynode": 0.3,
    "nthread": 1,
}

# Of a leaf, for a window of one step. Wide windows of neighbouring origins overlap, and tell the
# same again and again, so theirs is larger by the root of their width: else a fit on a day is as
# sure of the next hour as if it had seen a month. By all of their width it learns too little.
MIN_CHILD_WEIGHT = 20.0

OUTCOMES_OF_OTHERS = 10.0  # of levels without a law, that count beside those of the own services


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSet:
    """Rows, and what was known at each."""

    features: LevelFeatures
    drawn: DrawnRows


class Boosting:
    """Boosted trees over rows of pod levels; log loss gives probabilities."""

    def __init__(
        self,
        *,
        windows: tuple[int, ...],
        seeds: tuple[int, ...],
        rounds: int,
        columns: tuple[str, ...] | None = None,
    ) -> None:
        """``columns``: that trees may ask about; None = all that they are fitted on."""
        self.windows, self._seeds, self._rounds, self._columns = windows, seeds, rounds, columns

    def fit(self, *sets: TrainingSet) -> Self:
        """Learn which rows needed their level; the first set's services are those to answer for."""
        self.columns_ = self._columns or sets[0].features.names
        laws = [own_law(each.features, self.windows) for each in sets]
        drawn = [each.drawn for each in sets]
        self.lawless_ = _log_odds_of_lawless(laws, drawn)
        features = np.concatenate([each.features.only(self.columns_).values for each in sets])
        outcome = np.concatenate([each.outcome for each in drawn])
        margin = np.concatenate(
            [self._start(law) + each.offset for law, each in zip(laws, drawn, strict=True)]
        )
        known = [np.flatnonzero(each >= 0) for each in outcome.T]
        tasks = [
            delayed(_fitted)(
                features,
                rows,
                outcome[rows, window],
                margin[rows, window],
                seed,
                self._rounds,
                end - begin,
            )
            for window, (rows, (begin, end)) in enumerate(
                zip(known, pairwise(self.windows), strict=True)
            )
            for seed in self._seeds
        ]
        fitted = Parallel(n_jobs=-1, prefer="threads")(tasks)
        n_seeds = len(self._seeds)
        # (n_windows,) lists of one estimator for each seed
        self.estimators_ = [fitted[i : i + n_seeds] for i in range(0, len(fitted), n_seeds)]
        return self

    def probabilities(self, features: LevelFeatures) -> FloatArray:
        """(n_rows, n_windows)."""
        margin = self._start(own_law(features, self.windows))
        asked = features.only(self.columns_).values
        by_estimator = Parallel(n_jobs=-1, prefer="threads")(
            delayed(_probability)(estimator, asked, margin[:, window])
            for window, estimators in enumerate(self.estimators_)
            for estimator in estimators
        )
        by_window = np.reshape(by_estimator, (len(self.estimators_), -1, len(features)))
        return np.asarray(by_window.mean(axis=1).T, dtype=np.float64)

    def _start(self, law: FloatArray) -> FloatArray:
        """(n_rows, n_windows) log odds that trees are added to."""
        return np.asarray(np.where(np.isnan(law), self.lawless_, law))


def forecast_of(
    demand: Demand,
    n_origins: int,
    n_windows: int,
    answers: Iterable[tuple[KnownRows, FloatArray]],
) -> Forecast:
    """That of all services; answers: rows, and the probabilities (n_rows, n_windows) of each."""
    # Not the features, which are large.
    given = [(known.rows, known.place, probability) for known, probability in answers]
    n_cells = np.ones(len(demand.services), dtype=np.int64)
    for rows, _, _ in given:
        np.maximum.at(n_cells, rows.service, rows.cell + 1)
    blank = _blank(demand, n_cells, n_origins, n_windows)
    for rows, place, probability in given:
        blank.exceedance[rows.service, place, :, rows.cell] = probability
    # No level is more probable than one below.
    falling = np.minimum.accumulate(blank.exceedance, axis=3)
    return replace(blank, exceedance=falling)


def _blank(demand: Demand, n_cells: IntArray, n_origins: int, n_windows: int) -> Forecast:
    """That nothing is needed; n_cells: (n,)."""
    shape = (len(n_cells), n_origins, n_windows, n_cells.max(initial=1))
    return Forecast(
        demand_edges=demand_edges(demand.capacity, n_cells),
        exceedance=np.zeros(shape, dtype=np.float32),
        reason=("",) * len(demand.services),
    )


def _log_odds_of_lawless(laws: Sequence[FloatArray], drawn: Sequence[DrawnRows]) -> FloatArray:
    """(n_windows,) of rows without a law of their own, before any were drawn.

    laws: (n_rows, n_windows) log odds of each set of rows, NaN = none. The first set's outcomes
    count, and beside them a few that came as in all of the others.
    """
    odds = np.ones(laws[0].shape[1])
    for law, rows in zip(reversed(laws), reversed(drawn), strict=True):
        lawless = np.isnan(law)
        needed = (lawless & (rows.outcome == 1)).sum(axis=0)
        idle = (lawless & (rows.outcome == 0)).sum(axis=0) * np.exp(rows.offset)
        share = odds / (1 + odds)
        odds = (needed + OUTCOMES_OF_OTHERS * share) / (idle + OUTCOMES_OF_OTHERS * (1 - share))
    return np.asarray(np.log(odds))


def _fitted(
    features: Values,
    rows: IntArray,
    outcome: Outcomes,
    margin: FloatArray,
    seed: int,
    rounds: int,
    width: int,
) -> xgboost.Booster:
    # Taken here: of all tasks at once they would be several times what is learned from.
    data = xgboost.DMatrix(features[rows], outcome, base_margin=margin, nthread=1)
    settings = {**SETTINGS, "min_child_weight": MIN_CHILD_WEIGHT * width**0.5, "seed": seed}
    return xgboost.train(settings, data, num_boost_round=rounds)


def _probability(
    estimator: xgboost.Booster, features: Values, margin: FloatArray
) -> npt.NDArray[np.float32]:
    return np.asarray(estimator.inplace_predict(features, base_margin=margin))
