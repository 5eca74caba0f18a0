"""Advice on its way to the controller: forecasts at each revision's price, and paths.

The advisor names revisions and services by numbers (`name_id`), because rows of a fleet may move
while advice is under way. The controller believes nothing: whoever has a number that cannot be has
no advice, and everybody else's counts.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from autoscaler.core.prediction.advice import Advice, Paths
from autoscaler.core.state.fleet import Fleet
from autoscaler.core.types import BoolArray, FloatArray, IntArray
from autoscaler.errors import PermanentError
from autoscaler.exchange.layout import Arrays, Field, Layout
from autoscaler.limits import (
    ADVICE_WINDOWS,
    HORIZON_S,
    LARGEST_DEMAND,
    LATEST_S,
    PATH_GAIN,
    PATH_LAG_S,
    PATHS,
    REVISIONS,
)

NAME = "advice"

LAYOUT = Layout(
    magic=b"KNAHADVC",
    version=1,
    most={
        "windows": int(ADVICE_WINDOWS.most),
        "revisions": int(REVISIONS.most),
        "services": int(REVISIONS.most),
        "paths": int(PATHS.most),
    },
    fields=(
        Field("written_at_s", "<f8", ()),
        Field("starts_s", "<f8", ("windows",)),
        Field("ends_s", "<f8", ("windows",)),
        Field("revision", "<i8", ("revisions",)),
        Field("demand", "<f4", ("revisions", "windows")),
        Field("service", "<i8", ("services",)),
        Field("upstream", "<i4", ("paths",)),
        Field("downstream", "<i4", ("paths",)),
        Field("probability", "<f4", ("paths",)),
        Field("confidence", "<f4", ("paths",)),
        Field("gain", "<f4", ("paths",)),
        Field("lag_s", "<f4", ("paths",)),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviceTable:
    """Advice by number of revision and service, checked."""

    written_at_s: float  # Unix s
    starts_s: FloatArray  # (n_windows,) Unix s
    ends_s: FloatArray  # (n_windows,) Unix s
    revision: IntArray  # (n,) `name_id` of "namespace/revision", ascending
    demand: FloatArray  # (n, n_windows) requests in flight worth serving; NaN = no forecast
    service: IntArray  # (k,) `name_id` of "namespace/service"
    paths: Paths  # between indices of `service`
    refused: int = 0  # revisions and paths left out, because a number cannot be

    def write(self, path: Path) -> None:
        """Put it in place of what the controller has. Raises OSError."""
        LAYOUT.write(path, self.arrays())

    def arrays(self) -> dict[str, Any]:
        """As `LAYOUT` has them."""
        return {
            "written_at_s": self.written_at_s,
            "starts_s": self.starts_s,
            "ends_s": self.ends_s,
            "revision": self.revision,
            "demand": self.demand,
            "service": self.service,
            "upstream": self.paths.upstream,
            "downstream": self.paths.downstream,
            "probability": self.paths.probability,
            "confidence": self.paths.confidence,
            "gain": self.paths.gain,
            "lag_s": self.paths.lag_s,
        }


def read_advice(path: Path) -> AdviceTable:
    """What the advisor put there last, checked number by number.

    Raises FileNotFoundError where there is none, PermanentError where the whole is of no use.
    """
    return checked(LAYOUT.read(path), path)


@np.errstate(invalid="ignore", over="ignore")  # what compares False is refused, not warned of
def checked(arrays: Arrays, path: Path) -> AdviceTable:
    """Believe what can be. Raises PermanentError, which names ``path``."""
    starts_s, ends_s = arrays["starts_s"], arrays["ends_s"]
    in_time = (starts_s >= 0) & (ends_s > starts_s) & (ends_s <= LATEST_S.most)
    if not in_time.all() or (ends_s - starts_s.min(initial=np.inf) > HORIZON_S.most).any():
        raise PermanentError(f"{path}: windows end before they begin, or are too long")
    revision, demand = arrays["revision"], arrays["demand"].astype(np.float64)
    known = ~((demand < 0) | (demand > LARGEST_DEMAND.most)).any(axis=1)
    known &= revision > 0
    order = np.argsort(revision[known], kind="stable")
    ids = revision[known][order]
    once = np.diff(ids, prepend=0) != 0  # who is named twice has what was said first
    service = arrays["service"]
    paths, bad_paths = _paths(arrays, len(service))
    return AdviceTable(
        written_at_s=float(arrays["written_at_s"]),
        starts_s=starts_s,
        ends_s=ends_s,
        revision=ids[once],
        demand=demand[known][order][once],
        service=service,
        paths=paths,
        refused=len(revision) - int(once.sum()) + bad_paths,
    )


def _paths(arrays: Arrays, n_services: int) -> tuple[Paths, int]:
    up, down = (arrays[end].astype(np.int64) for end in ("upstream", "downstream"))
    numbers = {
        name: arrays[name].astype(np.float64)
        for name in ("probability", "confidence", "gain", "lag_s")
    }
    most = {"probability": 1.0, "confidence": 1.0, "gain": PATH_GAIN.most}
    most["lag_s"] = PATH_LAG_S.most
    good = (up >= 0) & (up < n_services) & (down >= 0) & (down < n_services) & (up != down)
    for name, values in numbers.items():
        good &= (values >= 0) & (values <= most[name])  # NaN compares False
    kept = {name: values[good] for name, values in numbers.items()}
    return Paths(upstream=up[good], downstream=down[good], **kept), int((~good).sum())


def for_fleet(table: AdviceTable, fleet: Fleet) -> Advice:
    """The table for the rows of a fleet as it is laid out now; of others it says nothing."""
    place, found = _found(table.revision, fleet.ids)
    demand = np.full((len(fleet), len(table.starts_s)), np.nan)
    demand[found] = table.demand[place[found]]
    row = _rows_of(fleet.services.calls.id, table.service)
    up, down = row[table.paths.upstream], row[table.paths.downstream]
    here = (up >= 0) & (down >= 0)
    paths = table.paths
    return Advice(
        starts_s=table.starts_s,
        ends_s=table.ends_s,
        demand=demand,
        paths=Paths(
            upstream=up[here],
            downstream=down[here],
            probability=paths.probability[here],
            confidence=paths.confidence[here],
            gain=paths.gain[here],
            lag_s=paths.lag_s[here],
        ),
        layout=fleet.layout,
    )


def _found(ascending: IntArray, wanted: IntArray) -> tuple[IntArray, BoolArray]:
    """Places of numbers among ascending ones, and which of them are there."""
    if not len(ascending):
        return np.zeros(len(wanted), dtype=np.int64), np.zeros(len(wanted), dtype=np.bool_)
    place = np.minimum(np.searchsorted(ascending, wanted), len(ascending) - 1)
    return place, np.asarray(ascending[place] == wanted)


def _rows_of(ids: IntArray, wanted: IntArray) -> IntArray:
    """The row of each wanted number among ``ids``; -1 = it is not there."""
    order = np.argsort(ids)
    place, found = _found(ids[order], wanted)
    rows = np.full(len(wanted), -1)
    rows[found] = order[place[found]]
    return rows
