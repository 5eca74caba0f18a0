"""Huawei's tables of requests: a row a step, a column a function (2023 and 2025 releases).

The layout is Huawei's (sir-lab/data-release, README_data_release_2023.md and _2025.md): a file a
day, ``requests_minute/day_000.csv``, ``requests_second/`` or ``requests/``, with day, time (s since
the trace began) and a column for each function, blank where it had no request. Days may be missing
(141 of 235 were recorded in the private cloud); they are gaps. Mean execution times, s, come from
the file of the same name in ``function_delay_minute``, ``function_delay_second`` or
``totalCost_avg`` beside that folder, if there is one; the unit is stated for 2025 only.
"""

from pathlib import Path

import numpy as np

from autoscaler.core.types import FloatArray
from autoscaler.errors import PermanentError
from autoscaler.limits import LATEST_S
from benchmarks.traces.count_table import CountTable, check_size, service_name
from benchmarks.traces.csv_rows import header_of, rows

NAMES = ["day", "time"]
DURATION_FOLDERS = {
    "requests_minute": "function_delay_minute",
    "requests_second": "function_delay_second",
    "requests": "totalCost_avg",
}
COLD_STARTS = "totalCost_cold_start"


def matches(header: list[str]) -> bool:
    """Whether a file with this header is read here."""
    return header[: len(NAMES)] == NAMES and len(header) > len(NAMES) and COLD_STARTS not in header


def read(paths: list[Path]) -> CountTable:
    """Read days in any order; steps between them without a row are gaps. Raises PermanentError."""
    times = np.unique(np.concatenate([_times(path) for path in paths]))
    columns = sorted(set().union(*(header_of(path)[len(NAMES) :] for path in paths)), key=_order)
    step_s = float(np.diff(times).min(initial=60.0))
    n_steps = round(float(times[-1] - times[0]) / step_s) + 1
    check_size(paths[0], len(columns), n_steps)
    table = _Table(columns, float(times[0]), step_s, n_steps)
    counts, duration_s = table.empty(), table.empty()
    for path in paths:
        table.fill(counts, path, blank=0.0)
        if (beside := _durations_of(path)) is not None:
            table.fill(duration_s, beside, blank=np.nan)
    return CountTable(
        services=tuple(map(_service, columns)),
        start_s=float(times[0]),
        step_s=step_s,
        counts=counts,
        duration_s=np.where(counts > 0, duration_s, np.nan),
    )


class _Table:
    """The whole trace's columns and steps."""

    def __init__(self, columns: list[str], start_s: float, step_s: float, n_steps: int) -> None:
        self._place = {name: i for i, name in enumerate(columns)}
        self._start_s, self._step_s, self._n_steps = start_s, step_s, n_steps

    def empty(self) -> FloatArray:
        """(n, n_steps) of gaps."""
        return np.full((len(self._place), self._n_steps), np.nan)

    def fill(self, values: FloatArray, path: Path, *, blank: float) -> None:
        """Fill in a file's rows. Columns and steps that are not the table's are left out."""
        header = header_of(path)[len(NAMES) :]
        theirs = [i for i, name in enumerate(header) if name in self._place]
        ours = [self._place[header[i]] for i in theirs]
        seen = set()
        for row in rows(path):
            step = (row.number(1, LATEST_S.most) - self._start_s) / self._step_s
            if step != int(step):
                raise row.wrong(1, f"whole steps of {self._step_s:g} s from {self._start_s:g}")
            if step in seen:
                raise row.wrong(1, "each time once")
            seen.add(step)
            if 0 <= step < self._n_steps:
                values[ours, int(step)] = row.numbers(len(NAMES), blank=blank)[theirs]


def _times(path: Path) -> FloatArray:
    times = np.array([row.number(1, LATEST_S.most) for row in rows(path)])
    if not len(times):
        raise PermanentError(f"{path} holds no steps; allowed: one a row at least")
    return times


def _durations_of(path: Path) -> Path | None:
    folder = DURATION_FOLDERS.get(path.parent.name)
    beside = path.parent.parent / folder / path.name if folder else path
    return beside if beside != path and beside.exists() else None


def _order(column: str) -> tuple[int, str]:
    """Functions that are numbers come in order of these."""
    return (int(column), "") if column.isdecimal() and len(column) < 9 else (10**9, column)


def _service(column: str) -> str:
    """2025: funcName---userID---poolName becomes "userID/funcName-poolName"."""
    parts = column.split("---")
    return f"{parts[1]}/{parts[0]}-{parts[2]}" if len(parts) == 3 else service_name(column)
