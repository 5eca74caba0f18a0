"""The fleet: every revision as one row of parallel arrays, and the one place that maps key to row.

Three sets, kept apart because different hands write them: what was asked for (`spec`, from
annotations and config), what was seen (`seen`, from the cluster), and what one tick leaves for the
next (`memory`, written by `remember` alone, and with it `trail`). Per-second statistics lie in two
`Window`s.
Rows are always 0 ... n - 1: removing a row moves the last one into its place.
"""

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from autoscaler.core.delay import DelayWindow
from autoscaler.core.rate_history import Trail
from autoscaler.core.revision import (
    Active,
    B,
    F,
    I,
    Memory,
    MemoryArrays,
    Revision,
    Seen,
    SeenArrays,
    Spec,
    SpecArrays,
)
from autoscaler.core.types import FloatArray, IntArray
from autoscaler.core.window import Window
from autoscaler.errors import PermanentError

if TYPE_CHECKING:
    from autoscaler.core.decision import Decisions

Rows = IntArray | slice
ALL = slice(None)
Columns = TypeVar("Columns", SpecArrays, SeenArrays, MemoryArrays)

LARGEST_SAMPLE = 1e9  # requests; a total of doubles keeps six decimals beside it
_FIXED = ("weighted_exponential", "scale_down_delay_s")  # set once: so does Knative


class Fleet:
    """All revisions, in rows.

    >>> from autoscaler.core.revision import KNATIVE_DEFAULTS
    >>> fleet = Fleet()
    >>> fleet.add({"shop/cart-00001": KNATIVE_DEFAULTS}, now=0.0)
    >>> fleet.row("shop/cart-00001")
    0
    """

    def __init__(self) -> None:
        self.layout = 0  # counts up whenever rows come, go or move
        self.keys: list[str] = []  # row -> "namespace/revision"
        self._rows: dict[str, int] = {}  # and back
        self.spec: SpecArrays = _columns(Spec, {})
        self.seen: SeenArrays = _columns(Seen, {})
        self.memory: MemoryArrays = _columns(Memory, {})
        self.stable = Window()
        self.panic = Window()
        self.delay = DelayWindow()
        self.trail = Trail()

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

    @property
    def nbytes(self) -> int:
        """Memory held by all arrays, bytes."""
        groups = (self.spec, self.seen, self.memory)
        columns = sum(getattr(g, f.name).nbytes for g in groups for f in fields(g))
        kept = (self.stable, self.panic, self.delay, self.trail)
        return int(columns + sum(k.nbytes for k in kept))

    def add(
        self, revisions: Mapping[str, Revision], *, now: float, ready: Iterable[int] = ()
    ) -> None:
        """Add revisions as new rows, in this order.

        now: Unix s. ready: pods ready of each, none where it is left out. More than one ready pod
        starts in panic, so that a restart of ours never scales down for a stable window.
        """
        known = [key for key in revisions if key in self._rows]
        if known:
            raise PermanentError(f"revision {known[0]!r} is in the fleet already")
        pods = list(ready) or [0] * len(revisions)
        if len(pods) != len(revisions):
            raise PermanentError(
                f"ready has {len(pods)} counts; allowed: {len(revisions)}, one a revision, or none"
            )
        spec = _stack(Spec, list(revisions.values()))
        self._rows.update({key: len(self.keys) + i for i, key in enumerate(revisions)})
        self.keys.extend(revisions)
        self.layout += 1
        self.spec = _join(self.spec, spec)
        self.seen = _join(self.seen, _stack(Seen, [_first_look(p, now) for p in pods]))
        begin = zip(revisions.values(), pods, strict=True)
        self.memory = _join(self.memory, _stack(Memory, [_no_memory(r, p, now) for r, p in begin]))
        self.stable.append(spec.stable_window_s)
        self.panic.append(spec.panic_window_s)
        self.delay.append(spec.scale_down_delay_s)
        self.trail.append(len(revisions))

    def configure(self, key: str, revision: Revision) -> None:
        """Follow a change of annotations or config; windows keep their newest seconds."""
        row = self.row(key)
        for field in fields(Spec):
            if field.name not in _FIXED:
                getattr(self.spec, field.name)[row] = getattr(revision, field.name)
        self.stable.resize(row, revision.stable_window_s)
        self.panic.resize(row, revision.panic_window_s)

    def remove(self, key: str) -> None:
        """Forget a revision; the last row takes its place."""
        row = self.row(key)
        for kept in (self.stable, self.panic, self.delay, self.trail):
            kept.remove(row)
        self.spec = _without(self.spec, row)
        self.seen = _without(self.seen, row)
        self.memory = _without(self.memory, row)
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

    def remember(self, decisions: "Decisions") -> None:
        """Keep what a tick left for the next one."""
        rows = decisions.rows
        for field in fields(Memory):
            getattr(self.memory, field.name)[rows] = getattr(decisions.memory, field.name)
        slow = decisions.delay_rows
        if len(slow):
            self.delay.record(slow, decisions.delay_now, decisions.delay_desired)
        if decisions.pulled.links is not None:
            self.trail.record(rows, decisions.now, decisions.pulled.usual)


def take(columns: Columns, rows: Rows) -> Columns:
    """The rows' part of each column: copies for an index array, the columns for ALL."""
    if rows is ALL:
        return columns
    return type(columns)(**{f.name: getattr(columns, f.name)[rows] for f in fields(columns)})


def _first_look(ready: int, now: float) -> Seen[float, int, bool]:
    return Seen(
        ready=ready,
        replicas=ready,
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
        kpa=-1,
        excess_burst_capacity=burst if burst in (-1, 0) else spare,
        called_s=np.nan,
        begun_s=np.nan,
    )


def _columns(kind: Any, values: Mapping[str, list[Any]]) -> Any:
    """Columns of one kind; each field's type says which array it is."""
    dtype: dict[Any, Any] = {F: np.float64, I: np.int64, B: np.bool_}
    return kind(**{f.name: np.array(values.get(f.name, []), dtype[f.type]) for f in fields(kind)})


def _stack(kind: Any, items: list[Any]) -> Any:
    return _columns(kind, {f.name: [getattr(i, f.name) for i in items] for f in fields(kind)})


def _join(one: Columns, two: Columns) -> Columns:
    pairs = {f.name: (getattr(one, f.name), getattr(two, f.name)) for f in fields(one)}
    return replace(one, **{name: np.concatenate(pair) for name, pair in pairs.items()})


def _without(columns: Columns, row: int) -> Columns:
    kept = {f.name: getattr(columns, f.name) for f in fields(columns)}
    for column in kept.values():
        column[row] = column[-1]
    return replace(columns, **{name: column[:-1] for name, column in kept.items()})
