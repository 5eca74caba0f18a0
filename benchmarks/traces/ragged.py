"""Series that were recorded each at times of its own, put into the arrays of a regular trace."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from autoscaler.bundle.npz import Arrays
from autoscaler.core.types import FloatArray, IntArray
from autoscaler.errors import PermanentError
from autoscaler.limits import LATEST_S
from benchmarks.traces.columns import numbers
from benchmarks.traces.count_table import check_size

FIRST = "t_0"  # an array by which such files are known
WEEK_S = 7 * 86_400.0


def on_one_grid(arrays: Arrays, path: Path) -> Arrays:
    """Arrays ``counts``, ``valid``, ``t0`` and ``step_s`` in the place of ``t_<i>`` and ``v_<i>``.

    t_<i>: (k_i,) Unix s at which steps begin, ascending. v_<i>: (k_i,) requests in each. step_s:
    s; without it, what is most often between two times of the first series. Series of other weeks
    are moved by whole weeks to begin in the first week of all: what is compared is the same day.
    Raises PermanentError, naming the file, for impossible values.
    """
    ids = np.atleast_1d(arrays.get("ids", np.zeros(0)))
    n = len(ids)
    if not n:
        raise PermanentError(f"{path} holds {FIRST} and no ids; allowed: one for each series")
    times = [numbers(arrays, f"t_{i}", path) for i in range(n)]
    values = [numbers(arrays, f"v_{i}", path, len(at_s)) for i, at_s in enumerate(times)]
    step_s = _step_s(arrays, times[0], path)
    start_s = min(float(at_s[0]) for at_s in times)
    if start_s > LATEST_S.most:
        raise PermanentError(
            f"{path} begins at {start_s:g}; allowed: up to {LATEST_S.most:g} Unix s"
        )
    moved = [at_s - (at_s[0] - start_s) // WEEK_S * WEEK_S for at_s in times]
    check_size(path, n, int((max(float(at_s.max()) for at_s in moved) - start_s) // step_s) + 1)
    columns = [_columns(at_s, start_s, step_s, f"{path}: t_{i}") for i, at_s in enumerate(moved)]
    counts = np.zeros((n, max(int(places[-1]) for places in columns) + 1))
    valid = np.zeros(counts.shape, dtype=np.bool_)
    for i, places in enumerate(columns):
        counts[i, places] = values[i]
        valid[i, places] = True
    return {
        "ids": ids,
        "step_s": np.array(step_s),
        "t0": np.array(datetime.fromtimestamp(start_s, UTC).isoformat()),
        "counts": counts,
        "valid": valid,
    }


def _columns(at_s: FloatArray, start_s: float, step_s: float, name: str) -> IntArray:
    """(k,) step of the grid that each time lies in."""
    places = ((at_s - start_s) // step_s).astype(np.int64)
    wrong = np.diff(places, prepend=-1) <= 0
    if wrong.any():
        at = int(np.argmax(wrong))
        raise PermanentError(f"{name}[{at}] is in no later step; allowed: ascending")
    return places


def _step_s(arrays: Arrays, at_s: FloatArray, path: Path) -> float:
    """What is told, or what is most often between two times."""
    if "step_s" in arrays:
        told = {"step_s": np.atleast_1d(arrays["step_s"])}
        step_s = float(numbers(told, "step_s", path, 1)[0])
    else:
        found, n_times = np.unique(np.diff(at_s), return_counts=True)
        step_s = float(found[np.argmax(n_times)]) if len(found) else 0.0
    if step_s <= 0:
        raise PermanentError(f"{path}: the step is {step_s:g} s; allowed: > 0")
    return step_s
