"""Evidence of who pulls whom on disk, so that a restart of the learner forgets nothing.

An npz of plain arrays, never pickle, beside the bundle. It is the learner's own notebook: one that
is damaged or of another version is no harm, as evidence gathers anew.
"""

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from autoscaler.bundle.npz import read_npz
from autoscaler.core.types import FloatArray
from autoscaler.errors import PermanentError
from autoscaler.files import whole_file
from learner.dependencies.starts.coincidences import StartRules
from learner.dependencies.starts.evidence import (
    BY_LAG,
    SCATTER,
    TABLES,
    USUAL_WEIGHT,
    WEIGHT,
    Evidence,
)

MAGIC = "kn-ahead evidence"
VERSION = 2


def save_evidence(evidence: Evidence, path: Path) -> None:
    """Write it whole or not at all. Raises PermanentError where it cannot be written."""
    arrays: dict[str, Any] = {f.name: getattr(evidence, f.name) for f in fields(Evidence)}
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
    lacking = [f.name for f in fields(Evidence) if f.name not in arrays]
    if lacking:
        raise PermanentError(f"{path} lacks the array {lacking[0]}; allowed: {allowed}")
    try:
        return _evidence(arrays, rules)
    except (ValueError, TypeError) as error:
        raise PermanentError(f"{path}: {error}; allowed: {allowed}") from error


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
    shapes |= {"late": (m, 6), "alone": (m, 2), "seen_at_s": (m,), "until_s": ()}
    columns: dict[str, FloatArray] = {}
    for name, shape in shapes.items():
        columns[name] = arrays[name].astype(np.float64)
        if columns[name].shape != shape:
            raise ValueError(f"{name} has shape {columns[name].shape} instead of {shape}")
        wrong = ~np.isfinite(columns[name])
        if name == "seen_at_s":
            wrong &= columns[name] != -np.inf  # none followed yet
        if name in (*TABLES, *BY_LAG[:-1], "alone"):
            wrong |= columns[name] < 0
        if name == "late":
            wrong[:, [WEIGHT, USUAL_WEIGHT]] |= columns[name][:, [WEIGHT, USUAL_WEIGHT]] < 0
            wrong[:, SCATTER] |= columns[name][:, SCATTER] < 1
        if wrong.any():
            raise ValueError(f"{name} holds a number that cannot be")
    until_s = float(columns.pop("until_s"))
    return Evidence(services=services, until_s=until_s, pair=pair, **columns)
