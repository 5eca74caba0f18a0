"""OpenMetrics text with kn-ahead's own metrics, as ``kn-ahead export`` writes it, read back.

Arrivals are the differences of ``kn_ahead_requests_total`` from step to step. A step is recorded if
it has a ``kn_ahead_peak_in_flight``, and else a gap. Durations are not in there.
"""

import re
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from autoscaler.core.types import FloatArray
from autoscaler.errors import PermanentError
from autoscaler.limits import LATEST_S
from benchmarks.traces.count_table import CountTable, check_size
from benchmarks.traces.csv_rows import numbered_lines

TOTAL, PEAK = "kn_ahead_requests_total", "kn_ahead_peak_in_flight"
SHORT_PEAK = "kn_ahead_short_peak_in_flight"  # of steps of some seconds
STARTS = ("# HELP kn_ahead_", "# TYPE kn_ahead_", TOTAL)
_LABEL = r'"((?:[^"\\]|\\.)*)"'
_SAMPLE = re.compile(
    rf"({TOTAL}|{PEAK}|{SHORT_PEAK})"
    rf"\{{namespace={_LABEL},service={_LABEL}\}} (\d\S*) (\d\S*)\r?\n?"
)
_ESCAPES = {r"\\": "\\", r"\"": '"', r"\n": "\n"}


class _Sample(NamedTuple):
    line: int
    metric: str
    service: str
    value: float
    at_s: float


class _Series(NamedTuple):
    at_s: "array[float]"  # ascending
    values: "array[float]"


def matches(first_line: str) -> bool:
    """Whether a file that begins so is read here."""
    return first_line.startswith(STARTS)


def read(path: Path) -> CountTable:
    """Read a file. Raises PermanentError, naming the line, where a sample cannot be."""
    series = _series(path)
    services = tuple(dict.fromkeys(service for metric, service in series if metric == TOTAL))
    times = np.unique(np.concatenate([[np.nan], *(one.at_s for one in series.values())]))[:-1]
    if not services or len(times) < 2:
        raise PermanentError(f"{path} has no two samples of {TOTAL}; allowed: a step at least")
    step_s = float(np.diff(times).min())
    place = np.rint((times - times[0]) / step_s)
    odd = np.abs(times[0] + place * step_s - times) > 2e-3
    if odd.any():
        raise PermanentError(
            f"{path} has a sample at {times[odd][0]:.3f}; allowed: whole steps of {step_s:g} s from"
            f" {times[0]:.3f}"
        )
    n_points = int(place[-1]) + 1
    check_size(path, len(services), n_points)

    def points(metric: str) -> FloatArray:
        """(n, n_points) a metric's values; NaN = no sample."""
        values = np.full((len(services), n_points), np.nan)
        for row, service in enumerate(services):
            if (metric, service) in series:
                one = series[metric, service]
                step = np.rint((np.array(one.at_s) - times[0]) / step_s)
                values[row, step.astype(np.int64)] = one.values
        return values

    recorded = ~(np.isnan(points(PEAK)) & np.isnan(points(SHORT_PEAK)))[:, 1:]
    counts = np.where(recorded, np.diff(points(TOTAL), axis=1), np.nan)
    return CountTable(
        services=services,
        start_s=float(times[0]),
        step_s=step_s,
        counts=counts,
        duration_s=np.full_like(counts, np.nan),
    )


def _series(path: Path) -> dict[tuple[str, str], _Series]:
    """By metric and service."""
    series: dict[tuple[str, str], _Series] = {}
    for line, metric, service, value, at_s in _samples(path):
        one = series.setdefault((metric, service), _Series(array("d"), array("d")))
        if one.at_s and (at_s <= one.at_s[-1] or (metric == TOTAL and value < one.values[-1])):
            raise PermanentError(
                f"{path} line {line}: {value:g} at {at_s:.3f} after {one.values[-1]:g} at"
                f" {one.at_s[-1]:.3f}; allowed: times and totals that rise"
            )
        one.at_s.append(at_s)
        one.values.append(value)
    return series


def _samples(path: Path) -> Iterator[_Sample]:
    whole = False
    for number, line in numbered_lines(path):
        whole = line.startswith("# EOF")
        if not line.startswith((TOTAL, PEAK, SHORT_PEAK)):
            continue
        fields = _SAMPLE.fullmatch(line)
        value, at_s = (_number(fields[4]), _number(fields[5])) if fields else (np.inf, np.inf)
        if not fields or not value < np.inf or not at_s <= LATEST_S.most:
            raise PermanentError(
                f"{path} line {number}: {line[:90].rstrip()!r}; allowed:"
                ' METRIC{namespace="..",service=".."} VALUE SECONDS, both >= 0'
            )
        service = f"{_unescaped(fields[2])}/{_unescaped(fields[3])}"
        yield _Sample(number, fields[1], service, value, at_s)
    if not whole:
        raise PermanentError(f"{path} does not end with # EOF, so it is cut off; allowed: whole")


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return np.inf


def _unescaped(text: str) -> str:
    return re.sub(r"\\.", lambda found: _ESCAPES.get(found[0], found[0]), text)
