"""What every upstream was called of late: its stable average, some seconds apart, for minutes.

A window forgets after a minute what a service downstream meets in two. The trail is kept for rows
that pull others along, and only while links are known; of all others it says "not known" (NaN).
"""

import numpy as np

from autoscaler.core.types import FloatArray, IntArray

STEP_S = 10  # s between two values that are kept
STEPS = 30  # values kept of a row: five minutes
NEVER = -(2**31)  # a step before all steps: nothing was written yet


class Trail:
    """One ring of values per row."""

    def __init__(self) -> None:
        self._values = np.zeros((0, STEPS), dtype=np.float32)  # (n_rows, STEPS) requests per second
        self._step = np.zeros((0, STEPS), dtype=np.int32)  # (n_rows, STEPS) whose value it is

    @property
    def nbytes(self) -> int:
        """Memory held, bytes."""
        return self._values.nbytes + self._step.nbytes

    def append(self, n: int) -> None:
        """Add n rows at the end."""
        never = np.full((n, STEPS), NEVER, dtype=np.int32)
        self._values = np.concatenate([self._values, np.zeros((n, STEPS), dtype=np.float32)])
        self._step = np.concatenate([self._step, never])

    def remove(self, row: int) -> None:
        """Remove a row; the last row takes its place."""
        self._values[row], self._step[row] = self._values[-1], self._step[-1]
        self._values, self._step = self._values[:-1], self._step[:-1]

    def record(self, rows: IntArray, at_s: FloatArray, rate: FloatArray) -> None:
        """Keep what rows (n,) were called at Unix s (n,): (n,) requests per second, NaN = nothing.

        Of one step the last word stays.
        """
        known = ~np.isnan(rate)
        rows, step = rows[known], (at_s[known] // STEP_S).astype(np.int64)
        self._values[rows, step % STEPS] = rate[known]
        self._step[rows, step % STEPS] = step

    def at(self, rows: IntArray, at_s: FloatArray) -> FloatArray:
        """(n,) requests per second of rows (n,) at Unix s (n,); NaN = not known.

        Where a step has no word, because it has just begun or a tick came late, the one before has.
        """
        step = (at_s // STEP_S).astype(np.int64)
        found = self._of(rows, step)
        missing = np.flatnonzero(np.isnan(found))
        found[missing] = self._of(rows[missing], step[missing] - 1)
        return found

    def _of(self, rows: IntArray, step: IntArray) -> FloatArray:
        slot = rows, step % STEPS
        return np.where(self._step[slot] == step, self._values[slot], np.nan)
