"""The columns of features, from what is known of each row at its origin.

`features` knows it from whole series, for fits and backtests at any origin; `learner.state` carries
it from step to step, for the newest origin. Both answer `Past`; names, order and arithmetic of the
columns are here alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from autoscaler.core.types import FloatArray, IntArray
from learner.models.gaps import KINDS, Columns, Kind

LAGS = (1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 60, 120)
MEANS = (2, 3, 5, 10, 15, 30, 60, 120, 240)
PERIODS = (5, 10, 15, 20, 30, 60)
HALF_LIVES = (2, 10, 60, 360)
GREATEST = (5, 60)
CLOCK_S = (300, 600, 900, 1800, 3600, 86_400)  # common periods of timers
SEASONS_S = {"day": 86_400, "week": 604_800}
LONGEST_SEASON = 10_080  # steps: seasons longer than a week of minutes have no columns

Values = npt.NDArray[np.float32]
Spans = list[tuple[int, int]]  # windows in steps after the origin, [from, to)
Whose = Literal["own", "below", "lowest"]  # the level, the one below it, the service's first one


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelFeatures:
    """Columns by name, in one array."""

    names: tuple[str, ...]  # (n_features,)
    values: Values  # (n_rows, n_features); NaN = not known

    @classmethod
    def of(cls, columns: Columns) -> "LevelFeatures":
        """Of columns (n_rows,) each, in their order."""
        return cls(names=tuple(columns), values=np.column_stack(list(columns.values())))

    def __getitem__(self, name: str) -> Values:
        """(n_rows,) one column."""
        return np.asarray(self.values[:, self.names.index(name)])

    def __len__(self) -> int:
        return len(self.values)

    def only(self, names: tuple[str, ...]) -> "LevelFeatures":
        """Some columns, in the order asked for. Raises ValueError for one that there is not."""
        if names == self.names:
            return self
        place = [self.names.index(name) for name in names]
        return LevelFeatures(names=names, values=self.values[:, place])

    def among(self, names: tuple[str, ...]) -> "LevelFeatures":
        """As columns among others, which are not known. Raises ValueError as `only` does."""
        place = [names.index(name) for name in self.names]
        values = np.full((len(self), len(names)), np.nan, dtype=np.float32)
        values[:, place] = self.values
        return LevelFeatures(names=names, values=values)

    def beside(self, columns: Columns) -> "LevelFeatures":
        """With further columns."""
        return LevelFeatures(
            names=(*self.names, *columns),
            values=np.column_stack([self.values, *columns.values()]).astype(np.float32),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Periods:
    """The period of each row's series, and how it went on."""

    period: IntArray  # (n_rows,) steps; 0 = none
    strength: Values  # (n_rows,) correlation at that lag
    mean: Callable[[IntArray, IntArray], Values]
    """Mean of the known values from so many steps before the origin until so many before it,
    (n_rows,) each; any value where a row has no period, NaN where nothing is known."""


class Past(Protocol):
    """What is known at each row's origin; every array is (n_rows,), NaN where nothing is known."""

    level: Values  # pods
    history: Values  # steps of the past
    now_s: FloatArray  # Unix s of the origin

    def value(self, ago: int) -> Values:
        """Whether the level was needed in the step so long before the origin: 1 or 0."""
        ...

    def mean(self, begin: int, end: int) -> Values:
        """Mean of the known values from ``begin`` steps before the origin until ``end`` before."""
        ...

    def smooth(self, half_life: int) -> Values:
        """Exponential average of the values, gaps counted as 0."""
        ...

    def share_ever(self) -> Values:
        """Mean of all known values."""
        ...

    def ages(self, kind: Kind, whose: Whose, spans: Spans) -> Columns:
        """`learner.models.gaps.age_columns` of a level's stretches."""
        ...

    def lengths(self, kind: Kind) -> Columns:
        """`learner.models.gaps.length_columns` of the level's stretches."""
        ...

    def periods(self) -> Periods:
        """The periods known at the last refresh."""
        ...

    def need(self, ago: int) -> Values:
        """Pods that the service needed so long before the origin; 0 in a gap."""
        ...

    def need_mean(self, width: int) -> Values:
        """Mean of the pods that the service needed in so many steps before the origin."""
        ...

    def greatest_need(self, width: int | None) -> Values:
        """Most pods that the service needed in so many steps before the origin; None = ever."""
        ...


