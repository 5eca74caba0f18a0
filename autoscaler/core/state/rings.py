"""Rings of different lengths for many rows, kept in one flat array.

Windows are six seconds to an hour long. A rectangular array would need the longest for every row;
rings that lie end to end need only their own length.
"""

from typing import TypeVar

import numpy as np

from autoscaler.core.state.columns import Column
from autoscaler.core.types import FloatArray, IntArray

Values = TypeVar("Values", FloatArray, IntArray)


class Rings:
    """Where each row's ring lies: row i owns slots ``start[i] ... start[i] + size[i] - 1``.

    Holds no values: an owner of values provides ``end`` slots and moves them after ``compact()``.
    """

    def __init__(self) -> None:
        self._start = Column(np.int64)
        self._size = Column(np.int64)
        self.end = 0  # slots handed out, used or lost

    @property
    def start(self) -> IntArray:
        """(n_rows,) first slot."""
        return self._start.values

    @property
    def size(self) -> IntArray:
        """(n_rows,) slots."""
        return self._size.values

    @property
    def nbytes(self) -> int:
        """Memory held, bytes."""
        return self._start.nbytes + self._size.nbytes

    def append(self, sizes: IntArray) -> None:
        """Add rows at the end, with rings of ``sizes`` (n,) slots."""
        self._start.append(self.end + np.cumsum(sizes) - sizes)
        self._size.append(sizes)
        self.end += int(sizes.sum())

    def resize(self, row: int, size: int) -> None:
        """Give the row a new ring; the slots of the old one are lost until compaction."""
        self.start[row], self.size[row] = self.end, size
        self.end += size

    def remove(self, row: int) -> None:
        """Remove the row; the last row takes its place."""
        self._start.remove(row)
        self._size.remove(row)

    def wasteful(self) -> bool:
        """Whether more slots are lost than used; a few are not worth the copying."""
        return self.end > 2 * int(self.size.sum()) + 1024

    def compact(self) -> IntArray:
        """Remove lost slots. Returns, for each new slot, the old slot whose value belongs there."""
        old = span(self.start, self.size)
        self.start[:] = np.cumsum(self.size) - self.size
        self.end = int(self.size.sum())
        return old

    def slots(self, rows: IntArray, seconds: IntArray) -> IntArray:
        """(n,) the slot of each row's ring that belongs to each time index."""
        return np.asarray(self.start[rows] + seconds % self.size[rows], dtype=np.int64)

    def runs(self, rows: IntArray, last: IntArray, length: IntArray) -> IntArray:
        """Slots of the ``length`` time indices up to ``last``, newest first, row by row."""
        ages = span(np.zeros_like(length), length)
        return self.slots(np.repeat(rows, length), np.repeat(last, length) - ages)


def span(start: IntArray, length: IntArray) -> IntArray:
    """start[0], start[0] + 1, ... (length[0] of them), then start[1], ...: (sum(length),)."""
    offset = np.cumsum(length) - length
    steps = np.arange(int(length.sum()), dtype=np.int64)
    return np.asarray(steps + np.repeat(start - offset, length), dtype=np.int64)


def grown(values: Values, size: int) -> Values:
    """The values with room for ``size`` on the last axis, doubling so that growth stays cheap."""
    room = values.shape[-1]
    if size <= room:
        return values
    wider = np.zeros((*values.shape[:-1], max(size, 2 * room)), dtype=values.dtype)
    wider[..., :room] = values
    return wider
