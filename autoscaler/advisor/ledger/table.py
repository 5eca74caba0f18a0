"""What a period held: sums of both policies, a row for each service and mode it was in.

Beside the sums there are sums of squares, over hours, of what the policies differ by: from them the
interval of a saving is known of any period, though its hours are not kept (`comparison`).
"""

from collections.abc import Sequence
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


def merged(tables: Sequence[Table], *, start_s: float, length_s: float) -> Table:
    """One table over several that lie within a longer period."""
    rows: dict[tuple[str, int], int] = {}
    places = [
        np.array(
            [
                rows.setdefault(key, len(rows))
                for key in zip(table.services, table.mode.tolist(), strict=True)
            ],
            dtype=np.int64,
        )
        for table in tables
    ]
    sums = np.zeros((N_ROWS, len(rows)))
    for table, place in zip(tables, places, strict=True):
        sums[:, place] += table.sums
    return Table(
        start_s=start_s,
        length_s=length_s,
        covered_s=sum(table.covered_s for table in tables),
        services=tuple(service for service, _ in rows),
        mode=np.array([mode for _, mode in rows], dtype=np.int64),
        sums=sums,
    )
