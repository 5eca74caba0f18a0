"""The fleet: every revision as one row of parallel columns, and the one place that maps key to row.

Columns are grouped by who writes them: settings (`spec`, from annotations and config), what was
observed (`observed` and `pods`, from the cluster), what one tick leaves for the next (`memory`),
what it decided (`decision`), and what was requested of the cluster last (`requested`). Per-second
statistics are in two `Window`s; what belongs to a service is in `services`. Rows are always
0 ... n - 1: removing a row moves the last one into its place.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat
from typing import Any, TypeVar

import numpy as np

from autoscaler.core.names import name_id
from autoscaler.core.state.columns import Column, Table
from autoscaler.core.state.credit import ClusterCredit, Credit, CreditArrays
from autoscaler.core.state.decision import Decision, DecisionArrays
from autoscaler.core.state.delay import DelayWindow
from autoscaler.core.state.early import Early, EarlyArrays
from autoscaler.core.state.new_revision import (
    NO_CASES,
    NO_DECISION,
    NO_PODS,
    NOTHING_REQUESTED,
    first_credit,
    first_memory,
    first_observed,
)
from autoscaler.core.state.revision import (
    DTYPES,
    Memory,
    MemoryArrays,
    Observed,
    ObservedArrays,
    PodCounts,
    PodCountsArrays,
    Requested,
    RequestedArrays,
    Revision,
    Spec,
    SpecArrays,
    in_force,
)
from autoscaler.core.state.services import Services
from autoscaler.core.state.virtual import Twins, VirtualArrays
from autoscaler.core.state.window import Window
from autoscaler.core.types import BoolArray, FloatArray, IntArray
from autoscaler.errors import PermanentError

Rows = IntArray | slice
ALL = slice(None)
Columns = TypeVar(
    "Columns",
    SpecArrays,
    ObservedArrays,
    MemoryArrays,
    EarlyArrays,
    CreditArrays,
    DecisionArrays,
    VirtualArrays,
)

LARGEST_SAMPLE = 1e9  # requests; a total of doubles keeps six decimals beside it
_FIXED = ("weighted_exponential", "scale_down_delay_s")  # read once only, as in Knative


class Fleet:
    """All revisions, in rows.

    >>> from autoscaler.core.state.revision import KNATIVE_DEFAULTS
    >>> fleet = Fleet()
    >>> fleet.add({"shop/cart-00001": KNATIVE_DEFAULTS}, now=0.0)
    >>> fleet.row("shop/cart-00001")
    0
    """

    def __init__(self) -> None:
        self.layout = 0  # counts up when rows are added, removed or moved
        self.keys: list[str] = []  # row -> "namespace/revision"
        self._rows: dict[str, int] = {}  # and back
        self._ids, self._service = Column(np.int64), Column(np.int64)
        self._spec: Table[SpecArrays] = Table(Spec, DTYPES)
        self._observed: Table[ObservedArrays] = Table(Observed, DTYPES)
        self._pods: Table[PodCountsArrays] = Table(PodCounts, DTYPES)
        self._memory: Table[MemoryArrays] = Table(Memory, DTYPES)
        self._decision: Table[DecisionArrays] = Table(Decision, DTYPES)
        self._early: Table[EarlyArrays] = Table(Early, DTYPES)
        self._credit: Table[CreditArrays] = Table(Credit, DTYPES)
        self._requested: Table[RequestedArrays] = Table(Requested, DTYPES)
        self.stable = Window()
        self.panic = Window()
        self.delay = DelayWindow()
        self.twins = Twins()
        self.services = Services()
        self.cluster_credit = ClusterCredit()

    def __len__(self) -> int:
        return len(self.keys)

    def __contains__(self, key: str) -> bool:
        return key in self._rows

    def row(self, key: str) -> int:
        """The row of a revision. Raises PermanentError where there is none."""
        try:
            return self._rows[key]
        except KeyError as error:
            raise PermanentError(f"revision {key!r} is unknown; known are {len(self)}") from error

    def rows(self, keys: Iterable[str]) -> IntArray:
        """Rows of revisions, in order; those that are unknown have -1."""
        return np.array([self._rows.get(key, -1) for key in keys], dtype=np.int64)

    def part(self, rows: IntArray) -> Rows:
        """Ascending rows (n,) as they are, but `ALL` for all of them, which needs no copies."""
        return ALL if len(rows) == len(self) else rows

    @property
    def ids(self) -> IntArray:
        """(n,) `name_id` of each key."""
        return self._ids.values

    @property
    def service(self) -> IntArray:
        """(n,) each revision's row in ``services``."""
        return self._service.values

    @property
    def spec(self) -> SpecArrays:
        """Settings; (n,) each, as all columns."""
        return self._spec.view

    @property
    def observed(self) -> ObservedArrays:
        """What was observed."""
        return self._observed.view

    @property
    def pods(self) -> PodCountsArrays:
        """Pods that are not ready."""
        return self._pods.view

    @property
    def memory(self) -> MemoryArrays:
        """What the last tick left."""
        return self._memory.view

    @property
    def decision(self) -> DecisionArrays:
        """What was decided last."""
        return self._decision.view

    @property
    def early(self) -> EarlyArrays:
        """Pods that could go before Knative's rule lets them go."""
        return self._early.view

    @property
    def modes(self) -> IntArray:
        """(n,) modes in force: where forecasts are withdrawn, those of shadow."""
        return in_force(self.spec.mode, self.decision.withdrawn)

    @property
    def credit(self) -> CreditArrays:
        """What prediction may still cost."""
        return self._credit.view

    @property
    def requested(self) -> RequestedArrays:
        """What was requested of the cluster last."""
        return self._requested.view

    @property
    def nbytes(self) -> int:
        """Memory held by all arrays, bytes."""
        return int(self.services.nbytes + sum(columns.nbytes for columns in self._columns))

    @property
    def _columns(self) -> tuple[Any, ...]:
        """Everything that has an entry for each row."""
        return (
            *(self.stable, self.panic, self.delay, self.twins, self._ids, self._service),
            *(self._pods, self._spec, self._observed, self._memory, self._decision),
            *(self._early, self._credit, self._requested),
        )

    def add(
        self,
        revisions: Mapping[str, Revision],
        *,
        now: float,
        ready: Iterable[int] = (),
        services: Iterable[str] = (),
    ) -> None:
        """Add revisions as new rows, in this order.

        now: Unix s. ready: pods ready of each, default 0; more than one starts in panic, so that a
        restart of the controller does not scale down for a stable window. services: the
        "namespace/service" of each, default the revision's own key. Raises PermanentError for a
        revision that is in the fleet already, and for other than one entry a revision.
        """
        pods = list(ready) or [0] * len(revisions)
        names = list(services) or list(revisions)
        self._check_new(revisions, ready=pods, services=names)
        self._rows.update({key: len(self.keys) + i for i, key in enumerate(revisions)})
        self.keys.extend(revisions)
        self.layout += 1
        self._ids.append([name_id(key) for key in revisions])
        self._service.append([self.services.join(name) for name in names])
        specs = list(revisions.values())
        self._spec.append(specs)
        self._observed.append([first_observed(n, now) for n in pods])
        self._pods.append([NO_PODS] * len(specs))
        self._memory.append(list(map(first_memory, specs, pods, repeat(now))))
        self._decision.append([NO_DECISION] * len(specs))
        self._early.append([NO_CASES] * len(specs))
        self._credit.append([first_credit(spec) for spec in specs])
        self._requested.append([NOTHING_REQUESTED] * len(specs))
        self.stable.append(np.array([s.stable_window_s for s in specs], dtype=np.int64))
        self.panic.append(np.array([s.panic_window_s for s in specs], dtype=np.int64))
        self.delay.append(np.array([s.scale_down_delay_s for s in specs], dtype=np.float64))
        self.twins.append(specs)

    def _check_new(self, revisions: Mapping[str, Revision], **entries: Sequence[object]) -> None:
        known = [key for key in revisions if key in self._rows]
        if known:
            raise PermanentError(f"revision {known[0]!r} is in the fleet already")
        for name, values in entries.items():
            if len(values) != len(revisions):
                raise PermanentError(
                    f"{name} has {len(values)} entries; allowed: {len(revisions)}, one a "
                    "revision, or none"
                )

    def configure(self, key: str, revision: Revision) -> None:
        """Apply changed annotations or config; windows keep their newest seconds."""
        row = self.row(key)
        self._spec.put(row, revision, leave=_FIXED)
        self.stable.resize(row, revision.stable_window_s)
        self.panic.resize(row, revision.panic_window_s)
        self.twins.resize(row, revision)

    def move(self, key: str, service: str) -> None:
        """Make a revision one of another service."""
        row = self.row(key)
        former, self.service[row] = int(self.service[row]), self.services.join(service)
        self._leave(former)
        self.layout += 1

    def _leave(self, service: int) -> None:
        """Remove a revision from a service, and a service with its last revision."""
        if self.services.leave(service):
            self.service[self.service == len(self.services)] = service  # the one that moved

    def remove(self, key: str) -> None:
        """Remove a revision; the last row takes its place."""
        row = self.row(key)
        service = int(self.service[row])
        for columns in self._columns:
            columns.remove(row)
        self._leave(service)
        self.layout += 1
        last = self.keys.pop()
        del self._rows[key]
        if last != key:
            self.keys[row], self._rows[last] = last, row

    def record(self, rows: IntArray, seconds: IntArray, samples: FloatArray) -> None:
        """Record statistics; a row may appear once a call, samples of one second add up.

        rows: (n,). seconds: (n,) whole Unix s. samples: (2, n) requests in flight; requests per
        second; over all pods, what the activator proxied counted once. A sample of NaN, or beyond
        `LARGEST_SAMPLE`, is left out: it would spoil the running totals.
        """
        valid = (np.abs(samples) <= LARGEST_SAMPLE).all(axis=0)  # NaN compares False
        if not valid.all():
            rows, seconds, samples = rows[valid], seconds[valid], samples[:, valid]
        if len(rows):
            self.stable.record(rows, seconds, samples)
            self.panic.record(rows, seconds, samples)

    def remember(
        self, rows: Rows, memory: MemoryArrays, early: EarlyArrays, decision: DecisionArrays
    ) -> None:
        """Store what a tick decided for rows, and what it leaves for the next one; (n,) each."""
        self._memory.write(rows, memory)
        self._early.write(rows, early)
        self._decision.write(rows, decision)

    def no_pod_wanted(self, rows: Rows = ALL) -> BoolArray:
        """(n,) where a request is decided at once: at zero by Knative's rule, or before it is."""
        return np.asarray((self.memory.kpa[rows] == 0) | (self.decision.want[rows] == 0))

    def limit_cluster(self, max_extra: float, allowance_s: float) -> None:
        """Set the whole cluster's bill; inf = none. An account that is open keeps its credit."""
        former = self.cluster_credit
        opened = np.isinf(former.max_extra)
        self.cluster_credit = ClusterCredit(
            max_extra=max_extra,
            allowance_s=allowance_s,
            left_s=allowance_s if opened else former.left_s,
            day_s=0.0 if opened else former.day_s,
        )

    def pay(self, rows: Rows, credit: CreditArrays, cluster: ClusterCredit) -> None:
        """Store the accounts of rows (n,), and the one of all."""
        self._credit.write(rows, credit)
        self.cluster_credit = cluster

    def requested_of(self, row: int) -> Requested[float, int, bool]:
        """What was requested last for one row."""
        requested: Requested[float, int, bool] = self._requested.row(row)
        return requested


def take(columns: Columns, rows: Rows) -> Columns:
    """The rows' part of each column: copies for an index array, the columns for ALL."""
    if rows is ALL:
        return columns
    kind = type(columns)
    return kind(**{name: getattr(columns, name)[rows] for name in kind.__dataclass_fields__})
