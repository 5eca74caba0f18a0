"""The pods that a revision would have under the policy that is not in force.

They stand for `Observed` and `Memory` where the twin decides (`autoscaler.core.twin`). Pods on
their way are kept in batches, by when they become ready; most revisions have none, hardly any has
more than one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias

import numpy as np
import numpy.typing as npt

from autoscaler.core.state.columns import Column, Table
from autoscaler.core.state.decision import Reason
from autoscaler.core.state.delay import DelayWindow
from autoscaler.core.state.revision import DTYPES, NO_ANSWER, Active, B, F, I, Revision
from autoscaler.core.state.window import Window
from autoscaler.core.types import BoolArray, FloatArray, IntArray

BATCHES = 3  # of pods on their way; a further one counts as part of the last
NOT_YET, ALWAYS = np.inf, -np.inf  # no pod will become ready; one is ready


@dataclass(frozen=True, slots=True, kw_only=True)
class Virtual(Generic[F, I, B]):
    """The twin of one revision."""

    begun: B  # False: it is still to be made a copy of the revision
    at_s: F  # Unix s of the last tick
    ready: I  # pods
    replicas: I  # pods, ready or starting
    active: I  # an Active
    active_since_s: F  # Unix s
    proxied_since_s: F  # Unix s; NaN = the activator is not in the path
    panic_since_s: F  # as in `Memory`
    max_panic_pods: I
    kpa: I
    excess_burst_capacity: F
    reason: I  # a Reason: of the last change of `replicas`
    last_s: F  # s, whole Unix: the last with a statistic; -inf = none
    stable_first_s: F  # the first of the statistics in the stable window
    panic_first_s: F  # likewise of the panic window
    first_ready_s: F  # Unix s from which a pod is ready; `NOT_YET`, `ALWAYS`
    called_s: F  # Unix s of the call that found neither pod nor one on its way; NaN = none did
    cold_ready: B  # in force: whether a pod was ready when looked at last
    cold_waiting: F  # in force: requests that wait for the first pod
    cold_since_s: F  # in force: the sum of the Unix s at which they arrived
    pods: I  # in force: that were there at the last tick, those on their way included
    behind: F  # requests more in flight than in force, that wait or are served here
    behind_s: F  # Unix s at which they were
    delayed: F  # requests served in force that began here later, or wait
    in_flight: F  # in force: requests, as reported last


VirtualArrays: TypeAlias = Virtual[FloatArray, IntArray, BoolArray]
NOT_BEGUN: Virtual[float, int, bool] = Virtual(
    begun=False,
    at_s=np.nan,
    ready=0,
    replicas=0,
    active=int(Active.UNKNOWN),
    active_since_s=0.0,
    proxied_since_s=np.nan,
    panic_since_s=np.nan,
    max_panic_pods=0,
    kpa=NO_ANSWER,
    excess_burst_capacity=0.0,
    reason=int(Reason.NO_DATA),
    last_s=-np.inf,
    stable_first_s=-np.inf,
    panic_first_s=-np.inf,
    first_ready_s=NOT_YET,
    called_s=np.nan,
    cold_ready=True,
    cold_waiting=0.0,
    cold_since_s=0.0,
    pods=0,
    behind=0.0,
    behind_s=-np.inf,
    delayed=0.0,
    in_flight=0.0,
)


class Twins:
    """The twins of all revisions, in the fleet's rows."""

    def __init__(self) -> None:
        self._table: Table[VirtualArrays] = Table(Virtual, DTYPES)
        self._ready_s = Column(np.float64, (BATCHES,))
        self._pods = Column(np.int32, (BATCHES,))
        self.delay = DelayWindow()
        self.stable, self.panic = Window(), Window()  # of what waits here and not in force

    @property
    def view(self) -> VirtualArrays:
        """(n,) each."""
        return self._table.view

    @property
    def ready_s(self) -> FloatArray:
        """(BATCHES, n) Unix s at which a batch becomes ready; `NOT_YET` = there is none."""
        return self._ready_s.values

    @property
    def pods(self) -> npt.NDArray[np.int32]:
        """(BATCHES, n) pods of it."""
        return self._pods.values

    @property
    def nbytes(self) -> int:
        """Memory held, bytes."""
        return sum(part.nbytes for part in self._parts)

    @property
    def _parts(self) -> tuple[Any, ...]:
        return (self._table, self._ready_s, self._pods, self.delay, self.stable, self.panic)

    def record(self, rows: IntArray, seconds: IntArray, samples: FloatArray) -> None:
        """Add to the demand (2, n) of rows (n,) in whole Unix seconds (n,), or take from it."""
        self.stable.record(rows, seconds, samples)
        self.panic.record(rows, seconds, samples)

    def append(self, revisions: Sequence[Revision]) -> None:
        """Add rows at the end."""
        n = len(revisions)
        self._table.append([NOT_BEGUN] * n)
        self._ready_s.append(np.full((BATCHES, n), NOT_YET))
        self._pods.append(np.zeros((BATCHES, n), dtype=np.int32))
        self.delay.append(np.array([r.scale_down_delay_s for r in revisions], dtype=np.float64))
        self.stable.append(np.array([r.stable_window_s for r in revisions], dtype=np.int64))
        self.panic.append(np.array([r.panic_window_s for r in revisions], dtype=np.int64))

    def resize(self, row: int, revision: Revision) -> None:
        """Follow a revision's windows."""
        self.stable.resize(row, revision.stable_window_s)
        self.panic.resize(row, revision.panic_window_s)

    def remove(self, row: int) -> None:
        """Remove a row; the last row takes its place."""
        for part in self._parts:
            part.remove(row)
