"""Values and means of many series, each row asking for a series and a step of its own."""

from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from autoscaler.core.types import FloatArray, IntArray

# (n_series, n_steps); NaN = gap
Series = TypeVar("Series", npt.NDArray[np.float32], FloatArray)


def value_at(values: Series, series: IntArray, step: IntArray) -> Series:
    """(n_rows,) values in the dtype of ``values``; NaN at steps before the first one."""
    if values.shape[1] == 0:
        return np.full(len(step), np.nan, dtype=values.dtype)
    inside = (step >= 0) & (step < values.shape[1])
    return np.where(inside, values[series, np.where(inside, step, 0)], np.nan).astype(values.dtype)


class RunningMean(Generic[Series]):
    """Means over any span of steps, from running sums."""

    def __init__(self, values: Series) -> None:
        known = ~np.isnan(values)
        self._dtype: np.dtype[Any] = values.dtype
        self._total = np.zeros((values.shape[0], values.shape[1] + 1))
        self._number = np.zeros_like(self._total)
        np.cumsum(np.where(known, values, 0), axis=1, out=self._total[:, 1:])
        np.cumsum(known, axis=1, out=self._number[:, 1:])

    def between(self, series: IntArray, begin: IntArray, end: IntArray) -> Series:
        """(n_rows,) mean of the known values in steps [begin, end), NaN where there is none."""
        last = self._total.shape[1] - 1
        begin, end = np.clip(begin, 0, last), np.clip(end, 0, last)
        total = self._total[series, end] - self._total[series, begin]
        number = self._number[series, end] - self._number[series, begin]
        return np.where(number > 0, total / np.maximum(number, 1), np.nan).astype(self._dtype)