def feature_columns(past: Past, windows: tuple[int, ...], step_s: float) -> LevelFeatures:
    """All features, in order. windows: edges in steps after the origin."""
    spans = list(pairwise(windows))
    return LevelFeatures.of(
        {
            **_recent(past),
            **_gap_columns(past, spans),
            **_period_columns(past.periods(), spans),
            **_season_columns(past, spans, step_s),
            **_level_columns(past),
            **_clock_columns(past.now_s, step_s),
        }
    )


def _recent(past: Past) -> Columns:
    columns = {f"lag_{lag}": past.value(lag) for lag in LAGS}
    for width in MEANS:
        columns[f"mean_{width}"] = past.mean(width, 0)
    for period in PERIODS:
        near = past.mean(period + 1, period - 2)
        columns[f"around_{period}_ago"] = np.where(np.isnan(near), near, near > 0)
    for half_life in HALF_LIVES:
        columns[f"smooth_{half_life}"] = past.smooth(half_life)
    columns["share_ever"] = past.share_ever()
    return columns


def _gap_columns(past: Past, spans: Spans) -> Columns:
    columns: Columns = {}
    for kind in KINDS:
        ages, lengths = past.ages(kind, "own", [*spans, (0, 2)]), past.lengths(kind)
        to_median = ages["age"] / np.maximum(lengths["median"], 1)
        lengths["age_to_median"] = to_median.astype(np.float32)
        columns |= {f"{kind}_{name}": column for name, column in (ages | lengths).items()}
    others: tuple[Whose, ...] = ("lowest", "below")
    kinds: tuple[Kind, ...] = ("idle", "cycle")
    for whose in others:
        for kind in kinds:
            ages = past.ages(kind, whose, spans[:1])
            columns |= {f"{whose}_{kind}_{name}": column for name, column in ages.items()}
    return columns


def _period_columns(periods: Periods, spans: Spans) -> Columns:
    period, found = periods.period, periods.period > 0
    columns: Columns = {
        "period": np.where(found, period, np.nan).astype(np.float32),
        "period_strength": periods.strength,
    }
    for begin, end in spans:
        for times in (1, 2):
            back = times * period
            share = periods.mean(back - begin, np.maximum(back - end, 0))
            columns[f"period_{times}_{begin}_{end}"] = np.where(found, share, np.nan)
    near = periods.mean(period + 1, np.maximum(period - 2, 0))
    columns["period_around"] = np.where(found, near, np.nan)
    return columns


def _season_columns(past: Past, spans: Spans, step_s: float) -> Columns:
    """What came a day and a week ago in each window; NaN where steps do not fit evenly."""
    unknown = np.full_like(past.level, np.nan)
    columns: Columns = {}
    for name, season_s in SEASONS_S.items():
        steps = int(season_s // step_s)
        fits = season_s % step_s == 0 and spans[-1][1] < steps <= LONGEST_SEASON
        for begin, end in spans:
            share = past.mean(steps - begin, steps - end) if fits else unknown
            columns[f"{name}_{begin}_{end}"] = share
    return columns


def is_of_season(name: str) -> bool:
    """Whether a column is one of what came a day or a week ago."""
    return name.startswith(tuple(f"{season}_" for season in SEASONS_S))


def _level_columns(past: Past) -> Columns:
    """The level relative to the need of the whole service."""
    level = past.level
    columns: Columns = {"level": level}
    for lag in (1, 2, 3):
        columns[f"need_{lag}"] = past.need(lag) / level
    columns["above_need"] = past.need(1) - level
    for width in GREATEST:
        columns[f"greatest_{width}"] = past.greatest_need(width) / level
    columns["greatest_ever"] = past.greatest_need(None) / level
    for width in (5, 30):
        columns[f"need_mean_{width}"] = past.need_mean(width) / level
    columns["history"] = past.history
    return columns


def _clock_columns(now_s: FloatArray, step_s: float) -> Columns:
    """Minutes into the hour, the quarter of an hour, the day; NaN where steps do not fit evenly."""
    columns: Columns = {}
    for period_s in CLOCK_S:
        fits = period_s > step_s and period_s % step_s == 0
        phase = (now_s % period_s) / 60 if fits else np.full(len(now_s), np.nan)
        columns[f"clock_{period_s}"] = phase.astype(np.float32)
    return columns
