"""Per-second buckets for the whole fleet, averaged exactly as Knative averages them.

Knative keeps a ring of one-second buckets per revision and window. Samples of one second add up; a
delayed sample goes to its own second while that is inside the window; seconds after the last sample
are left out of the divisor while an inner gap counts as zeros; a young series is averaged over its
own age. Like Knative, a running total is kept instead of adding up a ring at every tick.

Source of the rules: knative/serving pkg/autoscaler/aggregation/bucketing.go.
"""

import numpy as np

from autoscaler.core.state.columns import Column
from autoscaler.core.state.rings import Rings, grown, span
from autoscaler.core.types import BoolArray, FloatArray, IntArray

NEVER = -(10**12)  # an impossible second: nothing was written yet
METRICS = 2  # concurrency, requests per second


class Window:
    """One window per row (all stable, or all panic windows), for both metrics."""

    def __init__(self) -> None:
        self._rings = Rings()
        self._values: FloatArray = np.zeros((METRICS, 0))  # (metrics, slots)
        self._totals = Column(np.float64, (METRICS,))
        self._firsts, self._lasts = Column(np.int64), Column(np.int64)

    @property
    def _total(self) -> FloatArray:
        """(metrics, n_rows) sum over the ring."""
        return self._totals.values

    @property
    def _first(self) -> IntArray:
        """(n_rows,) second of the first write."""
        return self._firsts.values

    @property
    def _last(self) -> IntArray:
        """(n_rows,) second of the last write."""
        return self._lasts.values

    @property
    def nbytes(self) -> int:
        """Memory held, bytes."""
        columns = (self._totals, self._firsts, self._lasts)
        return self._values.nbytes + self._rings.nbytes + sum(c.nbytes for c in columns)

    def append(self, lengths_s: IntArray) -> None:
        """Add rows at the end, with windows of ``lengths_s`` (n,) whole seconds."""
        self._rings.append(lengths_s)
        self._values = grown(self._values, self._rings.end)
        never = np.full(len(lengths_s), NEVER)
        self._totals.append(np.zeros((METRICS, len(lengths_s))))
        self._firsts.append(never)
        self._lasts.append(never)

    def remove(self, row: int) -> None:
        """Remove a row; the last row takes its place."""
        for column in (self._rings, self._totals, self._firsts, self._lasts):
            column.remove(row)
        self._compact()

    def resize(self, row: int, length_s: int) -> None:
        """Change a row's length; the newest seconds that fit stay."""
        old = int(self._rings.size[row])
        if old == length_s:
            return
        rows, last = np.array([row]), self._last[row : row + 1]
        newest = self._values[:, self._rings.runs(rows, last, np.array([min(old, length_s)]))]
        self._rings.resize(row, length_s)
        self._values = grown(self._values, self._rings.end)
        self._values[:, self._rings.runs(rows, last, np.array([newest.shape[1]]))] = newest
        self._total[:, row] = newest.sum(axis=1)
        if self._last[row] != NEVER:
            self._first[row] = self._last[row] - (old - 1)
        self._compact()

    def _compact(self) -> None:
        if self._rings.wasteful():
            self._values = np.ascontiguousarray(self._values[:, self._rings.compact()])

    def record(self, rows: IntArray, seconds: IntArray, samples: FloatArray) -> None:
        """Add one sample per row; a row may appear once a call.

        rows: (n,); seconds: (n,) whole Unix s of each sample; samples: (metrics, n).
        """
        gap = seconds - self._last[rows]
        size = self._rings.size[rows]
        inside = gap > -size
        if not inside.all():
            rows, seconds, samples = rows[inside], seconds[inside], samples[:, inside]
            gap, size = gap[inside], size[inside]
        self._advance(rows, seconds, gap, size)
        self._first[rows] = np.minimum(self._first[rows], seconds)
        slots = self._rings.slots(rows, seconds)
        self._values[:, slots] += samples
        self._total[:, rows] += samples

    def _advance(self, rows: IntArray, seconds: IntArray, gap: IntArray, size: IntArray) -> None:
        """Turn the rings to newer seconds, emptying what falls out of the window."""
        newer = gap > 0
        if not newer.all():
            rows, seconds, gap, size = rows[newer], seconds[newer], gap[newer], size[newer]
        stale = np.minimum(gap, size)
        if stale.max(initial=1) == 1:  # every second has its sample: one slot each
            slots = self._rings.slots(rows, seconds)
            self._total[:, rows] -= self._values[:, slots]
        else:
            slots = self._rings.runs(rows, seconds, stale)
            self._total[:, rows] -= self._sums(self._values[:, slots], stale)
        self._values[:, slots] = 0.0
        emptied = gap >= size
        if emptied.any():
            self._total[:, rows[emptied]] = 0.0  # exactly: without the rounding of the total so far
            self._first[rows[emptied]] = seconds[emptied]
        self._last[rows] = seconds

    @staticmethod
    def _sums(values: FloatArray, length: IntArray) -> FloatArray:
        """Sum runs of ``length[i]`` values along the last axis; every run holds at least one."""
        return np.add.reduceat(values, np.cumsum(length) - length, axis=-1)

    def empty(self, rows: IntArray | slice, second: IntArray) -> BoolArray:
        """(n,) whether nothing was written within the window up to ``second``."""
        return np.asarray(second - self._last[rows] > self._rings.size[rows], dtype=np.bool_)

    def average(self, rows: IntArray | slice, second: IntArray, metric: IntArray) -> FloatArray:
        """(n,) linear average at whole Unix ``second`` (n,) of each row's ``metric`` (n,)."""
        last, size = self._last[rows], self._rings.size[rows]
        missing = np.maximum(second - last, 0)
        divisor = np.minimum(last - self._first[rows] + 1, size - missing)
        total = self._total_without(missing, size, rows, second, metric)
        return round6(total / np.maximum(divisor, 1))

    def total(self, rows: IntArray | slice, second: IntArray, metric: IntArray) -> FloatArray:
        """(n,) sum over the window up to ``second``."""
        size = self._rings.size[rows]
        missing = np.maximum(second - self._last[rows], 0)
        return self._total_without(missing, size, rows, second, metric)

    def _total_without(
        self,
        missing: IntArray,
        size: IntArray,
        rows: IntArray | slice,
        second: IntArray,
        metric: IntArray,
    ) -> FloatArray:
        """As `total`. missing: (n,) seconds since the last sample; size: (n,) of the windows."""
        total = np.array(self._total[0, rows])
        if metric.any():
            total = np.where(metric == 0, total, self._total[1, rows])
        partly = (missing > 0) & (missing < size)
        if partly.any():
            which = np.flatnonzero(partly)
            row = np.arange(len(self._last))[rows][which]
            slots = self._rings.runs(row, second[which], missing[which])
            column = np.repeat(metric[which], missing[which])
            total[which] -= self._sums(self._values[column, slots], missing[which])
        return np.where(missing < size, total, 0.0)

    def pass_zeros(self, rows: IntArray, second: int) -> None:
        """As if zeros had been recorded for each second up to this one, and only zeros fell out."""
        self._last[rows] = second

    def samples(self, rows: IntArray) -> tuple[IntArray, IntArray]:
        """Samples other than zero: (k,) positions among the rows, ascending, and (k,) seconds."""
        start, size = self._rings.start[rows], self._rings.size[rows]
        values = self._values[:, span(start, size)]
        found = np.flatnonzero((values[0] != 0.0) | (values[1] != 0.0))
        begin = np.cumsum(size) - size
        position = np.searchsorted(begin, found, side="right") - 1
        size, last = size[position], self._last[rows[position]]
        return position, last - (last - (found - begin[position])) % size

    def bounds(
        self, rows: IntArray, second: IntArray, metric: IntArray, reported: BoolArray
    ) -> FloatArray:
        """(2, n) between which averages stay until the next change, if only zeros are recorded.

        reported: (n,) whether each second is; else nothing is recorded. The rest as in `average`.
        """
        last, size = self._last[rows], self._rings.size[rows]
        missing = np.maximum(second - last, 0)
        total = self._total_without(missing, size, rows, second, metric)
        # With zeros the divisor only grows; without, it may shrink.
        least = np.where(reported, np.clip(last - self._first[rows] + 1, 1, size), 1)
        return np.stack([round6(total / size), round6(total / least)])

    def span(self, rows: IntArray) -> tuple[IntArray, IntArray]:
        """(n,) seconds of the first and the last sample; `NEVER` where there is none."""
        return self._first[rows], self._last[rows]

    def since(self, second: int) -> IntArray:
        """(k,) rows with a sample of that second or a later one."""
        return np.flatnonzero(self._last >= second)

    def at(self, rows: IntArray, second: IntArray) -> FloatArray:
        """(metrics, n) what was recorded for one second; 0 outside the window."""
        age = self._last[rows] - second
        inside = (age >= 0) & (age < self._rings.size[rows]) & (second >= self._first[rows])
        return np.where(inside, self._values[:, self._rings.slots(rows, second)], 0.0)

    def exponential(self, rows: IntArray, second: IntArray, metric: IntArray) -> FloatArray:
        """(n,) exponentially weighted average, newest first, neither normalised nor rounded."""
        size = self._rings.size[rows]
        missing = np.clip(second - self._last[rows], 0, size)
        smoothing = np.maximum(1.0 - (1.0 - 0.9999) ** (1.0 / size), 0.2)
        length = size - missing
        ages = span(missing, length)
        slots = self._rings.runs(rows, self._last[rows], length)
        k = np.repeat(smoothing, length)
        weighted = self._values[np.repeat(metric, length), slots] * k * (1.0 - k) ** ages
        some = length > 0
        result = np.zeros(len(rows))
        if some.any():
            result[some] = self._sums(weighted, length[some])
        return np.where(self.empty(rows, second), 0.0, result)


def round6(x: FloatArray) -> FloatArray:
    """Round half away from zero at six decimals, as Go's math.Round does."""
    scaled = x * 1e6
    # The greatest float below a half: 0.5 itself would carry 0.49999999999999994 up to one.
    return np.asarray(np.trunc(scaled + np.copysign(0.49999999999999994, scaled)) / 1e6)
