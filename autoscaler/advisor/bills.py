"""Bills in words: what they allow, what is left, and what real pods came to so far."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from autoscaler.advisor.frame import Frame, RevisionState
from autoscaler.advisor.ledger.comparison import Compared, Comparison, Interval
from autoscaler.advisor.ledger.ledger import Ledger
from autoscaler.advisor.ledger.table import DAY_S, HOUR_S, N_ROWS
from autoscaler.core.state.revision import Mode
from autoscaler.exchange.snapshot import CLUSTER_BILL

DAYS = 7  # over which real pods are compared
NOT_COUNTED = "in real pods nothing was counted yet"
NOT_APPLIED = "no forecast is applied, so nothing is paid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """Of one service."""

    max_extra: float  # most pod time ahead, of what Knative's rule wants, a fraction
    applied: bool  # whether a forecast is applied, and so the bill
    pod_ratio: Interval | None  # as in `Comparison`, while it was applied; None = not counted yet

    @classmethod
    def of(cls, revisions: Sequence[RevisionState], ledger: Ledger) -> "Bill | None":
        """The widest of a service's revisions; None = none of them has one."""
        bills = [one.max_extra for one in revisions if np.isfinite(one.max_extra)]
        if not bills:
            return None
        applied = any(one.mode >= Mode.OUTWARD and not one.withdrawn for one in revisions)
        one, ratio = revisions[0], None
        if applied:
            ratio = _pod_ratio(ledger, one.name.service, one.snapshot.at_s)
        return cls(max_extra=max(bills), applied=applied, pod_ratio=ratio)

    def __str__(self) -> str:
        """In words."""
        said = f"Bill: at most {times(self.max_extra)} times what Knative wants, and an allowance"
        if self.pod_ratio is None:
            return f"{said}; {NOT_COUNTED if self.applied else NOT_APPLIED}."
        ratio = self.pod_ratio
        return (
            f"{said}; in the last {DAYS} days {ratio.value:.2f} times in real pods, with start-up "
            f"and drain (estimate, 95 %: {ratio.low:.2f} to {ratio.high:.2f})."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterBill:
    """Of all revisions together."""

    max_extra: float  # as in `Bill`
    left_s: float  # s of pod that prediction may still cost; below 0 = overdrawn

    @classmethod
    def of(cls, frame: Frame) -> "ClusterBill | None":
        """As the controller noted it; None = there is none."""
        found = frame.note(CLUSTER_BILL, dict, {})
        values = [found.get(name) for name in ("max_extra", "left_s")]
        numbers = [float(v) for v in values if isinstance(v, int | float) and np.isfinite(v)]
        return cls(max_extra=numbers[0], left_s=numbers[1]) if len(numbers) == 2 else None

    def __str__(self) -> str:
        """In words."""
        left = f"{abs(self.left_s):,.0f} s of pod"
        return (
            f"The cluster's bill: at most {times(self.max_extra)} times what Knative wants, for "
            f"all together; {f'{left} are left' if self.left_s >= 0 else f'overdrawn by {left}'}."
        )


def _pod_ratio(ledger: Ledger, service: str, now: float) -> Interval | None:
    """Of the hours of the last days in which kn-ahead was in force. now: Unix s."""
    hour_s, whole = now // HOUR_S * HOUR_S, np.zeros(N_ROWS)
    for table in ledger.days(hour_s - DAYS * DAY_S, now):
        ours = [row for row, name in enumerate(table.services) if name == service]
        rows = [row for row in ours if table.mode[row] >= Mode.OUTWARD]
        whole += Compared.of(table).together(rows).sums
    return Comparison(sums=whole).pod_ratio


def times(max_extra: float) -> str:
    """A bill as a multiple of what Knative wants.

    >>> times(0.2)
    '1.2'
    """
    return f"{1.0 + max_extra:.4g}"
