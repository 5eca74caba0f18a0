"""A forecast bundle on disk: what the learner publishes and the advisor reads.

The two are separate processes that may be of different versions, so the file holds a magic word and
a version, and a reader refuses others. It is an npz of plain arrays, optionally signed, and is
replaced atomically.

A wrong magic word, version, time, window or shape, and anything beyond the limits, has the whole
file refused. An invalid service or edge is left out alone.
"""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from autoscaler.bundle.checks import (
    LATEST_S,
    TWICE,
    faults_of_curves,
    faults_of_names,
    shown_edge,
    texts_of,
    valid_edges,
)
from autoscaler.bundle.npz import Arrays, read_bytes, unpack
from autoscaler.core.prediction.dependencies import COLUMNS, KINDS, Edges
from autoscaler.core.prediction.forecasts import MOST_NAMED, QUARANTINED, ForecastBundle, Refused
from autoscaler.errors import PermanentError
from autoscaler.files import whole_file
from autoscaler.limits import (
    BUNDLE_BYTES,
    BUNDLE_CELLS,
    BUNDLE_EDGES,
    BUNDLE_SERVICES,
    BUNDLE_UNPACKED,
    BUNDLE_WINDOWS,
)
from autoscaler.names import shown_name
from autoscaler.refusals import LimitError
from autoscaler.signing import opened, signed

MAGIC = "kn-ahead forecast bundle"
VERSION = 2  # 2: with edges
LONGEST_S = 31 * 86_400.0  # s ahead: without a limit a bundle might never be stale
LONGEST_TEXT = 300  # characters of a model's name or of a reason; what is longer is cut

_EDGE = "edge_"
_TEXTS = ("services", "model", "reason")
_SCALARS = ("made_at_s", "fitted_at_s")
_NUMBERS = ("window_edges_s", "demand_edges", "exceedance")
_DIMENSIONS = {"window_edges_s": 1, "demand_edges": 2, "exceedance": 3}
_LETTERS: dict[type, str] = {np.float64: "f", np.int64: "iu", np.bool_: "b"}  # kinds of dtypes
_WORDS = {"U": "text", "f": "float64", "iu": "whole numbers", "b": "yes or no"}


def save_bundle(bundle: ForecastBundle, path: Path, key: bytes | None = None) -> None:
    """Write the bundle to ``path``, atomically.

    key: to sign it with; None = unsigned. Raises PermanentError if the file cannot be written.
    """
    arrays: Arrays = {"magic": np.array(MAGIC), "version": np.array(VERSION)}
    arrays["services"] = _texts(bundle.services)
    arrays |= {name: _texts([_cut(text) for text in getattr(bundle, name)]) for name in _TEXTS[1:]}
    arrays |= {name: np.asarray(getattr(bundle, name), np.float64) for name in _SCALARS + _NUMBERS}
    edges = _most_confident(bundle.edges)
    arrays[f"{_EDGE}services"] = _texts(edges.services)
    arrays |= {_EDGE + name: getattr(edges, name) for name in COLUMNS}
    body = io.BytesIO()
    np.savez_compressed(body, allow_pickle=False, **arrays)
    data = body.getvalue()
    with whole_file(path) as file:
        file.write(signed(data, key) if key else data)


def load_bundle(path: Path, key: bytes | None = None) -> ForecastBundle:
    """Read a bundle that ``save_bundle`` wrote.

    key: that it has to be signed with; None = it must be unsigned. Raises PermanentError, naming
    the file, if it is missing, of another format or version, damaged, wrongly signed or too large.
    """
    data = read_bytes(path, allowed=f"a {MAGIC}", limit=BUNDLE_BYTES)
    try:
        body = opened(data, key)
    except PermanentError as error:
        raise PermanentError(f"{path}: {error}") from error
    arrays = unpack(io.BytesIO(body), str(path), allowed=f"a {MAGIC}", unpacked=BUNDLE_UNPACKED)
    _check_identity(arrays, path)
    _check_layout(arrays, path)
    _check_shapes(arrays, path)
    _check_times(arrays, path)
    return _checked(arrays)


def _most_confident(edges: Edges) -> Edges:
    """The most confident edges, as many as a reader accepts: it would refuse the whole file."""
    most = int(BUNDLE_EDGES.most)
    if len(edges) <= most:
        return edges
    best = np.argsort(-np.nan_to_num(edges.confidence), kind="stable")[:most]
    return edges.where(np.sort(best))


def _texts(texts: Sequence[str]) -> np.ndarray[Any, Any]:
    return np.array(texts, dtype=np.str_)


def _cut(text: str) -> str:
    """A text for people, shortened and printable."""
    text = text[:LONGEST_TEXT]
    return text if text.isprintable() else ascii(text)


def _check_identity(arrays: Arrays, path: Path) -> None:
    if "magic" not in arrays or str(arrays["magic"]) != MAGIC:
        held = ", ".join(sorted(arrays)) or "nothing"
        raise PermanentError(f"{path} is an npz that holds {held:.200}; allowed: a {MAGIC}")
    version = str(arrays.get("version", "none"))
    if version != str(VERSION):
        raise PermanentError(f"{path} is a {MAGIC} of version {version:.50}; allowed: {VERSION}")


