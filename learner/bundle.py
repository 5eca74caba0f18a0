"""A forecast bundle on disk: what the learner publishes for the autoscaler to pick up.

The two are separate processes that may be of different versions, so the file says what it is before
it says anything else, and a reader that does not know it refuses in one line instead of guessing.
It is an npz of plain arrays, never pickle: reading a file must not be able to run it. It appears
under its name whole or not at all.
"""

import stat
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from autoscaler.core.dependencies import COLUMNS, KINDS, Edges
from autoscaler.core.forecasts import ForecastBundle
from autoscaler.errors import PermanentError
from autoscaler.files import whole_file

MAGIC = "kn-ahead forecast bundle"
VERSION = 2  # 2: with edges
NPZ_START = b"PK\x03\x04"
LARGEST = 512 * 2**20  # bytes of arrays: more would push out of memory whoever reads them
LATEST_S = 1e11  # Unix s, in the year 5138
LONGEST_S = 31 * 86_400.0  # s ahead: a horizon without end would never be stale
MOST_DEMAND = 1.5e8  # requests in flight: a cluster's 150,000 pods at Knative's 1,000 each

Arrays = dict[str, np.ndarray[Any, Any]]

_EDGE = "edge_"
_TEXTS = ("services", "model", "reason")
_SCALARS = ("made_at_s", "fitted_at_s")
_NUMBERS = ("window_edges_s", "demand_edges", "exceedance")
_DIMENSIONS = {"window_edges_s": 1, "demand_edges": 2, "exceedance": 3}
# All that a zip archive or an npy header can raise when bytes in it are wrong.
_DAMAGE = (
    ValueError,
    EOFError,
    RuntimeError,
    OverflowError,
    MemoryError,
    zipfile.BadZipFile,
    zlib.error,
)


def save_bundle(bundle: ForecastBundle, path: Path) -> None:
    """Write the bundle to ``path``; whoever reads meanwhile sees the old file or the new one.

    Raises PermanentError where the file cannot be written; nothing half-written is left behind.
    """
    arrays: Arrays = {"magic": np.array(MAGIC), "version": np.array(VERSION)}
    arrays |= {name: np.array(getattr(bundle, name), dtype=np.str_) for name in _TEXTS}
    arrays |= {name: np.asarray(getattr(bundle, name), np.float64) for name in _SCALARS + _NUMBERS}
    arrays[f"{_EDGE}services"] = np.array(bundle.edges.services, dtype=np.str_)
    arrays |= {_EDGE + name: getattr(bundle.edges, name) for name in COLUMNS}
    with whole_file(path) as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def load_bundle(path: Path) -> ForecastBundle:
    """Read a bundle that ``save_bundle`` wrote.

    Raises PermanentError, naming the file, where it is missing, foreign, damaged or of another
    version.
    """
    arrays = read_npz(path, allowed=f"a {MAGIC}", largest=LARGEST)
    _check_identity(arrays, path)
    _check_layout(arrays, path)
    _check_shapes(arrays, path)
    _check_values(arrays, path)
    return ForecastBundle(
        services=tuple(arrays["services"].tolist()),
        made_at_s=float(arrays["made_at_s"]),
        fitted_at_s=float(arrays["fitted_at_s"]),
        window_edges_s=arrays["window_edges_s"],
        demand_edges=arrays["demand_edges"],
        exceedance=arrays["exceedance"],
        model=tuple(arrays["model"].tolist()),
        reason=tuple(arrays["reason"].tolist()),
        edges=_edges(arrays, path),
    )


def _edges(arrays: Arrays, path: Path) -> Edges:
    lacking = [_EDGE + n for n in ("services", *COLUMNS) if _EDGE + n not in arrays]
    if lacking:
        raise PermanentError(f"{path} lacks the array {lacking[0]}; allowed: a whole {MAGIC}")
    services = tuple(arrays[f"{_EDGE}services"].astype(np.str_).tolist())
    try:
        columns: Arrays = {name: arrays[_EDGE + name].astype(kind) for name, kind in KINDS.items()}
        return Edges(services=services, **columns)
    except (PermanentError, ValueError, TypeError) as error:
        raise PermanentError(f"{path}: {error}") from error


