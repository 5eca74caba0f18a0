"""A forecast bundle on disk: what the learner publishes for the autoscaler to pick up.

The two are separate processes that may be of different versions, so the file says what it is before
it says anything else, and a reader that does not know it refuses in one line instead of guessing.
It is an npz of plain arrays, never pickle: reading a file must not be able to run it. It appears
under its name whole or not at all.
"""

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from autoscaler.errors import PermanentError
from autoscaler.files import whole_file
from autoscaler.forecasts import ForecastBundle

MAGIC = "kn-ahead forecast bundle"
VERSION = 1
NPZ_START = b"PK\x03\x04"

Arrays = dict[str, np.ndarray[Any, Any]]

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
    with whole_file(path) as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def load_bundle(path: Path) -> ForecastBundle:
    """Read a bundle that ``save_bundle`` wrote.

    Raises PermanentError, naming the file, where it is missing, foreign, damaged or of another
    version.
    """
    arrays = read_npz(path, allowed=f"a {MAGIC}")
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
    )


def read_npz(path: Path, *, allowed: str) -> Arrays:
    """All arrays of an npz archive; never objects.

    Raises PermanentError, naming the file and what is allowed, where it is none or damaged.
    """
    try:
        with path.open("rb") as file:
            if file.read(len(NPZ_START)) != NPZ_START:
                raise PermanentError(f"{path} is no npz archive; allowed: {allowed}")
            file.seek(0)
            with np.load(file, allow_pickle=False) as archive:
                return {name: archive[name] for name in archive.files}
    except OSError as error:
        raise PermanentError(f"{path} cannot be read: {error.strerror or error}") from error
    except _DAMAGE as error:
        cause = str(error).splitlines()[0] if str(error) else type(error).__name__
        message = f"{path} is damaged or holds objects ({cause}); allowed: {allowed}"
        raise PermanentError(message) from error


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


def _check_values(arrays: Arrays, path: Path) -> None:
    """Refuse what would make pods appear out of nothing: an absurd curve or a time without end."""
    windows, edges, curves = (arrays[name] for name in _NUMBERS)
    spoken = curves[~np.isnan(curves).all(axis=2)]  # (n_curves, n_cells) where there is a forecast
    rules = {
        "made_at_s and fitted_at_s": (
            all(np.isfinite(arrays[name]) for name in _SCALARS),
            "finite Unix seconds",
        ),
        "window_edges_s": (
            bool(np.isfinite(windows).all() and windows[0] == 0 and (np.diff(windows) > 0).all()),
            "ascending from 0",
        ),
        "demand_edges": (
            bool(
                np.isfinite(edges).all()
                and (edges[:, :1] == 0).all()
                and (np.diff(edges, axis=1) >= 0).all()
            ),
            "ascending from 0",
        ),
        "exceedance": (
            bool(((spoken >= 0) & (spoken <= 1)).all() and (np.diff(spoken, axis=1) <= 1e-9).all()),
            "probabilities 0 to 1 that fall along demand, or NaN for a whole window",
        ),
    }
    for name, (holds, allowed) in rules.items():
        if not holds:
            raise PermanentError(f"{path}: {name} is out of range; allowed: {allowed}")
