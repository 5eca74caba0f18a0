"""Features of pod levels: one row per (service, pod level, origin).

Every feature is known at its origin, is in steps, and is relative to the level (has it been needed?
for how long not? what of the service's other levels?), so that what is learned on some services
holds for others of any size. All rows are computed in one pass over arrays.
"""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter

from autoscaler.core.types import FloatArray, IntArray
from learner.models.gaps import Columns, Stretches, age_features, length_features, stretches_of
from learner.models.levels import LEVELS
from learner.models.periods import periods_at
from learner.models.rows import LevelRows
from learner.models.series import RunningMean, value_at

LAGS = (1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 60, 120)
MEANS = (2, 3, 5, 10, 15, 30, 60, 120, 240)
PERIODS = (5, 10, 15, 20, 30, 60)
HALF_LIVES = (2, 10, 60, 360)
CLOCK_S = (300, 600, 900, 1800, 3600, 86_400)  # common periods of timers

Values = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelFeatures:
    """Columns by name, in one array."""

    names: tuple[str, ...]  # (n_features,)
    values: Values  # (n_rows, n_features); NaN = not known

    def __getitem__(self, name: str) -> Values:
        """(n_rows,) one column."""
        return np.asarray(self.values[:, self.names.index(name)])

    def __len__(self) -> int:
        return len(self.values)

    def beside(self, columns: Columns) -> "LevelFeatures":
        """With further columns."""
        return LevelFeatures(
            names=(*self.names, *columns),
            values=np.column_stack([self.values, *columns.values()]).astype(np.float32),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Series:
    """The series of the levels that the rows ask for, and of the levels they are compared with."""

    values: Values  # (n_series, n_steps) 1 = needed, 0 = not, NaN = gap
    stretches: dict[str, Stretches]
    own: IntArray  # (n_rows,) each row's series
    below: IntArray  # (n_rows,) the series of the level below it; the first level's is its own
    lowest: IntArray  # (n_rows,) the series of the service's first level


def level_features(
    need: FloatArray, rows: LevelRows, windows: tuple[int, ...], *, start_s: float, step_s: float
) -> LevelFeatures:
    """Features of each row.

    need: (n, n_steps) pods, NaN = gap. windows: edges in steps after the origin.
    """
    asked, service = np.unique(rows.service, return_inverse=True)
    need, rows = need[asked], replace(rows, service=service)
    series = _series(need, rows)
    spans = list(pairwise(windows))
    columns = {
        **_recent(series.values, series.own, rows.origin),
        **_gap_columns(series, rows.origin, spans),
        **_period_columns(series, rows.origin, spans),
        **_level_columns(need, rows),
        **_clock_columns(rows.origin, start_s, step_s),
    }
    return LevelFeatures(names=tuple(columns), values=np.column_stack(list(columns.values())))


def _series(need: FloatArray, rows: LevelRows) -> _Series:
    """Build each level's series once, however many rows ask for it."""
    width = int(rows.cell.max(initial=0)) + 1
    base = rows.service * width
    own, below = base + rows.cell, base + np.maximum(rows.cell - 1, 0)
    wanted = np.unique(np.concatenate([own, below, base]))
    service, cell = np.divmod(wanted, width)
    with np.errstate(invalid="ignore"):
        active = need[service] >= LEVELS[cell][:, None]
    known = ~np.isnan(need[service])
    return _Series(
        values=np.where(known, active, np.nan).astype(np.float32),
        stretches=stretches_of(active, known),
        own=np.searchsorted(wanted, own),
        below=np.searchsorted(wanted, below),
        lowest=np.searchsorted(wanted, base),
    )


def _recent(values: Values, own: IntArray, origin: IntArray) -> Columns:
    columns = {f"lag_{lag}": value_at(values, own, origin - lag) for lag in LAGS}
    means = RunningMean(values)
    for width in MEANS:
        columns[f"mean_{width}"] = means.between(own, origin - width, origin)
    for period in PERIODS:
        near = means.between(own, origin - period - 1, origin - period + 2)
        columns[f"around_{period}_ago"] = np.where(np.isnan(near), near, near > 0)
    filled = np.nan_to_num(values)
    for half_life in HALF_LIVES:
        keep = 0.5 ** (1 / half_life)
        smooth = lfilter([1 - keep], [1, -keep], filled, axis=1).astype(np.float32)
        columns[f"smooth_{half_life}"] = np.nan_to_num(value_at(smooth, own, origin - 1))
    columns["share_ever"] = means.between(own, np.zeros_like(origin), origin)
    return columns


def _gap_columns(series: _Series, origin: IntArray, spans: list[tuple[int, int]]) -> Columns:
    columns: Columns = {}
    for kind, stretches in series.stretches.items():
        ages = age_features(stretches, series.own, origin, [*spans, (0, 2)])
        lengths = length_features(stretches, series.own, origin)
        to_median = ages["age"] / np.maximum(lengths["median"], 1)
        lengths["age_to_median"] = to_median.astype(np.float32)
        columns |= {f"{kind}_{name}": column for name, column in (ages | lengths).items()}
    for whose, index in (("lowest", series.lowest), ("below", series.below)):
        for kind in ("idle", "cycle"):
            ages = age_features(series.stretches[kind], index, origin, spans[:1])
            columns |= {f"{whose}_{kind}_{name}": column for name, column in ages.items()}
    return columns


def _period_columns(series: _Series, origin: IntArray, spans: list[tuple[int, int]]) -> Columns:
    period, strength = periods_at(series.values, series.own, origin)
    means = RunningMean(series.values)
    columns: Columns = {
        "period": np.where(period > 0, period, np.nan).astype(np.float32),
        "period_strength": strength,
    }
    for begin, end in spans:
        for times in (1, 2):
            back = times * period
            share = means.between(
                series.own, origin + begin - back, np.minimum(origin + end - back, origin)
            )
            columns[f"period_{times}_{begin}_{end}"] = np.where(period > 0, share, np.nan)
    near = means.between(series.own, origin - period - 1, np.minimum(origin - period + 2, origin))
    columns["period_around"] = np.where(period > 0, near, np.nan)
    return columns


def _level_columns(need: FloatArray, rows: LevelRows) -> Columns:
    """The level relative to the need of the whole service."""
    level = LEVELS[rows.cell].astype(np.float32)
    filled = np.nan_to_num(need).astype(np.float32)
    columns: Columns = {"level": level}
    for lag in (1, 2, 3):
        columns[f"need_{lag}"] = value_at(filled, rows.service, rows.origin - lag) / level
    columns["above_need"] = value_at(filled, rows.service, rows.origin - 1) - level
    for width in (5, 60):
        columns[f"greatest_{width}"] = _greatest(filled, rows, width) / level
    greatest = np.maximum.accumulate(filled, axis=1)
    columns["greatest_ever"] = (
        np.nan_to_num(value_at(greatest, rows.service, rows.origin - 1)) / level
    )
    means = RunningMean(need.astype(np.float32))
    for width in (5, 30):
        mean = means.between(rows.service, rows.origin - width, rows.origin)
        columns[f"need_mean_{width}"] = mean / level
    columns["history"] = rows.origin.astype(np.float32)
    return columns


def _greatest(filled: Values, rows: LevelRows, width: int) -> Values:
    """Greatest need of the last ``width`` steps before each origin."""
    padded = np.pad(filled, ((0, 0), (width, 0)))
    running = np.lib.stride_tricks.sliding_window_view(padded, width, axis=1).max(axis=2)
    return np.asarray(running[rows.service, rows.origin])


def _clock_columns(origin: IntArray, start_s: float, step_s: float) -> Columns:
    """Minutes into the hour, the quarter of an hour, the day; NaN where steps do not fit evenly."""
    now_s = start_s + origin * step_s
    columns: Columns = {}
    for period_s in CLOCK_S:
        fits = period_s > step_s and period_s % step_s == 0
        phase = (now_s % period_s) / 60 if fits else np.full(len(origin), np.nan)
        columns[f"clock_{period_s}"] = phase.astype(np.float32)
    return columns
