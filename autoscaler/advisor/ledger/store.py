"""The folder of the ledger: a file for each hour of the last week, and for each day before it.

    2026-11-28T09.hour   an hour that is over; never changes
    2026-11-20.day       a day whose hours are gone; never changes
    going-on             the current hour, rewritten every minute

A damaged file is set aside as `NAME.damaged`, and said once; its period is a gap.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from autoscaler.advisor.ledger.counted import Counted
from autoscaler.advisor.ledger.file import (
    read_going_on,
    read_period,
    write_going_on,
    write_period,
)
from autoscaler.advisor.ledger.table import DAY_S, HOUR_S, Table, merged
from autoscaler.errors import PermanentError
from autoscaler.limits import LEDGER_FOLDER, Limit

HOURS_KEPT_S = 7 * DAY_S  # s after the end of a day that its hours are kept apart
DAYS_KEPT = 400
GOING_ON = "going-on"
DAMAGED = ".damaged"

# Names of files, as times of UTC, and the length of what they hold, s.
_KINDS = {"%Y-%m-%dT%H.hour": HOUR_S, "%Y-%m-%d.day": DAY_S}
# Drafts of writers that were killed, and what was damaged.
_LEFT_OVER = re.compile(r"\.(going-on|[\dT-]+\.(hour|day))\.[0-9a-f]+|.+\.damaged")
MOST_SAID = 10  # faults that wait to be said
_CACHED = 16  # days, of 0.6 MB each at 10,000 services


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """A file of a period that is over."""

    start_s: float
    length_s: float
    path: Path
    mtime_ns: int  # only an hour that time was set back into is written again
    n_bytes: int

    @property
    def end_s(self) -> float:
        """Unix s."""
        return self.start_s + self.length_s


class Store:
    """Reads and writes the folder; may be read by several threads, and written by one."""

    def __init__(self, folder: Path, most: Limit = LEDGER_FOLDER) -> None:
        """folder: made if it is not there. most: bytes of files in it."""
        self._folder, self._most = folder, most
        self.faults: list[str] = []  # what was set aside, until somebody has said it
        self._merged: Callable[[tuple[Entry, ...]], Table | None] = lru_cache(_CACHED)(self._merge)

    # --- reading ----------------------------------------------------------------------------------

    def entries(self) -> list[Entry]:
        """All periods that are over, in order; hours of a day that has a file are none of them."""
        found = sorted(self._files())
        days = {entry.start_s for entry in found if entry.length_s == DAY_S}
        return [e for e in found if e.length_s == DAY_S or _day(e.start_s) not in days]

    def _files(self) -> Iterator[Entry]:
        try:
            paths = list(self._folder.iterdir())
        except FileNotFoundError:
            return
        except OSError as error:
            self._say(f"{self._folder} cannot be read: {error.strerror or error}")
            return
        for path in paths:
            for pattern, length_s in _KINDS.items():
                if path.suffix == Path(pattern).suffix:
                    try:
                        start = datetime.strptime(path.name, pattern).replace(tzinfo=UTC)
                        status = path.stat()
                    except (ValueError, FileNotFoundError):  # none of ours; or gone meanwhile
                        continue
                    size = status.st_mtime_ns, status.st_size
                    yield Entry(start.timestamp(), length_s, path, *size)

    def table(self, entries: Sequence[Entry]) -> Table | None:
        """What entries of one day hold together; None = nothing that can be read."""
        return self._merged(tuple(entries))

    def _merge(self, entries: tuple[Entry, ...]) -> Table | None:
        if len(entries) == 1:
            return self.read(entries[0].path)
        start_s, last = entries[0].start_s, entries[-1]
        return merged(self._all(entries), start_s=start_s, length_s=last.end_s - start_s)

    def _all(self, entries: Iterable[Entry]) -> Iterator[Table]:
        return filter(None, (self.read(entry.path) for entry in entries))

    def read(self, path: Path) -> Table | None:
        """One period; None = it is not there, or damaged."""
        try:
            return read_period(path)
        except FileNotFoundError:  # folded into its day meanwhile
            return None
        except (PermanentError, OSError) as error:
            self._set_aside(path, error)
            return None

    def hour(self, start_s: float) -> Table | None:
        """An hour that is over; None = nothing is known of it."""
        return self.read(self._path(start_s, HOUR_S))

    def going_on(self) -> tuple[Table, Counted] | None:
        """The hour that went on when it was written last; None = nothing is known of it."""
        path = self._folder / GOING_ON
        try:
            return read_going_on(path)
        except FileNotFoundError:
            return None
        except (PermanentError, OSError) as error:
            self._set_aside(path, error)
            return None

    def _set_aside(self, path: Path, error: Exception) -> None:
        """Rename what is damaged; what cannot be read at all stays where it is."""
        if not isinstance(error, PermanentError):
            self._say(f"{path} cannot be read: {error}")
            return
        with suppress(OSError):
            path.replace(path.with_name(path.name + DAMAGED))
        self._say(f"{error}; set aside as {path.name}{DAMAGED}, its period begins anew")

    def _say(self, fault: str) -> None:
        if len(self.faults) < MOST_SAID and fault not in self.faults:
            self.faults.append(fault)

    # --- writing ----------------------------------------------------------------------------------

    def write(self, table: Table) -> None:
        """Write a period that is over. Raises PermanentError, OSError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        write_period(self._path(table.start_s, table.length_s), table)

    def write_going_on(self, table: Table, counted: Counted) -> None:
        """Write the hour that goes on. Raises PermanentError, OSError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        write_going_on(self._folder / GOING_ON, table, counted)

    def tidy(self, now: float) -> None:
        """Make days of old hours, and drop old days. Raises PermanentError, OSError."""
        self._fold_hours(now)
        entries = self.entries()
        size = sum(entry.n_bytes for entry in entries)
        days = {_day(entry.start_s) for entry in entries}
        # The oldest first; by their number, since a clock may be wrong and a year would go.
        for entry in entries:
            if len(days) <= DAYS_KEPT and size <= self._most.most:
                break
            size -= entry.n_bytes
            days.discard(_day(entry.start_s))
            entry.path.unlink(missing_ok=True)
        for path in self._folder.iterdir():
            if _LEFT_OVER.fullmatch(path.name) and path.stat().st_mtime < now - HOURS_KEPT_S:
                path.unlink(missing_ok=True)

    def _fold_hours(self, now: float) -> None:
        hours: dict[float, list[Entry]] = {}
        for entry in sorted(self._files()):
            if entry.length_s == HOUR_S and _day(entry.start_s) + DAY_S <= now - HOURS_KEPT_S:
                hours.setdefault(_day(entry.start_s), []).append(entry)
        for day_s, entries in hours.items():
            # Where the day was written already, its hours are what a crash left.
            if not self._path(day_s, DAY_S).exists():
                self.write(merged(self._all(entries), start_s=day_s, length_s=DAY_S))
            for entry in entries:
                entry.path.unlink(missing_ok=True)

    def _path(self, start_s: float, length_s: float) -> Path:
        (pattern,) = (pattern for pattern, length in _KINDS.items() if length == length_s)
        return self._folder / f"{datetime.fromtimestamp(start_s, UTC):{pattern}}"


def _day(start_s: float) -> float:
    return start_s // DAY_S * DAY_S
