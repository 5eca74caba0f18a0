"""Recorded traffic, read from npz arrays, public CSV layouts or OpenMetrics.

A trace has recorded values only: steps that were not recorded are NaN, and ``kind`` states whether
the numbers are arrivals or requests in flight.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import numpy as np

from autoscaler.bundle.npz import NPZ_START, Arrays, read_npz
from autoscaler.core.types import BoolArray, FloatArray
from autoscaler.errors import PermanentError
from autoscaler.limits import HORIZON_S, LATEST_S
from benchmarks.traces import events, layouts, ragged
from benchmarks.traces.count_table import check_size, service_name

Kind = Literal["counts", "in_flight"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Series of several services with one regular step."""

    services: tuple[str, ...]  # (n,) "namespace/service"
    start_s: (
        float  # Unix s at which the first step begins; from 0 where only relative time is known
    )
    step_s: float  # s
    counts: FloatArray  # (n, n_steps) as ``kind`` says; NaN = gap
    duration_s: (
        FloatArray  # (n, n_steps) mean service time of a request; NaN = no request, or unknown
    )
    kind: Kind  # "counts": requests that arrived in the step; "in_flight": pods' worth in flight

    def __post_init__(self) -> None:
        """Check shapes and values once."""
        shape = (len(self.services), self.counts.shape[-1])
        for name, array in (("counts", self.counts), ("duration_s", self.duration_s)):
            if array.shape != shape:
                raise PermanentError(f"{name} has shape {array.shape}; allowed: {shape}")
            if np.isinf(array).any() or (array < 0).any():
                raise PermanentError(f"{name} holds a negative or infinite value; allowed: >= 0")
        if not shape[0] or not shape[1]:
            raise PermanentError(
                f"counts has shape {shape}; allowed: a service and a step at least"
            )
        if len(set(self.services)) != shape[0]:
            raise PermanentError("a service is in the trace twice; allowed: once")
        for name, value, limit in (
            ("start_s", abs(self.start_s), LATEST_S),
            ("step_s", self.step_s, HORIZON_S),
            ("the longest of duration_s", np.nanmax(self.duration_s, initial=0.0), HORIZON_S),
        ):
            if not value <= limit.most:
                raise PermanentError(f"{name} is {value:g}; allowed: up to {limit.most:g} s")
        if not self.step_s > 0:
            raise PermanentError(f"step_s is {self.step_s}; allowed: > 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """The meaning of an array of an npz."""

    kind: Kind = "counts"
    per_second: bool = False
    nan_is_gap: bool = False  # else a NaN has to be marked by ``valid`` or ``n_valid``


_LAYOUTS = {
    "counts": _Layout(),
    "requests": _Layout(),
    "rate_rps": _Layout(per_second=True),
    "ops": _Layout(per_second=True, nan_is_gap=True),
    "containers": _Layout(kind="in_flight"),
}
_ALLOWED = (
    f"arrays ids, step_s and one of {', '.join(_LAYOUTS)}; "
    f"or {events.WHEN}, a row a request; or {ragged.FIRST}, v_0, ..., times and values by id"
)


def read_trace(path: Path, *more: Path) -> Trace:
    """Read an npz file, text files of one layout, or a folder of them.

    The layout is told by how a file begins: `benchmarks.traces.layouts` names all of them. Ids
    without a namespace are put into "default". Raises PermanentError, naming the file and, where
    there is one, line and column, where it is missing, of no known layout, or holds impossible
    values.
    """
    paths = [path, *more]
    if len(paths) == 1 and path.is_dir():
        paths = layouts.files_of(path)
    if _is_npz(paths[0]):
        if len(paths) > 1:
            raise PermanentError(f"{paths[1]} is one npz too many; allowed: one, or CSV files")
        return _read_npz_trace(paths[0])
    table = layouts.read_text(paths)
    try:
        return Trace(
            services=table.services,
            start_s=table.start_s,
            step_s=table.step_s,
            counts=table.counts,
            duration_s=table.duration_s,
            kind="counts",
        )
    except PermanentError as error:
        raise PermanentError(f"{paths[0]}: {error}") from error


def _is_npz(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(NPZ_START)) == NPZ_START
    except OSError as error:
        raise PermanentError(f"{path} cannot be read: {error.strerror or error}") from error


def _read_npz_trace(path: Path) -> Trace:
    arrays = read_npz(path, allowed=_ALLOWED)
    if events.WHEN in arrays:
        arrays = events.by_minute(arrays, path)
    if ragged.FIRST in arrays:
        arrays = ragged.on_one_grid(arrays, path)
    held = [name for name in _LAYOUTS if name in arrays]
    if len(held) != 1 or not {"ids", "step_s"} <= arrays.keys():
        raise PermanentError(f"{path} holds {', '.join(arrays)[:200]}; allowed: {_ALLOWED}")
    layout = _LAYOUTS[held[0]]
    values = _values(arrays, held[0], path)
    unmarked = np.isnan(values) & _recorded(arrays, values.shape, path)
    if unmarked.any() and not layout.nan_is_gap:
        row, step = (int(i) for i in np.argwhere(unmarked)[0])
        raise PermanentError(
            f"{path}: {held[0]}[{row}, {step}] is nan; allowed: outside valid only"
        )
    step_s = _scalar(arrays, "step_s", path)
    columns = _columns(arrays, values.shape[1], step_s, path)
    check_size(path, len(values), int(columns[-1]) + 1)
    durations = _durations(arrays, values.shape, path)
    try:
        return Trace(
            services=_services(arrays),
            start_s=_start_s(arrays),
            step_s=step_s,
            counts=_with_gaps(values * (step_s if layout.per_second else 1.0), columns),
            duration_s=_with_gaps(durations, columns),
            kind=layout.kind,
        )
    except PermanentError as error:
        raise PermanentError(f"{path}: {error}") from error


def _values(arrays: Arrays, name: str, path: Path) -> FloatArray:
    """(n, T); NaN where nothing was recorded."""
    array = arrays[name]
    if array.ndim != 2 or not array.size or array.dtype.kind not in "iuf":
        raise PermanentError(
            f"{path}: {name} is {array.dtype} of shape {array.shape}; allowed: numbers (n, T)"
        )
    values = np.where(_recorded(arrays, array.shape, path), array.astype(np.float64), np.nan)
    wrong = (values < 0) | np.isinf(values)
    if wrong.any():
        row, step = (int(i) for i in np.argwhere(wrong)[0])
        raise PermanentError(
            f"{path}: {name}[{row}, {step}] is {values[row, step]:g}; allowed: finite, >= 0"
        )
    return values


def _recorded(arrays: Arrays, shape: tuple[int, ...], path: Path) -> BoolArray:
    """(n, T); False where ``valid`` is False, or from a series' ``n_valid`` on."""
    recorded = np.ones(shape, dtype=np.bool_)
    if "valid" in arrays:
        valid = arrays["valid"]
        if valid.shape != shape or valid.dtype.kind != "b":
            raise PermanentError(
                f"{path}: valid is {valid.dtype} of shape {valid.shape}; allowed: bool of {shape}"
            )
        recorded &= valid
    if "n_valid" in arrays:
        n_valid = arrays["n_valid"]
        if n_valid.shape != shape[:1] or n_valid.dtype.kind not in "iu":
            raise PermanentError(
                f"{path}: n_valid is {n_valid.dtype} of shape {n_valid.shape};"
                f" allowed: whole numbers of shape {shape[:1]}"
            )
        recorded &= np.arange(shape[1]) < n_valid[:, None]
    return recorded


def _durations(arrays: Arrays, shape: tuple[int, ...], path: Path) -> FloatArray:
    if "avg_duration_s" not in arrays:
        return np.full(shape, np.nan)
    array = arrays["avg_duration_s"]
    if array.shape != shape or array.dtype.kind not in "iuf":
        raise PermanentError(
            f"{path}: avg_duration_s is {array.dtype} of shape {array.shape};"
            f" allowed: numbers of shape {shape}"
        )
    return array.astype(np.float64)


def _services(arrays: Arrays) -> tuple[str, ...]:
    ids = arrays["ids"]
    if ids.ndim != 1 or ids.dtype.kind != "U" or not ids.size or not ids.all():
        raise PermanentError(f"ids is {ids.dtype} of shape {ids.shape}; allowed: text (n,)")
    names = tuple(map(service_name, ids.tolist()))
    name, n_times = Counter(names).most_common(1)[0]
    if n_times > 1:
        raise PermanentError(f"ids holds {name!r} {n_times} times; allowed: once")
    return names


def _scalar(arrays: Arrays, name: str, path: Path) -> float:
    array = arrays[name]
    if array.ndim or array.dtype.kind not in "iuf" or not 0 < array < np.inf:
        raise PermanentError(f"{path}: {name} is {str(array)[:40]}; allowed: one number > 0")
    return float(array)


def _start_s(arrays: Arrays) -> float:
    if "ts" in arrays:
        return float(arrays["ts"][0])
    if "t0" not in arrays:
        return 0.0
    try:
        start = datetime.fromisoformat(str(arrays["t0"]))
    except ValueError as error:
        raise PermanentError(f"t0 is {str(arrays['t0'])[:40]!r}; allowed: ISO 8601") from error
    return (start if start.tzinfo else start.replace(tzinfo=UTC)).timestamp()


def _columns(arrays: Arrays, n_steps: int, step_s: float, path: Path) -> FloatArray:
    """(T,) index of each column's step, counted from the first; without ``ts`` 0, 1, 2, ..."""
    if "ts" not in arrays:
        return np.arange(float(n_steps))
    times = arrays["ts"]
    if times.shape != (n_steps,) or times.dtype.kind not in "iuf":
        raise PermanentError(
            f"{path}: ts is {times.dtype} of shape {times.shape}; allowed: Unix s ({n_steps},)"
        )
    columns = np.asarray((times - times[0]) / step_s, dtype=np.float64)
    for wrong, allowed in (
        (~np.isfinite(columns), "finite"),
        (np.diff(columns, prepend=-1.0) <= 0, "ascending, each time once"),
        (np.abs(columns - np.rint(columns)) > 1e-6, f"whole steps of {step_s:g} s apart"),
    ):
        if wrong.any():
            at = int(np.argmax(wrong))
            raise PermanentError(f"{path}: ts[{at}] is {times[at]}; allowed: {allowed}")
    return np.rint(columns)


def _with_gaps(values: FloatArray, columns: FloatArray) -> FloatArray:
    """(n, last column + 1) values (n, T) at their columns, NaN between them."""
    result = np.full((len(values), int(columns[-1]) + 1), np.nan)
    result[:, columns.astype(np.int64)] = values
    return result
