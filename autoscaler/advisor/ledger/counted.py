"""From the sums of two snapshots to what was counted between them.

Sums begin at zero when the controller or the service begins; they are read as Prometheus reads
counters. What fell began anew, and all of it came since.
"""

from dataclasses import dataclass, fields

import numpy as np

from autoscaler.core.state.account import Account
from autoscaler.core.state.revision import Mode, in_force
from autoscaler.core.types import FloatArray, IntArray
from autoscaler.exchange.snapshot import Snapshot
from autoscaler.limits import COUNT

COLUMNS = tuple(f.name for f in fields(Account))
GAP_S = 120.0  # s without a snapshot after which nobody knows when it was counted: it is left out


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Counted:
    """The sums of one snapshot's k services."""

    at_s: float  # Unix s
    service: IntArray  # (k,) `name_id`
    sums: FloatArray  # (c, k) by `COLUMNS`

    @classmethod
    def of(cls, snapshot: Snapshot) -> "Counted":
        """As the snapshot has them."""
        columns = [snapshot.columns[f"account_{name}"] for name in COLUMNS]
        sums = np.stack(columns)
        return cls(
            at_s=snapshot.at_s,
            service=snapshot.service,
            sums=np.where(sums >= 0.0, sums, np.nan),  # below zero is no sum to go on from
        )

    def seconds_since(self, former: "Counted | None") -> float | None:
        """s from a former one; None = a gap: there is none, or time jumped."""
        seconds = self.at_s - former.at_s if former else -1.0
        return seconds if 0.0 <= seconds <= GAP_S else None

    def since(self, former: "Counted") -> FloatArray:
        """(c, k) what was counted since a former one, which is no gap away.

        A service that was not there has joined since: all of it counts. What cannot have been
        counted (no number, beyond `COUNT`) counts as nothing.
        """
        before = former.sums
        if not np.array_equal(former.service, self.service):
            order = np.argsort(former.service)
            place = np.searchsorted(former.service[order], self.service)
            place = order[np.minimum(place, len(order) - 1)] if len(order) else place * 0
            known = np.isin(self.service, former.service)
            before = np.zeros_like(self.sums)
            before[:, known] = former.sums[:, place[known]]
        with np.errstate(invalid="ignore"):
            began_anew = (self.sums < before).any(axis=0)
            grown = self.sums - np.where(began_anew, 0.0, before)
            possible = (grown >= 0) & (grown <= COUNT.most)
        return np.where(possible, grown, 0.0)


def modes(snapshot: Snapshot) -> IntArray:
    """(k,) the `Mode` in force of services: the farthest of reachable revisions, else of all."""
    columns, n_modes = snapshot.columns, len(Mode)
    mode = in_force(columns["spec_mode"], snapshot.decision.withdrawn)
    rank = mode + n_modes * columns["spec_reachable"]
    highest = np.zeros(len(snapshot.service), dtype=np.int64)
    np.maximum.at(highest, snapshot.service_of, rank)
    return highest % n_modes
