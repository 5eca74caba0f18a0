"""The two public layouts of Azure Functions traces, as Microsoft publishes them.

2019: one file per day, one row per function and trigger, one column per minute; average durations
by day in a file beside it. 2021: one row per invocation. Both are read as counts per minute of the
start of execution; times are relative in both, so day 1 begins at 0.
"""

import csv
import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from autoscaler.core.types import FloatArray
from autoscaler.errors import PermanentError
from autoscaler.limits import LATEST_S

STEP_S = 60.0
MINUTES = 1440  # a day
MAX_VALUES = (
    300_000_000  # services x minutes; 2.4 GB per array. The whole of 2019 is five times that
)

HEADER_2019 = ["HashOwner", "HashApp", "HashFunction", "Trigger"]
HEADER_2021 = ["app", "func", "end_timestamp", "duration"]
INVOCATIONS = "invocations_per_function_md"
DURATIONS = "function_durations_percentiles"


@dataclass(frozen=True, slots=True, kw_only=True)
class MinuteTable:
    """Counts and durations of all functions."""

    services: tuple[str, ...]  # (n,) "app/function"
    start_s: float  # s from the trace's own zero
    counts: FloatArray  # (n, n_minutes) executions that began; NaN = day without a file
    duration_s: FloatArray  # (n, n_minutes) mean execution time; NaN = none, or not recorded


def header_of(path: Path) -> list[str]:
    """The first row of a CSV file, empty for an empty file."""
    return next((row for _, row in _rows(path)), [])


def read_2019(paths: list[Path]) -> MinuteTable:
    """Read days in any order; days between them without a file are gaps.

    A function that is not listed on a day was not called on it.
    """
    by_day = _days(paths)
    first = min(by_day)
    calls = {day: _read_counts(path) for day, path in by_day.items()}
    services = tuple(sorted(set().union(*calls.values())))
    n_minutes = (max(by_day) - first + 1) * MINUTES
    check_size(paths[0], len(services), n_minutes)
    counts = np.full((len(services), n_minutes), np.nan)
    duration_s = np.full_like(counts, np.nan)
    rows = {name: row for row, name in enumerate(services)}
    for day, path in by_day.items():
        span = slice((day - first) * MINUTES, (day - first + 1) * MINUTES)
        counts[:, span] = 0.0
        for name, values in calls[day].items():
            counts[rows[name], span] = values
        for name, average_s in _read_durations(path).items():
            if name in rows:
                called = counts[rows[name], span] > 0
                duration_s[rows[name], span] = np.where(called, average_s, np.nan)
    return MinuteTable(
        services=services,
        start_s=(first - 1) * MINUTES * STEP_S,
        counts=counts,
        duration_s=duration_s,
    )


def read_2021(paths: list[Path]) -> MinuteTable:
    """Read rows in any order, counted in the minute in which they began (end - duration).

    The trace begins with the minute in which the first invocation ended: of earlier ones it has
    only the longest, so they are left out.
    """
    rows: dict[str, int] = {}
    which, ends, durations = array("q"), array("d"), array("d")
    for path in paths:
        for line, row in _data(path, 4):
            which.append(rows.setdefault(f"{row[0]}/{row[1]}", len(rows)))
            ends.append(_number(path, line, "end_timestamp", row[2], LATEST_S.most))
            durations.append(_number(path, line, "duration", row[3], LATEST_S.most))
    if not rows:
        raise PermanentError(f"{paths[0]} holds no invocations; allowed: one a row at least")
    begin = np.array(ends) - np.array(durations)
    start_s = float(np.floor(np.min(ends) / STEP_S) * STEP_S)
    minute = np.floor((begin - start_s) / STEP_S).astype(np.int64)
    n_minutes = max(int(minute.max()), 0) + 1
    check_size(paths[0], len(rows), n_minutes)
    inside = minute >= 0
    cell = (np.array(which) * n_minutes + minute)[inside]
    shape = (len(rows), n_minutes)
    counts = np.bincount(cell, minlength=len(rows) * n_minutes).reshape(shape).astype(np.float64)
    busy_s = np.bincount(cell, np.array(durations)[inside], len(rows) * n_minutes).reshape(shape)
    duration_s = np.divide(busy_s, counts, out=np.full(shape, np.nan), where=counts > 0)
    return MinuteTable(services=tuple(rows), start_s=start_s, counts=counts, duration_s=duration_s)


