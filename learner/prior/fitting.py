"""Fits a prior on made services, and on demand of other clusters where there is any."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from autoscaler.errors import PermanentError
from learner.demand import Demand
from learner.models.boosting import Boosting, TrainingSet
from learner.models.boosting_arrays import column_names
from learner.models.columns import LevelFeatures
from learner.models.features import level_features
from learner.models.levels import pods_needed
from learner.models.pooled import made_training_set
from learner.models.rows import by_service, draw_rows
from learner.models.upstream import COLUMNS as UPSTREAM
from learner.models.upstream import no_upstream
from learner.prior.file import ANY_STEP, MOST_SETS, Prior
from learner.settings import LearnerSettings

KEPT_ROWS = 2000  # of each window and demand, that later fits learn as well


def fit_prior(demands: Sequence[Demand], settings: LearnerSettings) -> Prior:
    """Fitted on made services, and on ``demands``; the same of the same.

    Each of them has ``settings.max_rows`` rows of each window. Raises PermanentError for demands of
    several steps.
    """
    steps = {demand.step_s for demand in demands}
    if len(steps) > 1:
        raise PermanentError(f"demands have steps of {sorted(steps)} s; allowed: one step")
    sets = [made_training_set(settings.windows, settings.max_rows, days=True)]
    sets += [_training_set(demand, settings) for demand in demands]
    boosting = Boosting(
        windows=settings.windows,
        seeds=settings.seeds,
        rounds=settings.rounds,
        columns=scale_free(column_names(settings.windows)),
    )
    boosting.fit(*sets)
    few = replace(settings, max_rows=KEPT_ROWS)
    return Prior(
        boosting=boosting,
        step_s=next(iter(steps), ANY_STEP),
        rows=tuple(
            _only(_training_set(demand, few), boosting.columns_) for demand in demands[:MOST_SETS]
        ),
    )


def scale_free(names: Sequence[str]) -> tuple[str, ...]:
    """Columns that mean the same in every cluster.

    Not those of the clock, of how long has been observed, of counts and of all time: in another
    cluster they lie outside of what trees have seen. Nor upstreams, which none has here.
    """
    return tuple(name for name in names if not _of_one_cluster(name))


def _of_one_cluster(name: str) -> bool:
    ends = ("history", "_ever", "_number", "_at_risk")
    return name.startswith("clock_") or name.endswith(ends) or name in UPSTREAM


def _only(rows: TrainingSet, columns: tuple[str, ...]) -> TrainingSet:
    return replace(rows, features=rows.features.only(columns))


def _training_set(demand: Demand, settings: LearnerSettings) -> TrainingSet:
    need = pods_needed(demand)
    drawn = draw_rows(need, settings.windows, settings.max_rows)
    parts = [
        level_features(own, rows, settings.windows, start_s=demand.start_s, step_s=demand.step_s)
        for own, rows in by_service(need, drawn.rows)
    ]
    features = LevelFeatures(
        names=parts[0].names, values=np.concatenate([part.values for part in parts])
    )
    return TrainingSet(features=features.beside(no_upstream(len(drawn.rows))), drawn=drawn)
