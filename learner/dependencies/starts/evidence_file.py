"""The file of evidence, so that a restart of the learner loses none.

An npz of plain arrays, never pickle, beside the bundle. Only the learner reads it: without it, or
where it is damaged or of another version, evidence accumulates anew.
"""

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from autoscaler.bundle.npz import read_npz
from autoscaler.errors import PermanentError
from autoscaler.files import whole_file
from learner.dependencies.starts.evidence import OF_PAIRS, TABLES, Evidence

COUNTS = ("starts", "followed", *TABLES)
MAGIC = "kn-ahead evidence"
VERSION = 3


def save_evidence(evidence: Evidence, path: Path) -> None:
    """Write it whole or not at all. Raises PermanentError where it cannot be written."""
    arrays: dict[str, Any] = {f.name: getattr(evidence, f.name) for f in fields(Evidence)}
    arrays["services"] = np.array(evidence.services, dtype=np.str_)
    # Counts need no more digits, and most of them are tables of all pairs.
    arrays |= {name: arrays[name].astype(np.float32) for name in TABLES}
    with whole_file(path) as file:
        np.savez_compressed(file, allow_pickle=False, magic=MAGIC, version=VERSION, **arrays)


def load_evidence(path: Path) -> Evidence:
    """Read what `save_evidence` wrote.

    Raises PermanentError, naming the file, where it is missing, foreign, damaged or of another
    version.
    """
    allowed = f"{MAGIC} of version {VERSION}"
    arrays = read_npz(path, allowed=allowed)
    if str(arrays.get("magic")) != MAGIC or str(arrays.get("version")) != str(VERSION):
        raise PermanentError(f"{path} is something else; allowed: {allowed}")
    lacking = [f.name for f in fields(Evidence) if f.name not in arrays]
    if lacking:
        raise PermanentError(f"{path} lacks the array {lacking[0]}; allowed: {allowed}")
    try:
        return _evidence(arrays)
    except (ValueError, TypeError) as error:
        raise PermanentError(f"{path}: {error}; allowed: {allowed}") from error


def _evidence(arrays: dict[str, Any]) -> Evidence:
    services = tuple(arrays["services"].astype(np.str_).tolist())
    n, pair = len(services), arrays["pair"].astype(np.int64)
    m = len(pair)
    if pair.ndim != 1 or (
        m and not (pair[0] >= 0 and pair[-1] < n * n and (np.diff(pair) > 0).all())
    ):
        raise ValueError("its pairs are not in order")
    if len(set(services)) != n:
        raise ValueError("it holds a service twice")
    shapes: dict[str, tuple[int, ...]] = {"starts": (n,), "until_s": ()}
    shapes |= dict.fromkeys(TABLES, (n, n)) | dict.fromkeys(OF_PAIRS, (m,))
    columns = {name: arrays[name].astype(np.float64) for name in shapes}
    for name, shape in shapes.items():
        if columns[name].shape != shape:
            raise ValueError(f"{name} has shape {columns[name].shape} instead of {shape}")
        possible = np.isfinite(columns[name])
        if name in COUNTS:
            possible &= columns[name] >= 0
        if not possible.all():
            raise ValueError(f"{name} holds a number that cannot be")
    until_s = float(columns.pop("until_s"))
    return Evidence(services=services, until_s=until_s, pair=pair, **columns)
