"""Requests counted by service and minute as they are read, in memory for the counts alone."""

from array import array

import numpy as np

from autoscaler.core.types import FloatArray, IntArray

STEP_S = 60.0
CHUNK = 1 << 20  # requests between two summings up
SHIFT = 34  # bits of a key that are the minute: its service is above them
ZERO = 1 << 33  # of a key's minute, as minutes may be before 0


class MinuteSums:
    """Requests, and their durations, by minute. Only minutes with a request take memory."""

    def __init__(self) -> None:
        self._keys: IntArray = np.zeros(0, dtype=np.int64)  # (k,) ascending
        self._sums: FloatArray = np.zeros((3, 0))  # (3, k) requests; with a duration; their s
        self._new_keys = array("q")
        self._new_s = array("d")

    def add(self, service: int, begin_s: float, duration_s: float) -> None:
        """Add a request. duration_s: NaN = unknown."""
        self._new_keys.append((service << SHIFT) + int(begin_s // STEP_S) + ZERO)
        self._new_s.append(duration_s)
        if len(self._new_keys) >= CHUNK:
            self._sum_up()

    def tables(self, n_services: int, first: int, n_minutes: int) -> tuple[FloatArray, FloatArray]:
        """(n_services, n_minutes) counts and mean durations, from a minute on; NaN = unknown."""
        self._sum_up()
        minute = (self._keys & (1 << SHIFT) - 1) - ZERO - first
        inside = (minute >= 0) & (minute < n_minutes)
        where = (self._keys >> SHIFT)[inside], minute[inside]
        n_requests, n_known, busy_s = self._sums[:, inside]
        counts = np.zeros((n_services, n_minutes))
        duration_s = np.full((n_services, n_minutes), np.nan)
        counts[where] = n_requests
        duration_s[where] = np.divide(
            busy_s, n_known, out=np.full(len(n_known), np.nan), where=n_known > 0
        )
        return counts, duration_s

    def last_minute(self) -> int:
        """The last minute with a request."""
        self._sum_up()
        return int((self._keys & (1 << SHIFT) - 1).max()) - ZERO

    def _sum_up(self) -> None:
        if not self._new_keys:
            return
        took_s = np.array(self._new_s)
        known = np.isfinite(took_s)
        new = np.stack([np.ones(len(took_s)), known, np.where(known, took_s, 0.0)])
        keys = np.concatenate([self._keys, np.array(self._new_keys)])
        sums = np.concatenate([self._sums, new], axis=1)
        self._keys, place = np.unique(keys, return_inverse=True)
        self._sums = np.stack([np.bincount(place, row, len(self._keys)) for row in sums])
        self._new_keys, self._new_s = array("q"), array("d")
