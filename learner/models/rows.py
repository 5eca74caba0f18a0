"""Rows that boosting learns from and answers: one per (service, pod level, origin).

An origin has only the levels that `cells_in_reach` gives for its past: the mere presence of a
higher level would tell the model that it is going to be needed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy.ndimage import maximum_filter1d

from autoscaler.core.types import BoolArray, FloatArray, IntArray
from learner.models.levels import LEVELS, cells_in_reach

Outcomes = npt.NDArray[np.int8]

ROWS_AT_ONCE = 200_000  # rows answered together: some hundred MB of features
SERVICES_AT_ONCE = 20  # whose series are built together: some hundred MB for two weeks
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


def by_service(need: FloatArray, rows: LevelRows) -> Iterator[tuple[FloatArray, LevelRows]]:
    """Rows, in order of their services, some services at a time; one piece at least.

    need: (n, n_steps) pods. With each piece comes that of its services, which count from 0 then.
    """
    piece = rows.service // SERVICES_AT_ONCE
    for some in np.split(np.arange(len(rows)), np.flatnonzero(np.diff(piece)) + 1):
        first = int(rows.service[some[0]]) if len(some) else 0
        own = need[first : first + SERVICES_AT_ONCE]
        service = rows.service[some] - first
        yield own, LevelRows(service=service, cell=rows.cell[some], origin=rows.origin[some])


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


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnRows:
    """Rows to fit on. Each window learns from those with an outcome for it."""

    rows: LevelRows
    outcome: Outcomes  # (n_rows, n_windows) 1 = the level was needed, 0 = not, -1 = does not count
    offset: FloatArray  # (n_windows,) log odds of 1 among these rows, minus those among all


def draw_rows(need: FloatArray, windows: tuple[int, ...], max_rows: int) -> DrawnRows:
    """For each window all rows whose outcome is known, or about ``max_rows`` of them.

    need: (n, n_steps) pods, NaN = gap. Where they are too many, the rarer outcome is kept as far as
    it fills half of the budget: of services that are called once a day, a uniform draw sees next to
    no call. The offset undoes that (King and Zeng 2001, "Logistic Regression in Rare Events Data");
    weights would let few rows speak for many.
    """
    spans = list(pairwise(windows))
    number = np.zeros((2, len(spans)))
    for service in range(len(need)):
        outcome = _outcomes(need[service], spans)[2]
        number += [(outcome == 0).sum(axis=0), (outcome == 1).sum(axis=0)]
    share = _shares(number, max_rows)
    random = np.random.default_rng(0)
    parts = [np.zeros((0, 3 + len(spans)), dtype=np.int64)]
    for service in range(len(need)):
        cell, origin, outcome = _outcomes(need[service], spans)
        # One number for all windows: they share rows, so that there are not many more of them.
        drawn = random.random(len(cell))[:, None] < np.where(outcome == 1, share[1], share[0])
        outcome = np.where(drawn, outcome, -1)
        some = np.flatnonzero((outcome >= 0).any(axis=1))
        own = np.full(len(some), service)
        parts.append(np.column_stack([own, cell[some], origin[some], outcome[some]]))
    drawn_rows = np.concatenate(parts)
    return DrawnRows(
        rows=LevelRows(service=drawn_rows[:, 0], cell=drawn_rows[:, 1], origin=drawn_rows[:, 2]),
        outcome=drawn_rows[:, 3:].astype(np.int8),
        offset=np.log(share[1] / share[0]),
    )


def _outcomes(
    need: FloatArray, spans: list[tuple[int, int]]
) -> tuple[IntArray, IntArray, Outcomes]:
    """(k,) cells and origins of all rows of one service, and their outcomes (k, n_windows)."""
    reach = cells_in_reach(need[None, :])[0, :-1]
    origin, cell = np.nonzero(np.arange(reach.max(initial=0)) < reach[:, None])
    rows = LevelRows(service=np.zeros_like(origin), cell=cell, origin=origin)
    outcome = np.empty((len(origin), len(spans)), dtype=np.int8)
    for window, span in enumerate(spans):
        needed, unknown = needed_within(need[None, :], *span, rows)
        outcome[:, window] = np.where(unknown, -1, needed)
    return cell, origin, outcome


def _shares(number: FloatArray, max_rows: int) -> FloatArray:
    """(2, n_windows) shares to draw of ``number`` (2, n_windows) rows of each outcome."""
    budget = np.maximum(max_rows / 2, max_rows - number[::-1])
    return np.asarray(np.minimum(1.0, budget / np.maximum(number, 1)))
