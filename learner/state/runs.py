"""The last runs of calls of each level, from which its idle, busy and cycle stretches follow.

A run is a stretch of steps that needed the level. A gap in the data ends a run, and makes the
lengths across it unknown, as in `learner.models.gaps`.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from autoscaler.core.types import BoolArray, IntArray
from learner.models.gaps import MEMORY, Kind

RUNS = MEMORY + 1  # between so many starts lie ``MEMORY`` stretches
NEVER = -(1 << 30)  # step of a run that has not been
ENDED_IN_GAP, GAP_AFTER = 1, 2  # the step after the run is a gap; a step before the next run is

Steps = npt.NDArray[np.int32]
Lengths = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """Of many levels, (n_rows, RUNS), latest first."""

    start: Steps  # first step
    last_call: Steps  # last step so far
    gap: npt.NDArray[np.uint8]  # ENDED_IN_GAP | GAP_AFTER

    @classmethod
    def never(cls, n: int) -> Self:
        """Levels that have never been needed."""
        return cls(
            start=np.full((n, RUNS), NEVER, dtype=np.int32),
            last_call=np.full((n, RUNS), NEVER, dtype=np.int32),
            gap=np.zeros((n, RUNS), dtype=np.uint8),
        )

    def only(self, rows: IntArray | slice, depth: int = RUNS) -> "Runs":
        """Some levels; depth: of their runs the latest so many."""
        return Runs(
            start=self.start[rows, :depth],
            last_call=self.last_call[rows, :depth],
            gap=self.gap[rows, :depth],
        )

    def stepped(self, step: int, active: BoolArray, known: BoolArray) -> "Runs":
        """After a step that needed the level or not, or is a gap, (n_rows,) each."""
        open_ = self.last_call[:, 0] == step - 1
        begun = np.flatnonzero(active & ~open_)
        start, last_call, gap = self.start.copy(), self.last_call.copy(), self.gap.copy()
        for copy, old, first in ((start, self.start, step), (last_call, self.last_call, step)):
            copy[begun, 1:] = old[begun, :-1]
            copy[begun, 0] = first
        gap[begun, 1:] = self.gap[begun, :-1]
        gap[begun, 0] = 0
        last_call[active, 0] = step
        gap[~known, 0] |= GAP_AFTER
        gap[~known & open_, 0] |= ENDED_IN_GAP
        return Runs(start=start, last_call=last_call, gap=gap)

    def number(self, since: int) -> IntArray:
        """(n_rows,) runs with calls in or after a step, RUNS at most."""
        return np.asarray((self.last_call >= since).sum(axis=1))

    def stretches(self, kind: Kind, since: int, now: int) -> tuple[Lengths, Lengths]:
        """Age (n_rows,) of the open stretch and lengths (n_rows, n_runs - 1) of the last ones.

        Latest first; NaN = none, or a gap within. Steps before ``since`` are taken as never seen.
        """
        seen = self.last_call >= since
        start = np.maximum(self.start, since)
        began = self.last_call[:, 0] if kind == "idle" else start[:, 0]
        age = np.where(seen[:, 0], now - began, np.nan).astype(np.float32)
        if kind == "busy":
            length = self.last_call + 1 - start
            known = seen & (self.gap & ENDED_IN_GAP == 0)
            lengths = np.where(known, length, np.nan).astype(np.float32)
            open_ = self.last_call[:, :1] == now - 1
            return age, np.where(open_, lengths[:, 1:], lengths[:, :-1])
        before = self.last_call if kind == "idle" else start
        length = start[:, :-1] - before[:, 1:]
        known = seen[:, 1:] & (self.gap[:, 1:] & GAP_AFTER == 0)
        return age, np.where(known, length, np.nan).astype(np.float32)
