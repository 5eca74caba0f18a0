"""Idle times of a series of zeros and ones: when the next one comes, judged by past stretches.

Three kinds of stretches are timed: **idle** (last call to next call: sparse callers), **busy** (how
long a run of calls lasts) and **cycle** (start of a run to the start of the next: timers whose work
varies in length). The *empirical hazard* at a stretch's age is the share that ended within a span
of steps, of the past ones that lasted at least as long. Only the last ``MEMORY`` stretches count,
which bounds the work and follows change.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from autoscaler.core.types import BoolArray, IntArray

MEMORY = 128  # stretches that count
DEPTHS = (8, 32, MEMORY)  # stretches; series with few are computed apart from those with many
ROWS_AT_ONCE = 8192  # what is computed of them fits a processor's cache

Columns = dict[str, npt.NDArray[np.float32]]
Kind = Literal["idle", "busy", "cycle"]
KINDS: tuple[Kind, ...] = ("idle", "busy", "cycle")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretches:
    """Completed stretches of many series, in one flat array, series after series."""

    length: npt.NDArray[np.float32]  # (n_stretches,) steps; NaN = a data gap lay within
    first: IntArray  # (n_series,) where each series begins in ``length``
    done: npt.NDArray[np.int32]  # (n_series, n_steps + 1) how many were complete at each origin
    began: npt.NDArray[np.int32]  # (n_series, n_steps + 1) step the open one counts from; -1 = none


def stretches_of(active: BoolArray, known: BoolArray) -> dict[Kind, Stretches]:
    """Idle, busy and cycle stretches of series ``active`` (n_series, n_steps), where ``known``."""
    before = np.zeros_like(active)
    before[:, 1:] = active[:, :-1]
    starts = active & ~before
    ends = ~active & before  # the step after the last call of a run
    gaps = np.cumsum(~known, axis=1, dtype=np.int32)
    origin = np.where(active, np.arange(active.shape[1], dtype=np.int32), -1)
    last_call = _running_last(origin)
    last_start = _running_last(np.where(starts, np.arange(active.shape[1], dtype=np.int32), -1))
    return {
        "idle": _stretches(starts, last_call, gaps),
        "busy": _stretches(ends, last_start, gaps),
        "cycle": _stretches(starts, last_start, gaps),
    }


def _running_last(marks: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """(n_series, n_steps + 1) at each origin: the latest mark before it, -1 = none."""
    none = np.full((marks.shape[0], 1), -1, dtype=np.int32)
    return np.concatenate([none, np.maximum.accumulate(marks, axis=1)], axis=1)


def _stretches(
    complete: BoolArray, began: npt.NDArray[np.int32], gaps: npt.NDArray[np.int32]
) -> Stretches:
    complete = complete & (began[:, :-1] >= 0)
    series, step = np.nonzero(complete)
    start = began[series, step]
    length = (step - start).astype(np.float32)
    length[gaps[series, step] > gaps[series, start]] = np.nan
    done = np.zeros(began.shape, dtype=np.int32)
    np.cumsum(complete, axis=1, out=done[:, 1:])
    first = np.concatenate([[0], np.cumsum(done[:, -1])[:-1]]).astype(np.int64)
    return Stretches(length=length, first=first, done=done, began=began)


def past_lengths(
    stretches: Stretches, series: IntArray, origin: IntArray
) -> npt.NDArray[np.float32]:
    """(n_rows, MEMORY) lengths of the stretches complete at each origin, latest first, then NaN."""
    done = stretches.done[series, origin].astype(np.int64)
    depth = int(min(MEMORY, done.max(initial=0)))
    back = np.arange(max(depth, 1))[None, :]
    index = stretches.first[series][:, None] + done[:, None] - 1 - back
    padded = np.append(stretches.length, np.float32(np.nan))
    return padded[np.where(back < done[:, None], index, -1)]


def age_features(
    stretches: Stretches, series: IntArray, origin: IntArray, spans: list[tuple[int, int]]
) -> Columns:
    """Age of the open stretch, and how likely past ones of that age ended in each span of steps.

    series, origin: (n_rows,). spans: windows in steps after the origin, ``[from, to)``.
    """
    began = stretches.began[series, origin]
    age = np.where(began >= 0, origin - began, np.nan).astype(np.float32)
    depth = depths_of(stretches.done[series, origin])
    columns: Columns = {}
    for place in range(len(DEPTHS)):
        alike = np.flatnonzero(depth == place)
        for rows in np.array_split(alike, len(alike) // ROWS_AT_ONCE + 1):
            past = past_lengths(stretches, series[rows], origin[rows])
            for name, column in age_columns(age[rows], past, spans).items():
                columns.setdefault(name, np.empty_like(age))[rows] = column
    return columns


def depths_of(number: npt.NDArray[Any]) -> IntArray:
    """Place among `DEPTHS` that so many stretches (n,) take."""
    return np.minimum(np.searchsorted(DEPTHS, number), len(DEPTHS) - 1)


def age_columns(
    age: npt.NDArray[np.float32], past: npt.NDArray[np.float32], spans: list[tuple[int, int]]
) -> Columns:
    """The features of `age_features`, of ages (n_rows,) and past lengths (n_rows, depth)."""
    lasted = past >= age[:, None]
    at_risk = lasted.sum(axis=1, dtype=np.float32)
    n_past = (~np.isnan(past)).sum(axis=1, dtype=np.float32)
    columns: Columns = {"age": age, "outlived": 1 - at_risk / np.maximum(n_past, 1)}
    columns["at_risk"] = at_risk
    for begin, end in spans:
        ended = (lasted & (past >= age[:, None] + begin) & (past < age[:, None] + end)).sum(axis=1)
        columns[f"hazard_{begin}_{end}"] = (ended + 0.1) / (at_risk + 1)
    return {name: column.astype(np.float32) for name, column in columns.items()}


def length_features(stretches: Stretches, series: IntArray, origin: IntArray) -> Columns:
    """The last three lengths, and mean, deviation, median, least, greatest and number of them.

    Computed once for every distinct past, not for every row: most rows share theirs.
    """
    key = stretches.first[series] + series + stretches.done[series, origin]
    _, row, back_to_row = np.unique(key, return_index=True, return_inverse=True)
    past = past_lengths(stretches, series[row], origin[row])
    return {name: column[back_to_row] for name, column in length_columns(past).items()}


def length_columns(past: npt.NDArray[np.float32]) -> Columns:
    """The features of `length_features`, of past lengths (n_rows, depth), latest first."""
    known = ~np.isnan(past)
    n_past = known.sum(axis=1)
    some = n_past > 0
    divisor = np.maximum(n_past, 1)
    mean = np.where(known, past, 0).sum(axis=1) / divisor
    variance = np.where(known, (past - mean[:, None]) ** 2, 0).sum(axis=1) / divisor
    ordered = np.sort(past, axis=1)  # NaN last
    rows = np.arange(len(past))
    lag = [past[:, i] if i < past.shape[1] else np.full(len(past), np.nan) for i in range(3)]
    columns: dict[str, npt.NDArray[Any]] = {
        "last": lag[0],
        "last2": lag[1],
        "last3": lag[2],
        "mean": np.where(some, mean, np.nan),
        "deviation": np.where(some, np.sqrt(variance), np.nan),
        "median": ordered[rows, (divisor - 1) // 2],
        "least": ordered[:, 0],
        "greatest": ordered[rows, divisor - 1],
        "number": n_past.astype(np.float64),
        "irregular": np.where(n_past > 1, np.sqrt(variance) / np.maximum(mean, 1), np.nan),
    }
    return {name: column.astype(np.float32) for name, column in columns.items()}
