"""The fleet: every revision as one row of parallel columns, and the one place that maps key to row.

The columns are kept apart by who writes them: what was asked for (`spec`, from annotations and
config), what was observed (`observed`, from the cluster), what one tick leaves for the next
(`memory`), what it decided (`decision`), and what was asked of the cluster last (`asked`).
Per-second statistics lie in two `Window`s; what is one service's lies in `services`.
Rows are always 0 ... n - 1: removing a row moves the last one into its place.
"""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any, TypeVar

import numpy as np

from autoscaler.core.names import NO_NAME, name_id
from autoscaler.core.state.columns import Column, Table
from autoscaler.core.state.decision import Decision, DecisionArrays, OneDecision
from autoscaler.core.state.delay import DelayWindow
from autoscaler.core.state.revision import (
    DTYPES,
    NO_ANSWER,
    UNDECIDED,
    Active,
    Asked,
    AskedArrays,
    Memory,
    MemoryArrays,
    Observed,
    ObservedArrays,
    PodCounts,
    PodCountsArrays,
    Revision,
    Spec,
    SpecArrays,
)
from autoscaler.core.state.services import Services
from autoscaler.core.state.window import Window
from autoscaler.core.types import FloatArray, IntArray
from autoscaler.errors import PermanentError

Rows = IntArray | slice
ALL = slice(None)
Columns = TypeVar("Columns", SpecArrays, ObservedArrays, MemoryArrays)

LARGEST_SAMPLE = 1e9  # requests; a total of doubles keeps six decimals beside it
_FIXED = ("weighted_exponential", "scale_down_delay_s")  # set once: so does Knative


