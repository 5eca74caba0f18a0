"""Which services' forecasts are withdrawn: the hours of the ledger, as evidence, one after another.

Nothing of it is kept on disk: after a restart the hours that the ledger still keeps apart are read
again, as if everything had been in force before them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime

import numpy as np

from autoscaler.advisor.ledger.counted import COLUMNS
from autoscaler.advisor.ledger.table import HOUR_S, Table
from autoscaler.advisor.withdrawal.evidence import Evidence, Hour
from autoscaler.core.state.revision import Mode
from autoscaler.core.types import FloatArray

_TIME = "%Y-%m-%d %H:%M UTC"
DAYS_FROM_H = 48  # h from which on days are said


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """Of one service: since when its forecast is withdrawn, and what showed that it loses."""

    since_s: float  # Unix s
    shown_s: float  # s before that, in which this was counted:
    saved: float  # requests that pods sufficed for; below 0 = more that they did not
    more_pod_s: float  # s of pod

    @property
    def sentence(self) -> str:
        """For people."""
        many, pod_h = round(self.saved), self.more_pod_s / HOUR_S
        requests = "request" if abs(many) == 1 else "requests"
        waits = f"spared {many or 'no'} {requests} a wait"
        if many < 0:
            waits = f"let {-many} more {requests} wait"
        return (
            f"Its forecast is withdrawn since {datetime.fromtimestamp(self.since_s, UTC):{_TIME}}: "
            f"in the {_length(self.shown_s)} before, it took {abs(pod_h):,.1f} pod-hours "
            f"{'more' if pod_h >= 0 else 'fewer'} than Knative alone and {waits}. "
            "It is still compared, and comes back once it would pay."
        )


class Withdrawals:
    """Follows the hours of a ledger. One thread hands them over; others may read ``by_service``."""

    def __init__(self) -> None:
        self.by_service: Mapping[str, Withdrawal] = {}  # replaced, never changed
        self._rows: dict[str, int] = {}
        self._evidence = Evidence.none(0)

    def take(self, table: Table, prices_s: Mapping[str, float]) -> None:
        """Look at one more hour that is over.

        prices_s: s of pod that a cold request is worth, by service; others are left as they are.
        """
        self._make_room_for(table)
        before, hour = self._evidence, self._hour(table, prices_s)
        self._evidence = after = before.after(hour)
        changed = np.flatnonzero(after.withdrawn != before.withdrawn).tolist()
        if not changed:
            return
        names, present = tuple(self._rows), dict(self.by_service)
        for row in changed:
            if after.withdrawn[row]:
                hours, saved, more_pod_s = after.run[:, row].tolist()
                present[names[row]] = Withdrawal(
                    since_s=table.start_s + HOUR_S,
                    shown_s=hours * HOUR_S,
                    saved=saved,
                    more_pod_s=more_pod_s,
                )
            else:
                del present[names[row]]
        self.by_service = present

    def forget(self) -> None:
        """Another replica leads: the hours that it wrote are looked at when this one does again."""
        self.by_service, self._rows, self._evidence = {}, {}, Evidence.none(0)

    def _make_room_for(self, table: Table) -> None:
        known = len(self._rows)
        for service in table.services:
            self._rows.setdefault(service, len(self._rows))
        self._evidence = self._evidence.joined(Evidence.none(len(self._rows) - known))

    def _hour(self, table: Table, prices_s: Mapping[str, float]) -> Hour:
        """What it held of each row; where nothing was counted, and in mode off, nothing."""
        sums = np.zeros((len(COLUMNS), len(self._rows)))
        some = np.flatnonzero(table.mode != Mode.OFF)
        rows = np.array([self._rows[table.services[i]] for i in some.tolist()], dtype=np.int64)
        for of_all, counted in zip(sums, table.sums[: len(COLUMNS), some], strict=True):
            np.add.at(of_all, rows, counted)
        price_s = np.array([prices_s.get(service, np.nan) for service in self._rows])
        sums[:, np.isnan(price_s)] = 0.0
        columns: dict[str, FloatArray] = dict(zip(COLUMNS, sums, strict=True))
        names = [f.name for f in fields(Hour) if f.name != "price_s"]
        return Hour(price_s=np.nan_to_num(price_s), **{name: columns[name] for name in names})


def _length(seconds: float) -> str:
    hours = round(seconds / HOUR_S)
    if hours >= DAYS_FROM_H:
        return f"{hours / 24:.0f} days"
    return "hour" if hours == 1 else f"{hours} hours"
