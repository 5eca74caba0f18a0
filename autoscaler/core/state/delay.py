"""Scale-down delay: the greatest desired scale of the last ``delay`` seconds, in two-second slots.

Source: knative/serving pkg/autoscaler/aggregation/max. Two ticks in one slot keep the larger. A row
without a delay has no slots at all.
"""

import numpy as np

from autoscaler.core.state.rings import Rings, grown
from autoscaler.core.types import BoolArray, FloatArray, IntArray

SLOT_S = 2
NEVER = -(10**12)


class DelayWindow:
    """One ring of two-second maxima per row."""

    def __init__(self) -> None:
        self._rings = Rings()
        self._desired: IntArray = np.zeros(0, dtype=np.int64)  # (slots,) greatest desired scale
        self._stamp: IntArray = np.zeros(0, dtype=np.int64)  # (slots,) which two seconds it is of

    @property
    def nbytes(self) -> int:
        """Memory held, bytes."""
        return 2 * self._desired.nbytes + self._rings.nbytes

    def append(self, delays_s: FloatArray) -> None:
        """Add rows at the end; ``delays_s`` (n,), 0 = no delay."""
        end = self._rings.end
        self._rings.append(np.ceil(delays_s / SLOT_S).astype(np.int64))
        self._desired = grown(self._desired, self._rings.end)
        self._stamp = grown(self._stamp, self._rings.end)
        self._stamp[end:] = NEVER

    def remove(self, row: int) -> None:
        """Remove a row; the last row takes its place."""
        self._rings.remove(row)
        if self._rings.wasteful():
            old = self._rings.compact()
            self._desired, self._stamp = self._desired[old], self._stamp[old]

    def delayed(self, rows: IntArray | slice) -> BoolArray:
        """(n,) which rows have a delay."""
        return np.asarray(self._rings.size[rows] > 0, dtype=np.bool_)

    def greatest(self, rows: IntArray, now: FloatArray, desired: IntArray) -> IntArray:
        """(n,) greatest desired scale within the delay, with this one; rows must have a delay."""
        slot = np.floor(now / SLOT_S).astype(np.int64)
        size = self._rings.size[rows]
        ring = self._rings.runs(rows, slot, size)
        fresh = self._stamp[ring] > np.repeat(slot - size, size)
        recent = np.where(fresh, self._desired[ring], 0)
        greatest = np.maximum.reduceat(recent, np.cumsum(size) - size)
        return np.maximum(greatest, desired)

    def record(self, rows: IntArray, now: FloatArray, desired: IntArray) -> None:
        """Store this tick's desired scale; rows must have a delay, each at most once a call."""
        slot = np.floor(now / SLOT_S).astype(np.int64)
        at = self._rings.slots(rows, slot)
        same = self._stamp[at] == slot
        self._desired[at] = np.where(same, np.maximum(self._desired[at], desired), desired)
        self._stamp[at] = slot