def check_size(path: Path, n_services: int, n_steps: int) -> None:
    """Refuse a trace that is too large for memory by a PermanentError."""
    if n_services * n_steps > MAX_VALUES:
        raise PermanentError(
            f"{path} holds {n_services} services x {n_steps} steps;"
            f" allowed: {MAX_VALUES} values, so take fewer days or services"
        )


def _days(paths: list[Path]) -> dict[int, Path]:
    by_day: dict[int, Path] = {}
    for path in paths:
        found = re.search(r"\.d(\d+)\.csv$", path.name)
        if not found and len(paths) > 1:
            raise PermanentError(f"{path} names no day; allowed: several files named *.dNN.csv")
        day = int(found[1]) if found else 1
        if day < 1 or day in by_day:
            raise PermanentError(f"{path} is day {day}; allowed: days from 1, each once")
        by_day[day] = path
    return by_day


def _read_counts(path: Path) -> dict[str, FloatArray]:
    """By "app/function", its triggers added up: (MINUTES,) executions."""
    columns = HEADER_2019 + [str(minute) for minute in range(1, MINUTES + 1)]
    if header_of(path) != columns:
        raise PermanentError(
            f"{path} has other columns; allowed: {','.join(HEADER_2019)},1..{MINUTES} in order"
        )
    counts: dict[str, FloatArray] = {}
    seen = set()
    for line, row in _data(path, len(columns)):
        if (key := tuple(row[:4])) in seen:
            raise PermanentError(f"{path} line {line}: {row[2]} ({row[3]}) again; allowed: once")
        seen.add(key)
        try:
            values = np.array(row[4:], dtype=np.float64)
        except ValueError:
            values = np.array([_number(path, line, "a count", text) for text in row[4:]])
        if not (np.isfinite(values).all() and (values >= 0).all()):
            for text in row[4:]:
                _number(path, line, "a count", text)
        name = f"{row[1]}/{row[2]}"
        counts[name] = counts[name] + values if name in counts else values
    if not counts:
        raise PermanentError(f"{path} holds no functions; allowed: one a row at least")
    return counts


def _read_durations(invocations: Path) -> dict[str, float]:
    """Seconds by "app/function" from the file of the same day, {} where there is none."""
    path = invocations.with_name(invocations.name.replace(INVOCATIONS, DURATIONS))
    if path == invocations or not path.exists():
        return {}
    wanted = ("HashApp", "HashFunction", "Average", "Count")
    header = header_of(path)
    if not set(wanted) <= set(header):
        raise PermanentError(f"{path} has other columns; allowed: {', '.join(wanted)} and more")
    app, function, average, count = (header.index(name) for name in wanted)
    busy_ms: dict[str, float] = {}
    n_calls: dict[str, float] = {}
    for line, row in _data(path, len(header)):
        name = f"{row[app]}/{row[function]}"
        n = _number(path, line, "Count", row[count])
        busy = n * _number(path, line, "Average", row[average])
        busy_ms[name] = busy_ms.get(name, 0.0) + busy
        n_calls[name] = n_calls.get(name, 0.0) + n
    return {name: busy_ms[name] / n / 1000 for name, n in n_calls.items() if n > 0}


def _number(path: Path, line: int, thing: str, text: str, most: float = np.inf) -> float:
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not (0 <= value <= most and value < np.inf):
        allowed = "a number >= 0" + (f" and <= {most:g}" if most < np.inf else "")
        raise PermanentError(f"{path} line {line}: {thing} is {text!r}; allowed: {allowed}")
    return value


def _data(path: Path, n_columns: int) -> Iterator[tuple[int, list[str]]]:
    for line, row in _rows(path):
        if line == 1:
            continue
        if len(row) != n_columns:
            raise PermanentError(f"{path} line {line} has {len(row)} columns; allowed: {n_columns}")
        yield line, row


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line number, from 1, and fields."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.reader(file)
            for row in reader:
                yield reader.line_num, row
    except OSError as error:
        raise PermanentError(f"{path} cannot be read: {error.strerror or error}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise PermanentError(f"{path} is no CSV text: {error}") from error