class Fleet:
    """All revisions, in rows.

    >>> from autoscaler.core.state.revision import KNATIVE_DEFAULTS
    >>> fleet = Fleet()
    >>> fleet.add({"shop/cart-00001": KNATIVE_DEFAULTS}, now=0.0)
    >>> fleet.row("shop/cart-00001")
    0
    """

    def __init__(self) -> None:
        self.layout = 0  # counts up whenever rows come, go or move
        self.keys: list[str] = []  # row -> "namespace/revision"
        self._rows: dict[str, int] = {}  # and back
        self._ids, self._service = Column(np.int64), Column(np.int64)
        self._spec: Table[SpecArrays] = Table(Spec, DTYPES)
        self._observed: Table[ObservedArrays] = Table(Observed, DTYPES)
        self._pods: Table[PodCountsArrays] = Table(PodCounts, DTYPES)
        self._memory: Table[MemoryArrays] = Table(Memory, DTYPES)
        self._decision: Table[DecisionArrays] = Table(Decision, DTYPES)
        self._asked: Table[AskedArrays] = Table(Asked, DTYPES)
        self.stable = Window()
        self.panic = Window()
        self.delay = DelayWindow()
        self.services = Services()

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
        """What was asked for; (n,) each, as all columns."""
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
    def asked(self) -> AskedArrays:
        """What was asked of the cluster last."""
        return self._asked.view

    @property
    def nbytes(self) -> int:
        """Memory held by all arrays, bytes."""
        return int(self.services.nbytes + sum(kept.nbytes for kept in self._kept))

    @property
    def _kept(self) -> tuple[Any, ...]:
        """All that has a place for each row."""
        return (
            *(self.stable, self.panic, self.delay, self._ids, self._service, self._pods),
            *(self._spec, self._observed, self._memory, self._decision, self._asked),
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

        now: Unix s. ready: pods ready of each, none where it is left out; more than one starts in
        panic, so that a restart of ours never scales down for a stable window. services: the
        "namespace/service" of each; where they are left out, each revision is one of its own.
        """
        known = [key for key in revisions if key in self._rows]
        if known:
            raise PermanentError(f"revision {known[0]!r} is in the fleet already")
        pods = list(ready) or [0] * len(revisions)
        names = list(services) or list(revisions)
        for what, counted in (("ready", pods), ("services", names)):
            if len(counted) != len(revisions):
                raise PermanentError(
                    f"{what} has {len(counted)} entries; allowed: {len(revisions)}, one a "
                    "revision, or none"
                )
        self._rows.update({key: len(self.keys) + i for i, key in enumerate(revisions)})
        self.keys.extend(revisions)
        self.layout += 1
        self._ids.append([name_id(key) for key in revisions])
        self._service.append([self.services.join(name) for name in names])
        specs = list(revisions.values())
        self._spec.append(specs)
        self._observed.append([_first_look(n, now) for n in pods])
        self._pods.append([_NO_PODS] * len(specs))
        begin = zip(specs, pods, strict=True)
        self._memory.append([_no_memory(spec, n, now) for spec, n in begin])
        self._decision.append([NO_DECISION] * len(specs))
        self._asked.append([_NOTHING_ASKED] * len(specs))
        self.stable.append(np.array([s.stable_window_s for s in specs], dtype=np.int64))
        self.panic.append(np.array([s.panic_window_s for s in specs], dtype=np.int64))
        self.delay.append(np.array([s.scale_down_delay_s for s in specs], dtype=np.float64))

    def configure(self, key: str, revision: Revision) -> None:
        """Follow a change of annotations or config; windows keep their newest seconds."""
        row = self.row(key)
        self._spec.put(row, revision, leave=_FIXED)
        self.stable.resize(row, revision.stable_window_s)
        self.panic.resize(row, revision.panic_window_s)

    def move(self, key: str, service: str) -> None:
        """Count a revision to another service."""
        row = self.row(key)
        former, self.service[row] = int(self.service[row]), self.services.join(service)
        self._leave(former)
        self.layout += 1

    def _leave(self, service: int) -> None:
        """A revision of a service went; where it was the last one, so does the service."""
        if self.services.leave(service):
            self.service[self.service == len(self.services)] = service  # the one that moved

    def remove(self, key: str) -> None:
        """Forget a revision; the last row takes its place."""
        row = self.row(key)
        service = int(self.service[row])
        for kept in self._kept:
            kept.remove(row)
        self._leave(service)
        self.layout += 1
        last = self.keys.pop()
        del self._rows[key]
        if last != key:
            self.keys[row], self._rows[last] = last, row

    def record(self, rows: IntArray, seconds: IntArray, samples: FloatArray) -> None:
        """Record statistics; a row may appear once a call, samples of one second add up.

        rows: (n,). seconds: (n,) whole Unix s. samples: (2, n) requests in flight; requests per
        second; over all pods, what the activator proxied counted once. A sample that is no number,
        or absurd, is left out: it would stay in the running totals, or swallow what is small.
        """
        sane = (np.abs(samples) <= LARGEST_SAMPLE).all(axis=0)  # NaN compares False
        if not sane.all():
            rows, seconds, samples = rows[sane], seconds[sane], samples[:, sane]
        if len(rows):
            self.stable.record(rows, seconds, samples)
            self.panic.record(rows, seconds, samples)

    def remember(self, rows: Rows, memory: MemoryArrays, decision: DecisionArrays) -> None:
        """Keep what a tick decided for rows, and what it leaves for the next one; (n,) each."""
        self._memory.write(rows, memory)
        self._decision.write(rows, decision)

    def asked_of(self, row: int) -> Asked[float, int, bool]:
        """What was asked last for one row."""
        asked: Asked[float, int, bool] = self._asked.row(row)
        return asked

    def decided(self, row: int) -> OneDecision:
        """The last decision for one row."""
        decision: OneDecision = self._decision.row(row)
        return decision


def take(columns: Columns, rows: Rows) -> Columns:
    """The rows' part of each column: copies for an index array, the columns for ALL."""
    if rows is ALL:
        return columns
    return type(columns)(**{f.name: getattr(columns, f.name)[rows] for f in fields(columns)})


NO_DECISION: OneDecision = Decision(
    at_s=np.nan,
    no_data=True,
    stable=0.0,
    panic=0.0,
    panicking=False,
    undelayed=NO_ANSWER,
    kpa=NO_ANSWER,
    predicted=NO_ANSWER,
    anticipated=NO_ANSWER,
    desired=NO_ANSWER,
    bounded=NO_ANSWER,
    want=UNDECIDED,
    scale=False,
    probe=False,
    proxy=True,
    activators=0,
    upstream=NO_NAME,
    upstream_rate=0.0,
    upstream_since_s=np.nan,
    gain=0.0,
    lag_s=0.0,
)
_NO_PODS: PodCounts[int] = PodCounts(unready=0, pending=0, terminating=0)
_NOTHING_ASKED: Asked[float, int, bool] = Asked(
    want=UNDECIDED,
    scale=False,
    probe=False,
    proxy=False,
    activators=-1,
    active=-1,
    ready=-1,
    initialized=False,
    changed=True,
    retry_s=np.nan,
    wait_s=0.0,
)


def _first_look(ready: int, now: float) -> Observed[float, int, bool]:
    return Observed(
        ready=ready,
        replicas=ready,
        set_up=False,
        named=False,
        active=Active.UNKNOWN,
        active_since_s=now,
        proxied_since_s=np.nan,
        probe_passed=False,
        initialized=False,
    )


def _no_memory(revision: Revision, ready: int, now: float) -> Memory[float, int]:
    panicking = ready > 1
    burst = revision.target_burst_capacity
    spare = int(revision.initial_scale * revision.total - burst)
    return Memory(
        panic_since_s=now if panicking else np.nan,
        max_panic_pods=ready if panicking else 0,
        kpa=NO_ANSWER,
        excess_burst_capacity=burst if burst in (-1, 0) else spare,
    )
