"""What a period held: sums of both policies, a row for each service and mode it was in.

Beside the sums there are sums of squares, over hours, of what the policies differ by: from them the
interval of a saving is known of any period, though its hours are not kept (`comparison`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from autoscaler.advisor.ledger.counted import COLUMNS
from autoscaler.core.types import FloatArray, IntArray

HOUR_S, DAY_S = 3600.0, 86_400.0

# What is saved, or paid for it: the first less the second.
DIFFERENCES = (("knative_cold", "ahead_cold"), ("ahead_pod_s", "knative_pod_s"))
N_ROWS = len(COLUMNS) + len(DIFFERENCES)

_FIRST, _SECOND = np.array(
    [[COLUMNS.index(name) for name in pair] for pair in DIFFERENCES], dtype=np.int64
).T

Sums = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table:
    """n rows; a service and a mode are in no two of them."""

    start_s: float  # Unix s
    length_s: float
    covered_s: float  # of the length: how much of it snapshots tell of
    services: tuple[str, ...]  # (n,) "namespace/service"
    mode: IntArray  # (n,) a `Mode`
    sums: Sums  # (N_ROWS, n): by `COLUMNS`, then squares of `DIFFERENCES`, added up over hours

    @property
    def end_s(self) -> float:
        """Unix s."""
        return self.start_s + self.length_s


def differences(sums: Sums) -> Sums:
    """(2, ...) `DIFFERENCES` of sums by `COLUMNS`."""
    return np.asarray(sums[_FIRST] - sums[_SECOND])


def with_squares(sums: FloatArray) -> FloatArray:
    """(N_ROWS, n) of one hour's (c, n) sums."""
    return np.concatenate([sums, differences(sums) ** 2])


def merged(tables: Iterable[Table], *, start_s: float, length_s: float) -> Table:
    """One table over several that lie within a longer period; each is read once, in its turn."""
    whole = Merging()
    for table in tables:
        whole.add(table)
    return whole.table(start_s, length_s)


class Merging:
    """Adds tables up, one at a time: a year of them would not fit into memory."""

    def __init__(self) -> None:
        self.covered_s = 0.0
        self._rows: dict[tuple[str, int], int] = {}
        self._sums = np.zeros((N_ROWS, 0))
        self._last: Table | None = None
        self._place: IntArray = np.zeros(0, dtype=np.int64)  # of its rows

    def add(self, table: Table) -> None:
        """Add one more."""
        last = self._last
        if not (last and last.services == table.services and np.array_equal(last.mode, table.mode)):
            self._last, self._place = table, self._places(table)
        self._sums[:, self._place] += table.sums
        self.covered_s += table.covered_s

    def _places(self, table: Table) -> IntArray:
        rows = self._rows
        keys = zip(table.services, table.mode.tolist(), strict=True)
        place = np.array([rows.setdefault(key, len(rows)) for key in keys], dtype=np.int64)
        self._sums = np.pad(self._sums, ((0, 0), (0, len(rows) - self._sums.shape[1])))
        return place

    def table(self, start_s: float, length_s: float) -> Table:
        """All of them as one."""
        return Table(
            start_s=start_s,
            length_s=length_s,
            covered_s=self.covered_s,
            services=tuple(service for service, _ in self._rows),
            mode=np.array([mode for _, mode in self._rows], dtype=np.int64),
            sums=self._sums,
        )
