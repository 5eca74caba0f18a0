"""What kn-ahead would have changed where it is in shadow: its twins' pods from tick to tick.

The controller logs changes of what is in force. Those of a twin are found here, by what two
successive snapshots differ in; of several ticks between them the last one counts.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from autoscaler.advisor.frame import Frame
from autoscaler.core.state.decision import OneDecision, Reason, row_of
from autoscaler.core.state.revision import NO_ANSWER, Mode, in_force
from autoscaler.core.types import IntArray
from autoscaler.exchange.snapshot import Snapshot


class TwinChange(NamedTuple):
    """A twin has other pods than before."""

    row: int  # of the snapshot
    before: int  # pods
    decision: OneDecision  # as if it had been applied
    reason: Reason


def twin_changes(former: Snapshot | None, frame: Frame) -> Iterator[TwinChange]:
    """Twins of revisions in shadow whose pods differ from those in a former snapshot."""
    snapshot = frame.snapshot
    if former is None or snapshot is None:
        return
    now, before = _shared(former, snapshot)
    columns, former_columns = snapshot.columns, former.columns
    pods, pods_before = columns["twin_replicas"][now], former_columns["twin_replicas"][before]
    mode = in_force(columns["spec_mode"], snapshot.decision.withdrawn)
    changed = (mode[now] == Mode.SHADOW) & (pods != pods_before)
    changed &= former_columns["twin_begun"][before]
    for row, earlier in zip(now[changed].tolist(), pods_before[changed].tolist(), strict=True):
        if row in frame.named:
            reason = Reason(int(columns["twin_reason"][row]))
            yield TwinChange(row, earlier, _decision(snapshot, row), reason)


def _shared(former: Snapshot, snapshot: Snapshot) -> tuple[IntArray, IntArray]:
    """Rows of the revisions that both have: of the snapshot, and of the former one."""
    if np.array_equal(former.revision, snapshot.revision):
        rows = np.arange(len(snapshot.revision))
        return rows, rows
    _, now, before = np.intersect1d(snapshot.revision, former.revision, return_indices=True)
    return now, before


def _decision(snapshot: Snapshot, row: int) -> OneDecision:
    """The revision's own decision, with the twin's pods: of both the demand is one."""
    made, columns = row_of(snapshot.decision, row), snapshot.columns
    want, kpa = int(columns["twin_replicas"][row]), int(columns["twin_kpa"][row])
    return replace(
        made,
        want=want,
        kpa=kpa,
        # Whether a pod is worth keeping is another question than whether one is worth starting.
        predicted=NO_ANSWER if made.predicted <= NO_ANSWER else want,
        desired=max(kpa, made.predicted, made.anticipated),
        ahead=0,
        extra=0,
    )
