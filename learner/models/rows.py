"""Rows that boosting learns from and answers: one per (service, pod level, origin).

An origin has only the levels that `cells_in_reach` gives for its past: the mere presence of a
higher level would tell the model that it is going to be needed.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import maximum_filter1d

from autoscaler.core.types import BoolArray, FloatArray, IntArray
from learner.models.levels import LEVELS, cells_in_reach

ROWS_AT_ONCE = 200_000  # rows answered together: some hundred MB of features
STEPS_A_ROW = 100  # steps of a level's series that take about as much memory as a row


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelRows:
    """Which level of which service, seen from which origin."""

    service: IntArray  # (n_rows,)
    cell: IntArray  # (n_rows,) place of the level on the grid
    origin: IntArray  # (n_rows,) step

    def __len__(self) -> int:
        return len(self.service)


def rows_in_reach(
    reach: IntArray, origins: IntArray, n_steps: int
) -> Iterator[tuple[LevelRows, IntArray]]:
    """All rows of ``reach`` (n, n_origins), some at a time, with each row's place in ``origins``.

    A service is never split, so that its series, of ``n_steps``, are built once.
    """
    size = reach.sum(axis=1) + reach.max(axis=1, initial=0) * n_steps // STEPS_A_ROW
    piece_of = np.cumsum(size) // ROWS_AT_ONCE
    for piece in np.unique(piece_of):
        services = np.flatnonzero(piece_of == piece)
        cells = np.arange(reach[services].max(initial=0))
        service, place, cell = np.nonzero(cells < reach[services][:, :, None])
        rows = LevelRows(service=services[service], cell=cell, origin=origins[place])
        yield rows, place


def needed_within(
    need: FloatArray, begin: int, end: int, rows: LevelRows
) -> tuple[BoolArray, BoolArray]:
    """Whether each row's level was needed in steps [origin + begin, origin + end), and if unknown.

    need: (n, n_steps) pods, NaN = gap. Unknown: some steps of the window lie in a gap or past the
    end, and none of the others needed the level.
    """
    greatest, some_missing = greatest_ahead(need, begin, end)
    needed = greatest[rows.service, rows.origin] >= LEVELS[rows.cell]
    return needed, some_missing[rows.service, rows.origin] & ~needed


def greatest_ahead(need: FloatArray, begin: int, end: int) -> tuple[FloatArray, BoolArray]:
    """(n, n_steps) for each origin: greatest known need in the window, and if a step is missing.

    The greatest is -1 where nothing is known; steps past the end are missing.
    """
    width = end - begin
    padded = np.pad(np.nan_to_num(need, nan=-1.0), ((0, 0), (0, end)), constant_values=-1.0)
    missing = (padded < 0).astype(np.int8)
    # The filter centres its window on a step; reading further on makes it begin at the origin.
    read = slice(begin + width // 2, begin + width // 2 + need.shape[1])
    greatest = maximum_filter1d(padded, width, axis=1, mode="constant", cval=-1.0)[:, read]
    some_missing = maximum_filter1d(missing, width, axis=1, mode="constant", cval=1)[:, read]
    return greatest, some_missing > 0


def draw_rows(need: FloatArray, max_rows: int) -> LevelRows:
    """Rows to fit on: all, or about ``max_rows`` of them, drawn uniformly.

    Favouring rare outcomes would need sample weights, with which the boosting takes minutes to bin.
    """
    reach = cells_in_reach(need)[:, :-1]
    share = min(1.0, max_rows / max(int(reach.sum()), 1))
    random = np.random.default_rng(0)
    parts = [np.zeros((0, 3), dtype=np.int64)]
    for service in range(len(need)):
        pairs = np.argwhere(np.arange(reach[service].max(initial=0)) < reach[service][:, None])
        chosen = pairs if share == 1 else pairs[random.random(len(pairs)) < share]
        parts.append(np.column_stack([np.full(len(chosen), service), chosen]))
    drawn = np.concatenate(parts)
    return LevelRows(service=drawn[:, 0], origin=drawn[:, 1], cell=drawn[:, 2])
