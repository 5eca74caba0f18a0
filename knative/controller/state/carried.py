"""What was counted of revisions and services, carried over a restart of the controller.

Objects say what the cluster has; what bills still pay for, how cases of early pods ended, and which
requests come together is known from what happened alone. It is in every snapshot, by `name_id`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autoscaler.core.names import name_id
from autoscaler.core.state.fleet import Fleet
from autoscaler.core.types import FloatArray, IntArray
from autoscaler.exchange.snapshot import EARLY, WAITS

Counts = dict[int, list[float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """By `name_id`, until a revision or a service of that name is seen."""

    credit_s: Counts = field(default_factory=dict)  # s of pod that a revision's bill pays for
    early: Counts = field(default_factory=dict)  # `EARLY` of a revision
    waits: Counts = field(default_factory=dict)  # `WAITS` of a service
    cluster_s: float = np.inf  # s of pod that the cluster's bill pays for; inf = it had none

    @classmethod
    def of(cls, fleet: Fleet) -> "Carried":
        """All that a fleet has."""
        services, bill = fleet.services, fleet.cluster_credit
        return cls(
            credit_s=_counts(fleet.ids, [fleet.credit.left_s]),
            early=_counts(fleet.ids, [getattr(fleet.early, name) for name in EARLY]),
            waits=_counts(services.calls.id, [getattr(services.waits.view, n) for n in WAITS]),
            cluster_s=bill.left_s if np.isfinite(bill.max_extra) else np.inf,
        )

    @classmethod
    def shown(
        cls, columns: Mapping[str, Any], revision: IntArray, service: IntArray, cluster_s: float
    ) -> "Carried":
        """What a snapshot has. revision, service: (n,), (k,) `name_id`, in whose order it is."""
        return cls(
            credit_s=_counts(revision, [columns["credit_left_s"]]),
            early=_counts(revision, [columns[f"early_{name}"] for name in EARLY]),
            waits=_counts(service, [columns[f"waits_{name}"] for name in WAITS]),
            cluster_s=cluster_s,
        )

    def give(self, fleet: Fleet, key: str) -> None:
        """Let a revision that has just been added, and its service, go on with their counts."""
        row = fleet.row(key)
        if left_s := self.credit_s.pop(name_id(key), None):
            fleet.credit.left_s[row] = min(fleet.credit.left_s[row], left_s[0])
        for name, value in zip(EARLY, self.early.pop(name_id(key), ()), strict=False):
            getattr(fleet.early, name)[row] = value
        service = int(fleet.service[row])
        counts = self.waits.pop(int(fleet.services.calls.id[service]), ())
        for name, value in zip(WAITS, counts, strict=False):
            getattr(fleet.services.waits.view, name)[service] = value


def _counts(ids: IntArray, columns: Sequence[FloatArray]) -> Counts:
    """Those of each that are finite."""
    values = np.stack(columns, axis=1)
    known = np.isfinite(values).all(axis=1)
    return dict(zip(ids[known].tolist(), values[known].tolist(), strict=True))
