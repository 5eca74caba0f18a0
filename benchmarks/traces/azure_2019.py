"""Azure Functions 2019, and InVitro's samples of it: a row a function, a column a minute.

The layout is Microsoft's (Azure/AzurePublicDataset, AzureFunctionsDataset2019.md): a file a day
``invocations_per_function_md.anon.dNN.csv`` with HashOwner, HashApp, HashFunction, Trigger and
minutes 1 to 1440, and beside it ``function_durations_percentiles.anon.dNN.csv``, of which Average
(ms) and Count are read. InVitro (vhive-serverless/invitro, docs/sampler.md) writes one file
``invocations.csv`` with the minutes of an excerpt, and ``durations.csv`` beside it. Memory is not
read. Times are relative, so day 1 begins at 0.
"""

import re
from pathlib import Path

import numpy as np

from autoscaler.core.types import FloatArray
from autoscaler.errors import PermanentError
from benchmarks.traces.count_table import CountTable, check_size
from benchmarks.traces.csv_rows import header_of, rows

STEP_S = 60.0
MINUTES = 1440  # a day
NAMES = ["HashOwner", "HashApp", "HashFunction", "Trigger"]
COLUMNS = f"{','.join(NAMES)},1..{MINUTES}"
DURATION_COLUMNS = ("HashApp", "HashFunction", "Average", "Count")
INVOCATIONS = "invocations_per_function_md"
DURATION_FILES = {INVOCATIONS: "function_durations_percentiles", "invocations.csv": "durations.csv"}


def matches(header: list[str]) -> bool:
    """Whether a file with this header is read here."""
    return header[: len(NAMES)] == NAMES


def read(paths: list[Path]) -> CountTable:
    """Read days in any order; days between them without a file are gaps.

    A function that is not listed on a day was not called on it. Raises PermanentError.
    """
    by_day = _days(paths)
    first = min(by_day)
    by_file = [_minutes(path, whole=len(paths) > 1) for path in by_day.values()]
    minutes = by_file[0]  # as all of them, if there are several
    calls = {day: _read_counts(path) for day, path in by_day.items()}
    services = tuple(sorted(set().union(*calls.values())))
    n_days = max(by_day) - first + 1
    check_size(paths[0], len(services), n_days * len(minutes))
    counts = np.full((len(services), n_days * len(minutes)), np.nan)
    duration_s = np.full_like(counts, np.nan)
    place = {name: row for row, name in enumerate(services)}
    for day, path in by_day.items():
        span = slice((day - first) * len(minutes), (day - first + 1) * len(minutes))
        counts[:, span] = 0.0
        for name, values in calls[day].items():
            counts[place[name], span] = values
        for name, average_s in _read_durations(path).items():
            if name in place:
                called = counts[place[name], span] > 0
                duration_s[place[name], span] = np.where(called, average_s, np.nan)
    return CountTable(
        services=services,
        start_s=((first - 1) * MINUTES + minutes.start - 1) * STEP_S,
        step_s=STEP_S,
        counts=counts,
        duration_s=duration_s,
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


def _minutes(path: Path, *, whole: bool) -> range:
    """The minutes that a file's columns are, from 1: of whole days all of them."""
    names = header_of(path)[len(NAMES) :]
    first = int(names[0]) if names and names[0].isdecimal() and len(names[0]) < 9 else 0
    minutes = range(max(first, 1), max(first, 1) + len(names))
    wrong = not names or names != [str(minute) for minute in minutes]
    if wrong or (whole and minutes != range(1, MINUTES + 1)):
        consecutive = "" if whole else ", or consecutive minutes of an excerpt"
        raise PermanentError(f"{path} has other columns; allowed: {COLUMNS} in order{consecutive}")
    return minutes


def _read_counts(path: Path) -> dict[str, FloatArray]:
    """By "app/function", its triggers added up: (n_minutes,) executions."""
    counts: dict[str, FloatArray] = {}
    seen = set()
    for row in rows(path):
        _, app, function, trigger = row.fields[: len(NAMES)]
        if (key := tuple(row.fields[: len(NAMES)])) in seen:
            raise PermanentError(
                f"{path} line {row.line}: {function} ({trigger}) again; allowed: once"
            )
        seen.add(key)
        values, name = row.numbers(len(NAMES)), f"{app}/{function}"
        counts[name] = counts[name] + values if name in counts else values
    if not counts:
        raise PermanentError(f"{path} holds no functions; allowed: one a row at least")
    return counts


def _read_durations(invocations: Path) -> dict[str, float]:
    """Seconds by "app/function" from the file of the same day, {} where there is none."""
    name = invocations.name
    for theirs, beside in DURATION_FILES.items():
        name = name.replace(theirs, beside)
    path = invocations.with_name(name)
    if path == invocations or not path.exists():
        return {}
    header = header_of(path)
    if not set(DURATION_COLUMNS) <= set(header):
        raise PermanentError(
            f"{path} has other columns; allowed: {', '.join(DURATION_COLUMNS)} and more"
        )
    app, function, average, count = (header.index(column) for column in DURATION_COLUMNS)
    busy_ms: dict[str, float] = {}
    n_calls: dict[str, float] = {}
    for row in rows(path):
        name = f"{row.fields[app]}/{row.fields[function]}"
        n = row.number(count)
        busy_ms[name] = busy_ms.get(name, 0.0) + n * row.number(average)
        n_calls[name] = n_calls.get(name, 0.0) + n
    return {name: busy_ms[name] / n / 1000 for name, n in n_calls.items() if n > 0}