def _check_layout(arrays: Arrays, path: Path) -> None:
    expected = dict.fromkeys((*_TEXTS, f"{_EDGE}services"), ("U", 1))
    expected |= dict.fromkeys(_SCALARS, ("f", 0))
    expected |= {name: ("f", _DIMENSIONS[name]) for name in _NUMBERS}
    expected |= {_EDGE + name: (_LETTERS[kind], 1) for name, kind in KINDS.items()}
    for name, (kinds, n_dimensions) in expected.items():
        if name not in arrays:
            raise PermanentError(f"{path} lacks the array {name}; allowed: a whole {MAGIC}")
        array = arrays[name]
        fits = array.dtype.kind in kinds and array.dtype.isnative
        fits &= array.dtype.kind != "f" or array.dtype.itemsize <= 8
        if not fits or array.ndim != n_dimensions:
            raise PermanentError(
                f"{path}: {name} is {array.dtype!s:.50} of {array.ndim} dimensions;"
                f" allowed: {_WORDS[kinds]} of {n_dimensions}"
            )


def _check_shapes(arrays: Arrays, path: Path) -> None:
    n_services, n_windows, n_cells = arrays["exceedance"].shape
    n_edges = len(arrays[f"{_EDGE}upstream"])
    for limit, size in (
        (BUNDLE_SERVICES, max(n_services, len(arrays[f"{_EDGE}services"]))),
        (BUNDLE_WINDOWS, n_windows),
        (BUNDLE_CELLS, n_cells),
        (BUNDLE_EDGES, n_edges),
    ):
        if size > limit.most:
            raise LimitError(limit, str(path))
    if 0 in (n_windows, n_cells):
        raise PermanentError(f"{path}: exceedance has no windows or no cells; allowed: some")
    expected: dict[str, tuple[int, ...]] = dict.fromkeys(_TEXTS, (n_services,))
    expected |= {"window_edges_s": (n_windows + 1,), "demand_edges": (n_services, n_cells + 1)}
    expected |= {_EDGE + name: (n_edges,) for name in COLUMNS}
    for name, shape in expected.items():
        if arrays[name].shape != shape:
            raise PermanentError(
                f"{path}: {name} has shape {arrays[name].shape}; allowed: {shape}, as the others"
            )


@np.errstate(all="ignore")  # differences of invalid numbers are refused below
def _check_times(arrays: Arrays, path: Path) -> None:
    windows = arrays["window_edges_s"]
    rules = {
        "made_at_s and fitted_at_s": (
            all(0 <= arrays[name] <= LATEST_S for name in _SCALARS),
            f"Unix seconds from 0 to {LATEST_S:g}",
        ),
        "window_edges_s": (
            bool(windows[0] == 0 and (np.diff(windows) > 0).all() and windows[-1] <= LONGEST_S),
            f"ascending from 0, up to {LONGEST_S:g}",
        ),
    }
    for name, (holds, allowed) in rules.items():
        if not holds:
            raise PermanentError(f"{path}: {name} is out of range; allowed: {allowed}")


def _checked(arrays: Arrays) -> ForecastBundle:
    """The bundle without invalid services and edges."""
    names = texts_of(arrays["services"])
    nameless = faults_of_names(names)  # left out
    faults = faults_of_curves(arrays["demand_edges"], arrays["exceedance"])  # without a curve
    twice = {names[row] for row, why in nameless.items() if why == TWICE}
    faults |= {row: TWICE for row, name in enumerate(names) if name in twice}
    model, reason = ([_cut(text) for text in texts_of(arrays[name])] for name in _TEXTS[1:])
    for row, why in faults.items():
        arrays["exceedance"][row] = np.nan
        arrays["demand_edges"][row] = np.arange(arrays["demand_edges"].shape[1]) > 0
        model[row], reason[row] = "", QUARANTINED + why
    named = [row for row in range(len(names)) if row not in nameless]
    rows = named if nameless else slice(None)
    edge_names = texts_of(arrays[f"{_EDGE}services"])
    columns = {name: arrays[_EDGE + name] for name in COLUMNS}
    edges, bad_edges = valid_edges(edge_names, columns)
    wrong = sorted((faults | nameless).items())
    which = [f"{shown_name(names[row])}: {why}" for row, why in wrong[:MOST_NAMED]]
    which += [
        f"{shown_edge(edge_names, columns, row)}: {why}"
        for row, why in list(bad_edges.items())[: MOST_NAMED - len(which)]
    ]
    return ForecastBundle(
        services=tuple(names[row] for row in named),
        made_at_s=float(arrays["made_at_s"]),
        fitted_at_s=float(arrays["fitted_at_s"]),
        window_edges_s=arrays["window_edges_s"],
        demand_edges=arrays["demand_edges"][rows],
        exceedance=arrays["exceedance"][rows],
        model=tuple(model[row] for row in named),
        reason=tuple(reason[row] for row in named),
        edges=edges,
        refused=Refused(services=len(wrong), edges=len(bad_edges), which=tuple(which)),
    )