def read_npz(path: Path, *, allowed: str, largest: float = np.inf) -> Arrays:
    """All arrays of an npz archive; never objects. largest: bytes that they may take.

    Raises PermanentError, naming the file and what is allowed, where it is none, damaged or larger.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would keep us waiting for ever
            raise PermanentError(f"{path} is no file; allowed: {allowed}")
        with path.open("rb") as file:
            if file.read(len(NPZ_START)) != NPZ_START:
                raise PermanentError(f"{path} is no npz archive; allowed: {allowed}")
            _check_size(zipfile.ZipFile(file), path, largest)
            file.seek(0)
            with np.load(file, allow_pickle=False) as archive:
                return {name: archive[name] for name in archive.files}
    except OSError as error:
        raise PermanentError(f"{path} cannot be read: {error.strerror or error}") from error
    except _DAMAGE as error:
        cause = str(error).splitlines()[0] if str(error) else type(error).__name__
        message = f"{path} is damaged or holds objects ({cause}); allowed: {allowed}"
        raise PermanentError(message) from error


def _check_size(archive: zipfile.ZipFile, path: Path, largest: float) -> None:
    size = sum(member.file_size for member in archive.infolist())
    if size > largest:
        raise PermanentError(f"{path} unpacks to {size} bytes; allowed: up to {largest:.0f}")


def _check_identity(arrays: Arrays, path: Path) -> None:
    if "magic" not in arrays or str(arrays["magic"]) != MAGIC:
        held = ", ".join(sorted(arrays)) or "nothing"
        raise PermanentError(f"{path} is an npz that holds {held:.200}; allowed: a {MAGIC}")
    version = arrays.get("version", np.array("none"))
    if str(version) != str(VERSION):
        raise PermanentError(f"{path} is a {MAGIC} of version {version}; allowed: {VERSION}")


def _check_layout(arrays: Arrays, path: Path) -> None:
    expected = dict.fromkeys(_TEXTS, ("U", 1)) | dict.fromkeys(_SCALARS, ("f", 0))
    expected |= {name: ("f", _DIMENSIONS[name]) for name in _NUMBERS}
    for name, (kind, n_dimensions) in expected.items():
        if name not in arrays:
            raise PermanentError(f"{path} lacks the array {name}; allowed: a whole {MAGIC}")
        array = arrays[name]
        if array.dtype.kind != kind or array.ndim != n_dimensions:
            raise PermanentError(
                f"{path}: {name} is {array.dtype} of {array.ndim} dimensions;"
                f" allowed: {'text' if kind == 'U' else 'float64'} of {n_dimensions}"
            )


def _check_shapes(arrays: Arrays, path: Path) -> None:
    n_services, n_windows, n_cells = arrays["exceedance"].shape
    expected = dict.fromkeys(_TEXTS, (n_services,)) | {
        "window_edges_s": (n_windows + 1,),
        "demand_edges": (n_services, n_cells + 1),
    }
    for name, shape in expected.items():
        if arrays[name].shape != shape:
            raise PermanentError(
                f"{path}: {name} has shape {arrays[name].shape}; allowed: {shape}, as exceedance"
            )


@np.errstate(all="ignore")  # differences of absurd numbers are refused, not warned of
def _check_values(arrays: Arrays, path: Path) -> None:
    """Refuse what would make pods appear out of nothing: an absurd curve or a time without end."""
    windows, edges, curves = (arrays[name] for name in _NUMBERS)
    services = arrays["services"]
    spoken = curves[~np.isnan(curves).all(axis=2)]  # (n_curves, n_cells) where there is a forecast
    rules = {
        "services": (len(np.unique(services)) == len(services), "each service once"),
        "made_at_s and fitted_at_s": (
            all(0 <= arrays[name] <= LATEST_S for name in _SCALARS),
            f"Unix seconds from 0 to {LATEST_S:g}",
        ),
        "window_edges_s": (
            bool(windows[0] == 0 and (np.diff(windows) > 0).all() and windows[-1] <= LONGEST_S),
            f"ascending from 0, up to {LONGEST_S:g}",
        ),
        "demand_edges": (
            bool(
                (edges[:, :1] == 0).all()
                and (np.diff(edges, axis=1) >= 0).all()
                and (edges[:, -1:] <= MOST_DEMAND).all()
            ),
            f"ascending from 0, up to {MOST_DEMAND:g}",
        ),
        "exceedance": (
            bool(
                0 not in curves.shape[1:]
                and ((spoken >= 0) & (spoken <= 1)).all()
                and (np.diff(spoken, axis=1) <= 1e-9).all()
            ),
            "probabilities 0 to 1 that fall along demand, or NaN for a whole window",
        ),
    }
    for name, (holds, allowed) in rules.items():
        if not holds:
            raise PermanentError(f"{path}: {name} is out of range; allowed: {allowed}")
