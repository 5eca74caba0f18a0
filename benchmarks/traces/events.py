"""Event lists, a row a request, counted by minute into the arrays of a regular trace."""

from pathlib import Path

import numpy as np

from autoscaler.bundle.npz import Arrays
from autoscaler.core.types import FloatArray, IntArray
from autoscaler.errors import PermanentError
from benchmarks.traces.columns import numbers
from benchmarks.traces.count_table import check_size

STEP_S = 60.0
WHEN, WHO, HOW_LONG, SPAN = "t_s", "model_idx", "exec_time_s", "span_s"


def by_minute(arrays: Arrays, path: Path) -> Arrays:
    """Arrays ``counts``, ``avg_duration_s`` and ``step_s`` in the place of ``t_s`` and its like.

    t_s: (k,) s since the start. model_idx: (k,) places in ``ids``; without it there is one service.
    exec_time_s: (k,) s, if known; a request of 0 s or unknown duration has none. span_s: (1,) s
    until requests were no longer recorded; without it, the last ends the trace. Raises
    PermanentError, naming the file, for impossible values.
    """
    at_s = numbers(arrays, WHEN, path)
    n_requests = len(at_s)
    ids = np.atleast_1d(arrays.get("ids", np.array(["requests"])))
    service = _services(arrays, n_requests, len(ids), path)
    span_s = float(numbers(arrays, SPAN, path, 1)[0]) if SPAN in arrays else 0.0
    shape = len(ids), max(int(at_s.max() // STEP_S) + 1, int(span_s // STEP_S))
    check_size(path, *shape)
    place = service * shape[1] + (at_s // STEP_S).astype(np.int64)

    def totals(of: FloatArray) -> FloatArray:
        """(n, n_steps) sums of a number of each request (k,)."""
        sums = np.bincount(place, of, minlength=shape[0] * shape[1])
        return np.asarray(sums.reshape(shape), dtype=np.float64)

    took_s = np.zeros(n_requests)
    if HOW_LONG in arrays:
        took_s = numbers(arrays, HOW_LONG, path, n_requests)
    known = totals((took_s > 0).astype(np.float64))
    counts = totals(np.ones(n_requests))
    durations = np.where(known > 0, totals(took_s) / np.maximum(known, 1), np.nan)
    rest = {"t0": arrays["t0"]} if "t0" in arrays else {}
    return rest | {
        "ids": ids,
        "step_s": np.array(STEP_S),
        "counts": counts,
        "avg_duration_s": durations,
    }


def _services(arrays: Arrays, n_requests: int, n_services: int, path: Path) -> IntArray:
    """(n_requests,) place of each request's service."""
    if WHO not in arrays and n_services == 1:
        return np.zeros(n_requests, dtype=np.int64)
    array = arrays.get(WHO, np.zeros(0))
    right = array.shape == (n_requests,) and array.dtype.kind in "iu"
    if not right or array.min() < 0 or array.max() >= n_services:
        raise PermanentError(
            f"{path}: {WHO} is {array.dtype} of shape {array.shape}; allowed: {n_requests} whole"
            f" numbers from 0 to {n_services - 1}"
        )
    return array.astype(np.int64)
