"""Columns of numbers, as they are in the arrays of a file."""

from pathlib import Path

import numpy as np

from autoscaler.bundle.npz import Arrays
from autoscaler.core.types import FloatArray
from autoscaler.errors import PermanentError


def numbers(arrays: Arrays, name: str, path: Path, length: int | None = None) -> FloatArray:
    """(k,) finite numbers >= 0 of an array, one at least; ``length`` = k, if it is known.

    Raises PermanentError, naming the file, the array and the value, for anything else.
    """
    array = arrays.get(name, np.zeros(0))
    shape = array.shape if length is None else (length,)
    if array.ndim != 1 or array.shape != shape or not array.size or array.dtype.kind not in "iuf":
        allowed = "numbers (k,)" if length is None else f"numbers ({length},)"
        raise PermanentError(
            f"{path}: {name} is {array.dtype} of shape {array.shape}; allowed: {allowed}"
        )
    values = array.astype(np.float64)
    wrong = ~np.isfinite(values) | (values < 0)
    if wrong.any():
        at = int(np.argmax(wrong))
        raise PermanentError(f"{path}: {name}[{at}] is {values[at]:g}; allowed: finite, >= 0")
    return values
