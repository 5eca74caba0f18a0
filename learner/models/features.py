"""Features of pod levels: one row per (service, pod level, origin), from whole series.

Every feature is known at its origin, is in steps, and is relative to the level (has it been needed?
for how long not? what of the service's other levels?), so that what is learned on some services
holds for others of any size. All rows are computed in one pass over arrays.
"""

from dataclasses import replace

import numpy as np
from scipy.signal import lfilter

from autoscaler.core.types import FloatArray, IntArray
from learner.models.columns import LevelFeatures, Periods, Spans, Values, Whose, feature_columns
from learner.models.gaps import Columns, Kind, age_features, length_features, stretches_of
from learner.models.levels import LEVELS
from learner.models.periods import periods_at
from learner.models.rows import LevelRows
from learner.models.series import RunningMean, value_at


def level_features(
    need: FloatArray, rows: LevelRows, windows: tuple[int, ...], *, start_s: float, step_s: float
) -> LevelFeatures:
    """Features of each row.

    need: (n, n_steps) pods, NaN = gap. windows: edges in steps after the origin.
    """
    asked, service = np.unique(rows.service, return_inverse=True)
    now_s = (start_s + rows.origin * step_s).astype(np.float64)
    past = _SeriesPast(need[asked], replace(rows, service=service), now_s)
    return feature_columns(past, windows, step_s)


class _SeriesPast:
    """The past of rows, looked up in series; each level's series is built once for all its rows.

    There are series of the levels that the rows ask for, and of those they are compared with.
    """

    def __init__(self, need: FloatArray, rows: LevelRows, now_s: FloatArray) -> None:
        self.level = LEVELS[rows.cell].astype(np.float32)
        self.history = rows.origin.astype(np.float32)
        self.now_s = now_s
        self._service, self._origin = rows.service, rows.origin
        width = int(rows.cell.max(initial=0)) + 1
        base = rows.service * width
        series_of: dict[Whose, IntArray] = {
            "own": base + rows.cell,
            "below": base + np.maximum(rows.cell - 1, 0),  # the first level's is its own
            "lowest": base,
        }
        wanted = np.unique(np.concatenate(list(series_of.values())))
        self._series = {whose: np.searchsorted(wanted, one) for whose, one in series_of.items()}
        self._row_of = {whose: self._rows_of(one) for whose, one in self._series.items()}
        self._own_ages: dict[Kind, Columns] = {}
        service, cell = np.divmod(wanted, width)
        with np.errstate(invalid="ignore"):
            active = need[service] >= LEVELS[cell][:, None]
        known = ~np.isnan(need[service])
        self._values = np.where(known, active, np.nan).astype(np.float32)
        self._stretches = stretches_of(active, known)
        self._means = RunningMean(self._values)
        self._need = np.nan_to_num(need).astype(np.float32)  # gaps as 0
        self._need_means = RunningMean(need.astype(np.float32))

    def _rows_of(self, series: IntArray) -> IntArray:
        """(n_rows,) the row of the level in ``series`` at the same origin; -1 = there is none."""
        width = int(self._origin.max(initial=0)) + 1
        own, asked = (each * width + self._origin for each in (self._series["own"], series))
        order = np.argsort(own, kind="stable")
        place = np.minimum(np.searchsorted(own, asked, sorter=order), len(own) - 1)
        return np.asarray(np.where(own[order][place] == asked, order[place], -1))

    def value(self, ago: int) -> Values:
        return value_at(self._values, self._series["own"], self._origin - ago)

    def mean(self, begin: int, end: int) -> Values:
        origin = self._origin
        return self._means.between(self._series["own"], origin - begin, origin - end)

    def smooth(self, half_life: int) -> Values:
        keep, filled = 0.5 ** (1 / half_life), np.nan_to_num(self._values)
        smooth = lfilter([1 - keep], [1, -keep], filled, axis=1).astype(np.float32)
        return np.nan_to_num(value_at(smooth, self._series["own"], self._origin - 1))

    def share_ever(self) -> Values:
        begin = np.zeros_like(self._origin)
        return self._means.between(self._series["own"], begin, self._origin)

    def ages(self, kind: Kind, whose: Whose, spans: Spans) -> Columns:
        stretches, series = self._stretches[kind], self._series[whose]
        if whose == "own":
            self._own_ages[kind] = age_features(stretches, series, self._origin, spans)
            return self._own_ages[kind]
        # Most levels that rows are compared with have a row of their own.
        row = self._row_of[whose]
        others = np.flatnonzero(row < 0)
        found = age_features(stretches, series[others], self._origin[others], spans)
        columns = {name: self._own_ages[kind][name][row] for name in found}
        for name, column in found.items():
            columns[name][others] = column
        return columns

    def lengths(self, kind: Kind) -> Columns:
        return length_features(self._stretches[kind], self._series["own"], self._origin)

    def periods(self) -> Periods:
        own, origin = self._series["own"], self._origin
        period, strength = periods_at(self._values, own, origin)
        return Periods(
            period=period,
            strength=strength,
            mean=lambda begin, end: self._means.between(own, origin - begin, origin - end),
        )

    def need(self, ago: int) -> Values:
        return value_at(self._need, self._service, self._origin - ago)

    def need_mean(self, width: int) -> Values:
        return self._need_means.between(self._service, self._origin - width, self._origin)

    def greatest_need(self, width: int | None) -> Values:
        if width is None:
            greatest = np.maximum.accumulate(self._need, axis=1)
            return np.nan_to_num(value_at(greatest, self._service, self._origin - 1))
        padded = np.pad(self._need, ((0, 0), (width, 0)))
        running = np.lib.stride_tricks.sliding_window_view(padded, width, axis=1).max(axis=2)
        return np.asarray(running[self._service, self._origin])
