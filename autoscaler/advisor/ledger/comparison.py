"""Both policies side by side over a period, with an interval for what one of them saved."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from autoscaler.advisor.ledger.counted import COLUMNS
from autoscaler.advisor.ledger.table import Sums, Table, differences
from autoscaler.core.types import IntArray

NORMAL_95 = 1.96  # standard deviations of a normal distribution that hold 95 % of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A number with the bounds that hold it in 95 of 100 such periods."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Comparison:
    """Sums of both policies over a period.

    Intervals are value +- 1.96 x sqrt(sum of d^2), over the differences d between the policies in
    blocks: the hours of each service. Where blocks are independent, the variance of the sum of d is
    the sum of their variances, and E[d^2] is the variance of d plus the square of its mean. So the
    sum of squares is right for rare events, whose mean is small beside their deviation (as of a
    Poisson count below one), and too wide, never too narrow, where much the same is saved in every
    hour. A burst within an hour is one block, so it counts as one event; what lasts for hours is
    taken for several.

    The interval is about traffic that might as well have fallen otherwise. It does not hold how
    wrong the twin may be, whose pods of the policy that is not in force are estimated.
    """

    sums: Sums  # (N_ROWS,) as `Table.sums`

    def total(self, column: str) -> float:
        """The sum of one of `COLUMNS`."""
        return float(self.sums[COLUMNS.index(column)])

    @property
    def saved_cold(self) -> Interval:
        """Cold requests of Knative's rule less those of kn-ahead."""
        return self._interval(0)

    @property
    def more_pod_s(self) -> Interval:
        """s of pod of kn-ahead less those of Knative's rule."""
        return self._interval(1)

    @property
    def pod_ratio(self) -> Interval | None:
        """Pod time of kn-ahead for each of Knative's rule; None = that had none.

        Real pods, start-up and drain included, so this is an estimate: the bill is exact in pods
        wanted. The bounds are those of `more_pod_s`, with Knative's pod time taken as it is.
        """
        knative_s, more = self.total("knative_pod_s"), self.more_pod_s
        if knative_s <= 0:
            return None
        ratio, low, high = (1.0 + s / knative_s for s in (more.value, more.low, more.high))
        return Interval(value=ratio, low=max(low, 0.0), high=high)

    def _interval(self, which: int) -> Interval:
        value = float(differences(self.sums)[which])
        half = NORMAL_95 * float(np.sqrt(self.sums[len(COLUMNS) + which]))
        return Interval(value=value, low=value - half, high=value + half)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Compared:
    """n rows: a service in a mode, over a period."""

    services: tuple[str, ...]  # (n,)
    mode: IntArray  # (n,) a `Mode`
    sums: Sums  # (N_ROWS, n)

    @classmethod
    def of(cls, table: Table) -> "Compared":
        """As a table has them."""
        return cls(services=table.services, mode=table.mode, sums=table.sums)

    def together(self, chosen: np.ndarray[Any, Any] | Sequence[int]) -> Comparison:
        """Some rows as one. chosen: (n,) which, or their indices."""
        return Comparison(sums=self.sums[:, chosen].sum(axis=1, dtype=np.float64))
