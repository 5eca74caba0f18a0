"""Checks of curves and edges; a service or an edge that fails is left out, not the bundle."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from autoscaler.core.prediction.dependencies import COLUMNS, KINDS, Edges, Origin
from autoscaler.core.types import BoolArray, Curves, FloatArray, IntArray
from autoscaler.limits import EDGE_GAIN, EDGE_LAG_S, SERVICE_PODS
from autoscaler.names import fault_of_name, shown_name

LATEST_S = 1e11  # Unix s, in the year 5138
MOST_DEMAND = (
    SERVICE_PODS.most * 1000.0
)  # requests in flight: all of a cluster's pods, at Knative's most
TWICE = "named twice"
ROUNDING = 1e-9  # by which a curve may rise
BLOCK = 1 << 20  # values checked at once: bounds memory
EDGE_RANGES = {  # from 0 to; NaN = not known
    "lag_s": EDGE_LAG_S.most,
    "gain": EDGE_GAIN.most,
    "probability": 1.0,
    "confidence": 1.0,
    "evidence": 1e15,
    "seen_at_s": LATEST_S,
}

Texts = npt.NDArray[np.str_]
_LAST_CHARACTER = 0x10FFFF


def texts_of(array: Texts) -> list[str]:
    """(n,) texts; "" for one with codes beyond Unicode."""
    if not array.size:
        return []
    array = np.ascontiguousarray(array)
    codes = array.view(np.uint32).reshape(len(array), -1)
    array = np.where((codes <= _LAST_CHARACTER).all(axis=1), array, "")
    return [str(text) for text in array.tolist()]


def faults_of_names(names: Sequence[str]) -> dict[int, str]:
    """The fault of each invalid or repeated name, by row."""
    faults: dict[int, str] = {}
    seen: set[str] = set()
    for place, name in enumerate(names):
        why = fault_of_name(name) or (TWICE if name in seen else "")
        seen.add(name)
        if why:
            faults[place] = why
    return faults


def faults_of_curves(demand_edges: FloatArray, exceedance: Curves) -> dict[int, str]:
    """The fault of each service whose curve is invalid, by row.

    demand_edges: (n, n_cells + 1) requests in flight. exceedance: (n, n_windows, n_cells).
    """
    faults: dict[int, str] = {}
    size = max(1, BLOCK // max(exceedance[:1].size, 1))
    for first in range(0, len(exceedance), size):
        block = slice(first, first + size)
        found = _faults_of_block(demand_edges[block], exceedance[block])
        faults |= {first + row: why for row, why in found.items()}
    return faults


@np.errstate(all="ignore")  # differences of invalid numbers are refused below
def _faults_of_block(demand_edges: FloatArray, exceedance: Curves) -> dict[int, str]:
    missing = np.isnan(exceedance)
    some, whole = np.asarray(missing.any(axis=2)), np.asarray(missing.all(axis=2))
    possible = np.asarray((exceedance >= 0) & (exceedance <= 1)) | missing
    rises: FloatArray = np.diff(exceedance, axis=2)
    falling = np.asarray((rises <= ROUNDING).all(axis=2)) | some
    rules = {
        "NaN in the midst of a curve": (some == whole).all(axis=1),
        "a curve that is no probability": possible.all(axis=(1, 2)),
        "a curve that rises along demand": falling.all(axis=1),
        f"demand that does not ascend from 0, or beyond {MOST_DEMAND:g}": (
            (demand_edges[:, 0] == 0)
            & (np.diff(demand_edges, axis=1) >= 0).all(axis=1)
            & (demand_edges[:, -1] <= MOST_DEMAND)
        ),
    }
    return _first_faults({why: ~holds for why, holds in rules.items()})


@np.errstate(all="ignore")
def valid_edges(
    names: Sequence[str], columns: dict[str, npt.NDArray[Any]]
) -> tuple[Edges, dict[int, str]]:
    """The valid edges; and the faults of the others, by row.

    columns: as in `Edges`, all of one length, with any values.
    """
    place = np.arange(len(names))
    invalid = np.array(sorted(faults_of_names(names)), dtype=np.int64)
    place[invalid] = -1
    place[place >= 0] = np.arange(len(names) - len(invalid))
    services = tuple(name for row, name in zip(place, names, strict=True) if row >= 0)
    upstream, downstream = (_ends(columns[end], place) for end in ("upstream", "downstream"))
    rules: dict[str, BoolArray] = {
        "an end that is no service": (upstream < 0) | (downstream < 0),
        "leads to itself": upstream == downstream,
        "of no known origin": ~np.isin(columns["origin"], [int(origin) for origin in Origin]),
    }
    for name, most in EDGE_RANGES.items():
        value = columns[name]
        possible = np.isnan(value) | ((value >= 0) & (value <= most))
        rules[f"{name} out of range; allowed: 0 to {most:g}"] = ~possible
    faults = _first_faults(rules)
    valid = np.ones(len(upstream), dtype=np.bool_)
    valid[list(faults)] = False
    ends = {"upstream": upstream, "downstream": downstream}
    valid_columns: dict[str, Any] = {
        name: (columns | ends)[name][valid].astype(KINDS[name]) for name in COLUMNS
    }
    return Edges(services=services, **valid_columns), faults


def shown_edge(names: Sequence[str], columns: dict[str, npt.NDArray[Any]], row: int) -> str:
    """The two ends of an edge, for messages."""
    ends = (int(columns[end][row]) for end in ("upstream", "downstream"))
    return " -> ".join(
        shown_name(names[end]) if 0 <= end < len(names) else f"service {end}" for end in ends
    )


def _ends(ends: IntArray, place: IntArray) -> IntArray:
    """New places of the services at edges' ends; -1 = none."""
    inside = (ends >= 0) & (ends < len(place))
    return np.where(inside, np.append(place, -1)[np.where(inside, ends, -1)], -1)


def _first_faults(rules: dict[str, BoolArray]) -> dict[int, str]:
    """By row, in order: the first rule that it breaks."""
    whys = list(rules)
    broken = np.stack(list(rules.values()))  # (n_rules, n)
    rows = np.flatnonzero(broken.any(axis=0))
    return {int(row): whys[int(broken[:, row].argmax())] for row in rows}
