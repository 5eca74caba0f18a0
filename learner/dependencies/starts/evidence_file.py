"""The file of evidence, so that a restart of the learner loses none.

An npz of plain arrays, never pickle, beside the bundle. Only the learner reads it: without it, or
where it is damaged or of another version, evidence accumulates anew.
"""

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from autoscaler.bundle.npz import read_npz
from autoscaler.core.types import BoolArray, FloatArray
from autoscaler.errors import PermanentError
from autoscaler.files import whole_file
from learner.dependencies.starts.coincidences import StartRules
from learner.dependencies.starts.evidence import (
    BASELINE_WEIGHT,
    BY_LAG,
    SCATTER,
    TABLES,
    WEIGHT,
    Evidence,
)

MAGIC = "kn-ahead evidence"
VERSION = 2
FILE_NAMES = {"delay": "late", "own_timer": "alone"}  # of fields with another name in the file


def save_evidence(evidence: Evidence, path: Path) -> None:
    """Write it whole or not at all. Raises PermanentError where it cannot be written."""
    arrays: dict[str, Any] = {
        file_name: getattr(evidence, name) for name, file_name in _names().items()
    }
    arrays["services"] = np.array(evidence.services, dtype=np.str_)
    # Counts need no more digits, and most of them are tables of all pairs.
    arrays |= {name: arrays[name].astype(np.float32) for name in TABLES}
    with whole_file(path) as file:
        np.savez_compressed(file, allow_pickle=False, magic=MAGIC, version=VERSION, **arrays)


def load_evidence(path: Path, rules: StartRules) -> Evidence:
    """Read what `save_evidence` wrote.

    Raises PermanentError, naming the file, where it is missing, foreign, damaged, of another
    version or counted by other rules.
    """
    allowed = f"{MAGIC} of version {VERSION}"
    arrays = read_npz(path, allowed=allowed)
    if str(arrays.get("magic")) != MAGIC or str(arrays.get("version")) != str(VERSION):
        raise PermanentError(f"{path} is something else; allowed: {allowed}")
    lacking = [name for name in _names().values() if name not in arrays]
    if lacking:
        raise PermanentError(f"{path} lacks the array {lacking[0]}; allowed: {allowed}")
    try:
        return _evidence(arrays, rules)
    except (ValueError, TypeError) as error:
        raise PermanentError(f"{path}: {error}; allowed: {allowed}") from error


def _names() -> dict[str, str]:
    """Fields of evidence, and their names in the file."""
    return {f.name: FILE_NAMES.get(f.name, f.name) for f in fields(Evidence)}


def _evidence(arrays: dict[str, Any], rules: StartRules) -> Evidence:
    services = tuple(arrays["services"].astype(np.str_).tolist())
    n, pair = len(services), arrays["pair"].astype(np.int64)
    m = len(pair)
    if pair.ndim != 1 or (
        m and not (pair[0] >= 0 and pair[-1] < n * n and (np.diff(pair) > 0).all())
    ):
        raise ValueError("its pairs are not in order")
    if len(set(services)) != n:
        raise ValueError("it holds a service twice")
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(TABLES, (n, n))
    shapes |= dict.fromkeys(BY_LAG, (m, rules.n_bins))
    shapes |= {"delay": (m, 6), "own_timer": (m, 2), "seen_at_s": (m,), "until_s": ()}
    file_names = _names()
    columns = {name: arrays[file_names[name]].astype(np.float64) for name in shapes}
    for name, shape in shapes.items():
        if columns[name].shape != shape:
            raise ValueError(
                f"{file_names[name]} has shape {columns[name].shape} instead of {shape}"
            )
        if _impossible(name, columns[name]).any():
            raise ValueError(f"{file_names[name]} holds a number that cannot be")
    until_s = float(columns.pop("until_s"))
    return Evidence(services=services, until_s=until_s, pair=pair, **columns)


def _impossible(name: str, values: FloatArray) -> BoolArray:
    """Which values of a field of evidence cannot be."""
    wrong = ~np.isfinite(values)
    if name == "seen_at_s":
        wrong &= values != -np.inf  # none followed yet
    if name in (*TABLES, *BY_LAG[:-1], "own_timer"):
        wrong |= values < 0
    if name == "delay":
        wrong[:, [WEIGHT, BASELINE_WEIGHT]] |= values[:, [WEIGHT, BASELINE_WEIGHT]] < 0
        wrong[:, SCATTER] |= values[:, SCATTER] < 1
    return np.asarray(wrong)
