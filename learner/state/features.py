"""Features at the newest step, for every level in reach of every service, from the state alone."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from autoscaler.core.types import BoolArray, IntArray
from learner.models.columns import (
    HALF_LIVES,
    MEANS,
    LevelFeatures,
    Periods,
    Spans,
    Values,
    Whose,
    feature_columns,
)
from learner.models.gaps import (
    DEPTHS,
    ROWS_AT_ONCE,
    Columns,
    Kind,
    age_columns,
    depths_of,
    length_columns,
)
from learner.models.levels import LEVELS
from learner.models.rows import LevelRows
from learner.state.level_state import LevelState, NeededLevels, cells_of
from learner.state.ring import GAP

RECENT = max(MEANS)  # steps that are read of the ring for every level

Counts = npt.NDArray[np.integer[Any]]


def features(state: LevelState, windows: tuple[int, ...]) -> tuple[LevelRows, LevelFeatures]:
    """Rows, and features of each, as of `level_features` at this step.

    All levels in reach, service after service. windows: edges in steps after the origin. Periods
    are those of `periods_at` at the service's turn (`learner.state.periods`), all else is equal.
    """
    service, cell = cells_of(state.reach)
    origin = np.full(len(service), state.steps)
    parts = [feature_columns(past, windows, state.step_s) for past in _pasts(state)]
    together = LevelFeatures(
        names=parts[0].names, values=np.concatenate([part.values for part in parts])
    )
    return LevelRows(service=service, cell=cell, origin=origin), together


def _pasts(state: LevelState) -> Iterator["_StatePast"]:
    """The past of all rows, some services at a time; one without rows where there are none."""
    needed = np.bincount(state.levels.service, minlength=len(state.services))
    first = np.append(0, np.cumsum(needed))
    pieces = np.cumsum(state.reach) // ROWS_AT_ONCE
    edges = np.flatnonzero(np.diff(pieces)) + 1
    for begin, end in zip([0, *edges], [*edges, len(state.services)], strict=True):
        yield _StatePast(state, slice(begin, end), slice(first[begin], first[end]))


class _StatePast:
    """The past of the rows of some services.

    What is asked of a row is computed for the levels that were needed; all others share one answer,
    that of a level without a past, which is the last of ``_levels``.
    """

    def __init__(self, state: LevelState, services: slice, levels: slice) -> None:
        self._state, self._services = state, services
        self._levels = _with_blank(state.levels, services.start, levels)
        self._service, cell = cells_of(state.reach[services])
        self._rows = self._rows_of_levels(cell)
        self.level = LEVELS[cell].astype(np.float32)
        self.history = np.full(len(cell), state.steps - state.since, dtype=np.float32)
        self.now_s = np.full(len(cell), state.end_s)
        recent = state.ring.between(services, state.steps - RECENT, state.steps)[:, ::-1]
        self._known = recent != GAP  # latest first, as all that is recent
        self._pods = np.where(self._known, recent, 0)
        self._active = np.zeros((len(self._levels), RECENT), dtype=np.bool_)
        level = LEVELS[self._levels.cell[:-1], None]
        self._active[:-1] = self._pods[self._levels.service[:-1]] >= level
        self._n_active, self._n_known = _sums(self._active), _sums(self._known)
        number = self._levels.runs.number(state.since)
        depth = depths_of(number)
        self._by_depth = [np.flatnonzero(depth == place) for place in range(len(DEPTHS))]
        self._stretches: dict[Kind, list[tuple[Values, Values]]] = {}
        self._ages: dict[tuple[Kind, int], Columns] = {}

    def _rows_of_levels(self, cell: IntArray) -> dict[Whose, IntArray]:
        """Where the level of each row is in ``_levels``, and those that it is compared with."""
        blank = len(self._levels) - 1
        n_services = int(self._service.max(initial=-1)) + 1
        needed = np.bincount(self._levels.service[:blank], minlength=n_services)
        first = (np.cumsum(needed) - needed)[self._service]
        needed = needed[self._service]

        def rows(cell: IntArray) -> IntArray:
            return np.where(cell < needed, first + cell, blank)

        return {
            "own": rows(cell),
            "below": rows(np.maximum(cell - 1, 0)),
            "lowest": rows(np.zeros_like(cell)),
        }

    def value(self, ago: int) -> Values:
        active = self._active[self._rows["own"], ago - 1]
        known = self._known[self._service, ago - 1]
        return np.where(known, active, np.nan).astype(np.float32)

    def mean(self, begin: int, end: int) -> Values:
        if begin > RECENT:
            return self._mean_long_ago(begin, end)
        active = (self._n_active[:, begin] - self._n_active[:, end])[self._rows["own"]]
        known = (self._n_known[:, begin] - self._n_known[:, end])[self._service]
        return _mean(active, known)

    def _mean_long_ago(self, begin: int, end: int) -> Values:
        """As `mean`, (n_rows,), of steps that are only in the ring; what left it is not known."""
        ring, now = self._state.ring, self._state.steps
        begin, end = min(begin, ring.window), min(end, ring.window)
        pods = ring.between(self._services, now - begin, now - end)
        known, level = pods != GAP, LEVELS[self._levels.cell[:-1], None]
        mine = self._levels.service[:-1]
        active = np.append(((pods[mine] >= level) & known[mine]).sum(axis=1), 0)
        return _mean(active[self._rows["own"]], known.sum(axis=1)[self._service])

    def smooth(self, half_life: int) -> Values:
        smooth = self._levels.smooth[self._rows["own"], HALF_LIVES.index(half_life)]
        return np.asarray(smooth, dtype=np.float32)

    def share_ever(self) -> Values:
        known = self._state.known[self._services]
        return _mean(self._levels.number[self._rows["own"]], known[self._service])

    def ages(self, kind: Kind, whose: Whose, spans: Spans) -> Columns:
        key = kind, len(spans)
        if key not in self._ages:
            parts = [age_columns(age, past, spans) for age, past in self._of_kind(kind)]
            self._ages[key] = self._joined(parts)
        rows = self._rows[whose]
        return {name: column[rows] for name, column in self._ages[key].items()}

    def lengths(self, kind: Kind) -> Columns:
        columns = self._joined([length_columns(past) for _, past in self._of_kind(kind)])
        return {name: column[self._rows["own"]] for name, column in columns.items()}

    def _of_kind(self, kind: Kind) -> list[tuple[Values, Values]]:
        """Ages and lengths of the levels' stretches, by depth."""
        if kind not in self._stretches:
            since, now = self._state.since, self._state.steps
            self._stretches[kind] = [
                self._levels.runs.only(rows, most + 1).stretches(kind, since, now)
                for rows, most in zip(self._by_depth, DEPTHS, strict=True)
            ]
        return self._stretches[kind]

    def _joined(self, parts: list[Columns]) -> Columns:
        """Columns of all levels, of those by depth."""
        columns = {name: np.empty(len(self._levels), dtype=np.float32) for name in parts[0]}
        for rows, part in zip(self._by_depth, parts, strict=True):
            for name, column in part.items():
                columns[name][rows] = column
        return columns

    def periods(self) -> Periods:
        own = self._rows["own"]
        period = self._levels.period[own].astype(np.int64)
        return Periods(period=period, strength=self._levels.strength[own], mean=self._mean_of_each)

    def need(self, ago: int) -> Values:
        if ago > self._state.steps:
            return np.full(len(self.level), np.nan, dtype=np.float32)
        return np.asarray(self._pods[self._service, ago - 1], dtype=np.float32)

    def need_mean(self, width: int) -> Values:
        total = self._pods[:, :width].sum(axis=1, dtype=np.int64)
        return _mean(total, self._n_known[:, width])[self._service]

    def greatest_need(self, width: int | None) -> Values:
        if width is None:
            greatest = self._state.greatest[self._services]
        else:
            greatest = self._pods[:, :width].max(axis=1)
        return np.asarray(greatest[self._service], dtype=np.float32)

    def _mean_of_each(self, begin: IntArray, end: IntArray) -> Values:
        """As `Periods.mean` says; NaN where there is no period."""
        mean = np.full(len(begin), np.nan, dtype=np.float32)
        rows = np.flatnonzero(self._levels.period[self._rows["own"]] > 0)
        ago = begin[rows, None] - np.arange(int((begin - end)[rows].max(initial=0)))
        inside = ago > end[rows, None]
        values = self._state.ring.values
        step = np.where(inside, self._state.steps - ago, 0) % values.shape[1]
        pods = values[self._services.start + self._service[rows, None], step]
        known = inside & (pods != GAP)
        active = known & (pods >= self.level[rows, None])
        mean[rows] = _mean(active.sum(axis=1), known.sum(axis=1))
        return mean


def _with_blank(levels: NeededLevels, first_service: int, rows: slice) -> NeededLevels:
    """Some levels, and a last one without a past. Their services count from the first one."""
    blank = NeededLevels.of(np.ones(1, dtype=np.int64))
    mine, none = levels.arrays(), blank.arrays()
    joined = {name: np.concatenate([mine[name][rows], none[name]]) for name in mine}
    return NeededLevels.from_arrays(
        service=np.append(levels.service[rows] - first_service, 0).astype(np.int32),
        cell=np.append(levels.cell[rows], 0).astype(np.int16),
        arrays=joined,
    )


def _sums(recent: BoolArray) -> Counts:
    """(n, RECENT + 1) of the latest 0 ... RECENT steps."""
    sums = np.zeros((len(recent), RECENT + 1), dtype=np.int16)
    np.cumsum(recent, axis=1, out=sums[:, 1:], dtype=np.int16)
    return sums


def _mean(total: Counts, number: Counts) -> Values:
    """NaN where there is none."""
    mean = total / np.maximum(number, 1)
    return np.where(number > 0, mean, np.nan).astype(np.float32)
