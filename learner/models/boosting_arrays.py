"""Fitted boosting as plain arrays, and back: for a prior that ships, and for restarts.

Trees are in XGBoost's own format (UBJSON), never pickle. Its loader checks little, so that a tree
that leads out of itself would read any memory: nodes are checked here before anybody asks them.
"""

import json
from itertools import chain
from typing import Any

import numpy as np
import xgboost

from autoscaler.bundle.checks import texts_of
from autoscaler.bundle.npz import Arrays
from autoscaler.limits import MODEL_ROUNDS
from learner.models.boosting import SETTINGS, Boosting
from learner.models.features import level_features
from learner.models.rows import LevelRows
from learner.models.upstream import no_upstream

OBJECT = b"{"  # UBJSON of an object begins so, as JSON does
LEAF = -1


def arrays_of(boosting: Boosting) -> Arrays:
    """Of fitted boosting: trees of all windows and seeds, one after the other, as bytes."""
    raw = [[_raw(each) for each in estimators] for estimators in boosting.estimators_]
    return {
        "windows": np.array(boosting.windows, dtype=np.int64),
        "columns": np.array(boosting.columns_, dtype=np.str_),
        "lawless": np.asarray(boosting.lawless_, dtype=np.float64),
        "trees": np.frombuffer(b"".join(chain.from_iterable(raw)), dtype=np.uint8),
        "tree_bytes": np.array([[len(each) for each in row] for row in raw], dtype=np.int64),
    }


def boosting_of(arrays: Arrays) -> Boosting:
    """The inverse of `arrays_of`. Raises ValueError, TypeError or KeyError for impossible arrays.

    Among them are columns that this version does not know.
    """
    windows = tuple(_checked(arrays, "windows", "i", 1).tolist())
    n_windows = len(windows) - 1
    if n_windows < 1 or windows[0] != 0 or (np.diff(windows) <= 0).any():
        raise ValueError(f"windows are {windows!s:.80}; expected ascending from 0")
    columns = tuple(texts_of(_checked(arrays, "columns", "U", 1)))
    known = set(column_names(windows))
    if unknown := [name for name in columns if name not in known]:
        raise ValueError(f"it asks for the column {unknown[0]:.40}, which there is not")
    lawless = _checked(arrays, "lawless", "f", 1)
    if lawless.shape != (n_windows,) or not np.isfinite(lawless).all():
        raise ValueError("lawless holds no log odds for each window")
    sizes, trees = _checked(arrays, "tree_bytes", "i", 2), _checked(arrays, "trees", "u", 1)
    n_seeds = sizes.shape[1]
    if len(sizes) != n_windows or not n_seeds or (sizes <= 0).any() or sizes.sum() != len(trees):
        raise ValueError(f"tree_bytes tells of {sizes.sum()} bytes; expected {len(trees)}")
    ends = np.cumsum(sizes.ravel())[:-1]
    estimators = [_booster(part.tobytes(), len(columns)) for part in np.split(trees, ends)]
    rounds = max(each.num_boosted_rounds() for each in estimators)
    boosting = Boosting(windows=windows, seeds=tuple(range(n_seeds)), rounds=rounds)
    boosting.columns_, boosting.lawless_ = columns, lawless
    boosting.estimators_ = [estimators[i : i + n_seeds] for i in range(0, len(estimators), n_seeds)]
    return boosting


def column_names(windows: tuple[int, ...]) -> tuple[str, ...]:
    """All columns that this version computes."""
    zero = np.zeros(1, dtype=np.int64)
    rows = LevelRows(service=zero, cell=zero, origin=zero)
    known = level_features(np.zeros((1, 1)), rows, windows, start_s=0.0, step_s=60.0)
    return known.beside(no_upstream(1)).names


def _raw(estimator: xgboost.Booster) -> bytes:
    return bytes(estimator.save_raw("ubj"))


def _booster(raw: bytes, n_columns: int) -> xgboost.Booster:
    """Trees over so many columns, each of which ends. Raises ValueError."""
    if not raw.startswith(OBJECT):
        raise ValueError("trees are not in XGBoost's format")
    estimator = xgboost.Booster()
    try:
        estimator.load_model(bytearray(raw))
        model = json.loads(bytes(estimator.save_raw("json")))["learner"]
        objective, booster = model["objective"]["name"], model["gradient_booster"]
        if (objective, booster["name"]) != (SETTINGS["objective"], "gbtree"):
            raise ValueError(f"trees are of {objective!s:.40}; expected {SETTINGS['objective']}")
        trees = booster["model"]["trees"]
        if estimator.num_features() != n_columns or not 1 <= len(trees) <= MODEL_ROUNDS.most:
            raise ValueError("trees ask for other columns, or are none or too many")
        if not all(_ends(tree, n_columns) for tree in trees):
            raise ValueError("a tree leads out of itself")
    except (xgboost.core.XGBoostError, LookupError, TypeError) as error:
        why = str(error).strip().splitlines()
        raise ValueError(
            f"XGBoost refuses its trees: {why[-1] if why else error!r:.100}"
        ) from error
    estimator.set_param({"nthread": SETTINGS["nthread"]})
    return estimator


def _ends(tree: dict[str, Any], n_columns: int) -> bool:
    """Whether every node but a leaf asks for a column and has two later nodes."""
    left, right = np.array(tree["left_children"]), np.array(tree["right_children"])
    column = np.array(tree["split_indices"])
    n = len(left)
    if not n or not len(right) == len(column) == len(tree["split_conditions"]) == n:
        return False
    inner, place = left != LEAF, np.arange(n)
    later = (left > place) & (left < n) & (right > place) & (right < n)
    known = (column >= 0) & (column < n_columns)
    return bool(((later & known) | (~inner & (right == LEAF))).all()) and not any(
        tree.get("split_type", ())
    )


def _checked(arrays: Arrays, name: str, kind: str, n_dimensions: int) -> np.ndarray[Any, Any]:
    array = arrays[name]
    if array.dtype.kind != kind or array.ndim != n_dimensions:
        raise ValueError(f"{name} is {array.dtype!s:.40} of {array.ndim} dimensions")
    return array
