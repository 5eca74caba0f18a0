"""The ledger: folds every snapshot into the hour that goes on, and answers what a period held."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import TypeVar

from autoscaler.advisor.ledger.counted import Counted, modes
from autoscaler.advisor.ledger.hour import Hour
from autoscaler.advisor.ledger.store import Entry, Store
from autoscaler.advisor.ledger.table import DAY_S, HOUR_S, Table, merged
from autoscaler.core.names import name_id
from autoscaler.errors import PermanentError
from autoscaler.exchange.snapshot import Snapshot
from autoscaler.limits import LEDGER_ROWS

FRESH_S = 10.0  # from one version to the next
SAVE_S = 60.0  # from one writing of the hour that goes on to the next
MOST_UNSAVED = 24  # hours that are kept while they cannot be written

Period = TypeVar("Period", Entry, Table)


class Ledger:
    """Sums of both policies by service and hour, of which the last ones are in memory.

    One thread folds and one saves; others may read meanwhile, as tables are replaced and never
    changed.
    """

    def __init__(self, folder: Path | None = None) -> None:
        """folder: in which it is kept over restarts; None = in memory, for the last hours."""
        self._store = Store(folder) if folder else None
        self._hour: Hour | None = None
        self._counted: Counted | None = None  # of the last snapshot
        self._names: Mapping[int, str] = {}  # of services in this hour
        self._given: Mapping[int, str] = {}  # as the last snapshot's names came
        self._followed = False  # whether another replica has acted since this process began
        self._lock = Lock()  # of the next two, which are replaced together
        self._present: tuple[Table, Counted] | None = None  # the hour that goes on
        self._over: dict[float, Table] = {}  # hours before it that are in no file, by their start
        self._tidied = False
        self._saved_s = 0.0  # Unix s of the snapshot until which the present hour was written

    @property
    def is_kept(self) -> bool:
        """Whether it is in a folder, which replicas may share."""
        return self._store is not None

    @property
    def version(self) -> int:
        """Another one every `FRESH_S` in which something was counted."""
        present = self._present
        return int(present[1].at_s // FRESH_S) if present else 0

    def fold(self, snapshot: Snapshot, names: Mapping[int, str], *, leads: bool) -> None:
        """Count what came since the last snapshot.

        names: of services, by `name_id`. leads: whether this replica acts; one that follows shows
        nothing, and what another one counts meanwhile is not ours.
        """
        if not leads:
            self._follow()
            return
        counted, hour = Counted.of(snapshot), self._hour_of(snapshot.at_s)
        former, self._counted = self._counted, counted
        if names is not self._given:
            self._given, self._names = names, {**self._names, **names}
        seconds = counted.seconds_since(former)
        if former is not None and seconds is not None:
            hour.add(counted.service, modes(snapshot), counted.since(former), seconds)
        with self._lock:
            self._present = hour.table(self._names, counted.at_s), counted

    def _follow(self) -> None:
        """Forget what is not written: the files are of the replica that acts."""
        self._counted, self._followed = None, True
        if self._store:
            self._hour = None
            with self._lock:
                self._present = None
                self._over.clear()

    def _hour_of(self, at_s: float) -> Hour:
        """The hour of a time; another one than before ends that."""
        start_s = at_s // HOUR_S * HOUR_S
        hour = self._hour or (self._go_on(self._store) if self._store else None)
        if hour is None or hour.start_s != start_s:
            begun = self._store.hour(start_s) if self._store else None
            with self._lock:
                if self._present:
                    ended = replace(self._present[0], length_s=HOUR_S)
                    self._over[ended.start_s] = ended
                begun = self._over.pop(start_s, begun)
                for former_s in sorted(self._over)[:-MOST_UNSAVED]:
                    del self._over[former_s]
                self._present = None
            hour = self._begin(start_s, begun)
        self._hour = hour
        return hour

    def _go_on(self, store: Store) -> Hour | None:
        """The hour that went on when it was written last, by a former process or another one."""
        found = store.going_on()
        if found is None:
            return None
        (table, counted), ended = found, store.hour(found[0].start_s)
        if ended and ended.covered_s > table.covered_s:
            return None  # it was ended; what was written while it went on is a part of that
        with self._lock:
            self._present = found
        if not self._followed:
            self._counted = counted
        return self._begin(table.start_s, table)

    def _begin(self, start_s: float, begun: Table | None) -> Hour:
        self._names = dict(self._given)
        if begun:
            self._names |= {name_id(name): name for name in begun.services}
        return Hour(start_s, begun)

    # --- files ------------------------------------------------------------------------------------

    def save(self, now: float) -> str:
        """Write what is due, and tidy up; returns the fault, "" = none. now: Unix s."""
        if self._store is None:
            return ""
        unwritten = []
        try:
            self._save(self._store, now)
        except (PermanentError, OSError) as error:
            unwritten = [f"nothing is kept over a restart: {error}"]
        faults, self._store.faults = self._store.faults, []
        if self._hour and self._hour.is_full:
            faults.append(f"this hour has {LEDGER_ROWS}; what came then is not counted")
        return "; ".join([*unwritten, *faults])

    def _save(self, store: Store, now: float) -> None:
        with self._lock:
            present, over = self._present, list(self._over.values())
        for table in over:
            store.write(table)
            with self._lock:
                if self._over.get(table.start_s) is table:
                    del self._over[table.start_s]
        if present and (over or abs(present[1].at_s - self._saved_s) >= SAVE_S):
            store.write_going_on(*present)
            self._saved_s = present[1].at_s
        if over or (present and not self._tidied):
            store.tidy(now)
            self._tidied = True

    # --- what a period held -----------------------------------------------------------------------

    @property
    def since_s(self) -> float | None:
        """Unix s from which on something is known; None = nothing is."""
        (entries, tables) = self._within(0.0, float("inf"))
        first = self._store.table(entries[:1]) if self._store and entries else None
        known = [table for table in (first, *tables) if table]
        ends = [table.start_s + table.length_s - table.covered_s for table in known]
        return min(ends, default=None)

    def hours(self, start_s: float, end_s: float) -> Iterator[Table]:
        """Hours that begin within a period, in order; none for one of which nothing is known."""
        entries, tables = self._within(start_s, end_s)
        there: list[Entry | Table] = [*entries, *tables]
        for one in sorted(there, key=lambda one: one.start_s):
            if isinstance(one, Table):
                yield one
            elif one.length_s == HOUR_S and self._store and (read := self._store.read(one.path)):
                yield read

    def days(self, start_s: float, end_s: float) -> Iterator[Table]:
        """The same by days of UTC, of which the first and the last may be in part.

        A day whose hours are not kept is there as a whole.
        """
        entries, tables = self._within(start_s, end_s)
        files, hours = _by_day(entries), _by_day(tables)
        for day in sorted({*files, *hours}):
            read = self._read(files[day]) if day in files else None
            found = [*([read] if read else ()), *hours.get(day, ())]
            if len(found) > 1:
                begin_s, ended_s = min(t.start_s for t in found), max(t.end_s for t in found)
                yield merged(found, start_s=begin_s, length_s=ended_s - begin_s)
            else:
                yield from found

    def _read(self, entries: Sequence[Entry]) -> Table | None:
        return self._store.table(entries) if self._store else None

    def _within(self, start_s: float, end_s: float) -> tuple[list[Entry], list[Table]]:
        """What there is of a period, in order: files, and hours that are in none."""
        with self._lock:
            tables = {**self._over, **({p[0].start_s: p[0]} if (p := self._present) else {})}
        entries = [
            entry
            for entry in (self._store.entries() if self._store else ())
            if start_s < entry.end_s and entry.start_s < end_s
            if not (entry.length_s == HOUR_S and entry.start_s in tables)
        ]
        inside = [tables[at_s] for at_s in sorted(tables) if start_s <= at_s < end_s]
        return entries, inside


def _by_day(found: Sequence[Period]) -> dict[float, list[Period]]:
    days: dict[float, list[Period]] = {}
    for one in found:
        days.setdefault(one.start_s // DAY_S * DAY_S, []).append(one)
    return days
