"""Series by step from samples of counters and gauges, as one or more instances exported them.

PromQL's ``increase()`` extrapolates to the edges of its window: it would turn 7 requests into 7.23
and give a minute without requests some. So raw totals are differenced here, by instance, before
they are added up. A total that falls has restarted from zero. A sample missing between an
instance's first and last is a gap for the service; before and after, the instance does not count.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from autoscaler.core.types import BoolArray, FloatArray, IntArray

Labels = tuple[tuple[str, str], ...]  # all labels of one exported series, sorted
Sample = tuple[IntArray, FloatArray]  # points of the grid, and the values there
Instances = dict[Labels, list[Sample]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """The points ``start_s + i * step_s`` for i < n_points, all in whole seconds."""

    start_s: int
    step_s: int
    n_points: int

    def piece(self, first: int, n_points: int) -> "Grid":
        """n_points of it from point ``first`` on."""
        start_s = self.start_s + first * self.step_s
        return Grid(start_s=start_s, step_s=self.step_s, n_points=n_points)

    def pieces(self, size: int) -> list["Grid"]:
        """All of it, in pieces of so many points; the last one may be shorter.

        >>> [piece.n_points for piece in Grid(start_s=0, step_s=60, n_points=7).pieces(3)]
        [3, 3, 1]
        """
        firsts = range(0, self.n_points, size)
        return [self.piece(first, min(size, self.n_points - first)) for first in firsts]

    @property
    def last_s(self) -> int:
        """Unix s of the last point."""
        return self.start_s + (self.n_points - 1) * self.step_s

    @property
    def window(self) -> str:
        """A step for PromQL, open on its left side in every version: samples lie on whole ms."""
        return f"{self.step_s * 1000 - 1}ms"

    def place(self, at_s: FloatArray) -> IntArray:
        """(k,) the points at times (k,) in Unix s."""
        return np.rint((at_s - self.start_s) / self.step_s).astype(np.int64)


def shown_time(time_s: float) -> str:
    """Unix s for messages."""
    return datetime.fromtimestamp(time_s, UTC).isoformat()


def sample_on(pairs: list[tuple[float, str]], piece: Grid) -> Sample:
    """Points and values of one series.

    Raises ValueError, TypeError, LookupError or OverflowError where it does not lie on the grid.
    """
    times = np.array([pair[0] for pair in pairs], dtype=np.float64)
    values = np.array([pair[1] for pair in pairs], dtype=np.float64)
    if times.ndim != 1 or values.ndim != 1:
        raise ValueError("samples that are no pairs of numbers")
    if not np.isfinite(times).all():
        raise ValueError("times that are no numbers")
    if len(times) and not piece.start_s - 1 < times.min() <= times.max() < piece.last_s + 1:
        raise ValueError("times outside the range that was asked for")
    points = np.rint((times - piece.start_s) / piece.step_s).astype(np.int64)
    if np.abs(times - piece.start_s - points * piece.step_s).max(initial=0.0) > 1e-3:
        raise ValueError(f"times off the grid of {piece.step_s} s")
    if (np.diff(points) <= 0).any():
        raise ValueError("times out of order or twice")
    return points, values


def arrivals_of(instances: dict[Labels, list[Sample]], n_points: int) -> FloatArray:
    """(n_points - 1,) requests a step, over all instances."""
    totals = _matrix(instances, n_points)
    growth = np.diff(totals, axis=1)
    growth = np.where(growth < 0, totals[:, 1:], growth)
    return _sum(growth, _exporting(totals)[:, 1:])


def peak_of(instances: dict[Labels, list[Sample]], n_points: int) -> FloatArray:
    """(n_points - 1,) greatest number in flight a step, over all instances."""
    peaks = _matrix(instances, n_points)
    return _sum(peaks[:, 1:], _exporting(peaks)[:, 1:])


def _matrix(instances: dict[Labels, list[Sample]], n_points: int) -> FloatArray:
    """(n_instances, n_points) values, NaN where there is no sample."""
    matrix = np.full((len(instances), n_points), np.nan)
    for row, samples in zip(matrix, instances.values(), strict=True):
        for points, values in samples:
            row[points] = values
    return matrix


def _exporting(values: FloatArray) -> BoolArray:
    """(n_instances, n_points) from an instance's first sample to its last, gaps included."""
    has = ~np.isnan(values)
    started = np.logical_or.accumulate(has, axis=1)
    not_ended = np.logical_or.accumulate(has[:, ::-1], axis=1)[:, ::-1]
    return np.asarray(started & not_ended)


def _sum(values: FloatArray, exporting: BoolArray) -> FloatArray:
    """Sum over exporting instances: NaN where one has no value, and where none exports."""
    total = np.where(exporting, values, 0.0).sum(axis=0)
    return np.where(exporting.any(axis=0), total, np.nan)
