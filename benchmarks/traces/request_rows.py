"""Public layouts with a row a request, counted by the minute in which each began.

* Azure Functions 2021 (Azure/AzurePublicDataset, AzureFunctionsInvocationTrace2021.md): the end of
  each invocation and its duration, s.
* Azure LLM inference 2023 and 2024 (same place, AzureLLMInferenceDataset2023.md): an ISO time; all
  requests are of one service.
* Huawei 2025 (sir-lab/data-release, README_data_release_2025.md), request tables: the time of the
  worker's log line, which is written once the request is over, and the seconds in the worker. A
  function is a funcName, a userID and the pool in the podID.
* IBM Cloud Code Engine 2026 (ubc-cirrus-lab/ibm-cloud-code-engine-traces): its weeks are published
  as pickled DataFrames, which run code when they are read and take ten times their size, so they
  are not opened here; as CSV they have a row a request. Its times, s, begin at 4:59:59 of a day.
* A trace of one's own: time, service and, if known, duration_s. Times are Unix s or ISO 8601.

Rows may come in any order and be in several files; a request that began in the minute before the
earliest time of all is left out, since of those a trace that has their ends has only the longest.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from autoscaler.errors import PermanentError
from autoscaler.limits import HORIZON_S, LATEST_S
from benchmarks.traces.count_table import CountTable, check_size, service_name
from benchmarks.traces.csv_rows import Row, header_of, rows
from benchmarks.traces.minute_sums import STEP_S, MinuteSums

ONLY_SERVICE = "requests"  # name where a layout has none


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLayout:
    """Which columns say when a request came, whose it was and how long it took."""

    name: str
    time: str  # column
    duration: str = ""  # column; "" = none. A blank field is unknown
    service: tuple[str, ...] = ()  # columns of which its name is made; () = there is only one
    named: Callable[[list[str]], str] = "/".join  # makes it
    time_is_end: bool = False  # of the request; else its begin
    duration_unit_s: float = 1.0
    duration_may_be_missing: bool = False  # the column

    @property
    def columns(self) -> list[str]:
        """All that have to be there."""
        last = [] if self.duration_may_be_missing or not self.duration else [self.duration]
        return [*self.service, self.time, *last]

    def matches(self, header: list[str]) -> bool:
        """Whether a file with this header is of this layout."""
        return set(self.columns) <= set(header)


def _huawei_function(fields: list[str]) -> str:
    """As the tables of requests by minute call it."""
    name, user, pod = fields
    return f"{user}/{name}-{pod.rpartition('-')[0]}"


LAYOUTS = (
    RequestLayout(
        name="Azure Functions 2021",
        service=("app", "func"),
        time="end_timestamp",
        duration="duration",
        time_is_end=True,
    ),
    RequestLayout(
        name="IBM Cloud Code Engine 2026",
        service=("NamespaceHash", "AppHash"),
        time="InvocationTimes",
        duration="AppExecTimes",
        duration_unit_s=1e-3,
    ),
    RequestLayout(
        name="Huawei 2025, requests",
        service=("funcName", "userID", "podID"),
        named=_huawei_function,
        time="time_worker",
        duration="totalCost_worker",
        time_is_end=True,
    ),
    RequestLayout(
        name="Azure LLM inference",
        time="TIMESTAMP",
    ),
    RequestLayout(
        name="one's own",
        service=("service",),
        named="".join,
        time="time",
        duration="duration_s",
        duration_may_be_missing=True,
    ),
)


def read(paths: list[Path]) -> CountTable:
    """Read files of one layout. Raises PermanentError, with line and column where there is one."""
    sums, earliest_s = MinuteSums(), np.inf
    places: dict[str, int] = {}
    for path in paths:
        header = header_of(path)
        layout = next(each for each in LAYOUTS if each.matches(header))
        clock = Clock(header.index(layout.time))
        service = [header.index(column) for column in layout.service]
        duration = header.index(layout.duration) if layout.duration in header else -1
        for row in rows(path):
            at_s = clock.read(row)
            took_s = _duration_s(row, duration, layout)
            begin_s = at_s - took_s if layout.time_is_end and took_s > 0 else at_s  # NaN > 0 is not
            name = service_name(layout.named([_name(row, i) for i in service]) or ONLY_SERVICE)
            sums.add(places.setdefault(name, len(places)), begin_s, took_s)
            earliest_s = min(earliest_s, at_s)
    if not places:
        raise PermanentError(f"{paths[0]} holds no requests; allowed: one a row at least")
    first = int(earliest_s // STEP_S)
    n_minutes = max(sums.last_minute() - first, 0) + 1
    check_size(paths[0], len(places), n_minutes)
    counts, duration_s = sums.tables(len(places), first, n_minutes)
    return CountTable(
        services=tuple(places),
        start_s=first * STEP_S,
        step_s=STEP_S,
        counts=counts,
        duration_s=duration_s,
    )


class Clock:
    """Reads the times of a file, which have to be of one kind throughout."""

    def __init__(self, place: int) -> None:
        self.place = place  # the column
        self._kind = ""

    def read(self, row: Row) -> float:
        """Unix s. Raises PermanentError, where some times have a zone and others none, too."""
        text = row.fields[self.place]
        if self._kind == "a number" or (not self._kind and text.replace(".", "", 1).isdecimal()):
            self._kind = "a number"
            return row.number(self.place, LATEST_S.most)
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            allowed = "seconds >= 0, or a time as in 2026-01-31T12:00:00Z"
            raise row.wrong(self.place, allowed) from None
        kind = "with a time zone" if moment.tzinfo else "without a time zone"
        self._kind = self._kind or kind
        if kind != self._kind:
            raise row.wrong(self.place, f"times {self._kind}, as those above it")
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _name(row: Row, place: int) -> str:
    if not row.fields[place]:
        raise row.wrong(place, "a name")
    return row.fields[place]


def _duration_s(row: Row, place: int, layout: RequestLayout) -> float:
    if place < 0 or not row.fields[place]:
        return np.nan
    return row.number(place, HORIZON_S.most / layout.duration_unit_s) * layout.duration_unit_s
