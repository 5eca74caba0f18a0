"""The file of advice for the controller: forecasts at each revision's price, and paths.

Revisions and services are identified by `name_id`, because rows of a fleet may move before the file
is read. The controller validates every number: a revision or path with an invalid one is left out.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from autoscaler.core.prediction.advice import Advice, Paths
from autoscaler.core.prediction.promise import LEAST_S, MOST_S
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
BY_WINDOW = {
    "worth_starting": LARGEST_DEMAND.most,
    "worth_keeping": LARGEST_DEMAND.most,
    "called": 1.0,
}  # the most that is valid of each
MAY_BE_NAN = ("price_s", *BY_WINDOW)

LAYOUT = Layout(
    magic=b"KNAHADVC",
    version=5,
    most={
        "windows": int(ADVICE_WINDOWS.most),
        "revisions": int(REVISIONS.most),
        "services": int(REVISIONS.most),
        "paths": int(PATHS.most),
        "withdrawn": int(REVISIONS.most),
    },
    fields=(
        Field("written_at_s", "<f8", ()),
        Field("starts_s", "<f8", ("windows",)),
        Field("ends_s", "<f8", ("windows",)),
        Field("revision", "<i8", ("revisions",)),
        Field("price_s", "<f8", ("revisions",)),
        Field("worth_starting", "<f4", ("revisions", "windows")),
        Field("worth_keeping", "<f4", ("revisions", "windows")),
        Field("called", "<f4", ("revisions", "windows")),
        Field("service", "<i8", ("services",)),
        Field("upstream", "<i4", ("paths",)),
        Field("downstream", "<i4", ("paths",)),
        Field("probability", "<f4", ("paths",)),
        Field("confidence", "<f4", ("paths",)),
        Field("gain", "<f4", ("paths",)),
        Field("lag_s", "<f4", ("paths",)),
        Field("withdrawn", "<i8", ("withdrawn",)),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviceTable:
    """Advice by number of revision and service, checked."""

    written_at_s: float  # Unix s
    starts_s: FloatArray  # (n_windows,) Unix s
    ends_s: FloatArray  # (n_windows,) Unix s
    revision: IntArray  # (n,) `name_id` of "namespace/revision", ascending
    price_s: FloatArray  # (n,) of a cold request, that keeps a promise; NaN = as configured
    # (n, n_windows) requests in flight; NaN = no forecast:
    worth_starting: FloatArray  # that pods are worth starting for
    worth_keeping: FloatArray  # that pods which stand are worth keeping for
    called: FloatArray  # (n, n_windows) probability of any request; NaN = no forecast
    service: IntArray  # (k,) `name_id` of "namespace/service"
    paths: Paths  # between indices of `service`
    withdrawn: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    """(j,) `name_id` of revisions to which forecasts and paths are not applied, ascending."""
    refused: int = 0  # revisions and paths left out as invalid

    def write(self, path: Path) -> None:
        """Replace the controller's file. Raises OSError."""
        LAYOUT.write(path, self.arrays())

    def arrays(self) -> dict[str, Any]:
        """The arrays of `LAYOUT`."""
        return {
            "written_at_s": self.written_at_s,
            "starts_s": self.starts_s,
            "ends_s": self.ends_s,
            "revision": self.revision,
            "price_s": self.price_s,
            "worth_starting": self.worth_starting,
            "worth_keeping": self.worth_keeping,
            "called": self.called,
            "service": self.service,
            "upstream": self.paths.upstream,
            "downstream": self.paths.downstream,
            "probability": self.paths.probability,
            "confidence": self.paths.confidence,
            "gain": self.paths.gain,
            "lag_s": self.paths.lag_s,
            "withdrawn": self.withdrawn,
        }


def read_advice(path: Path) -> AdviceTable:
    """The advisor's newest table, validated.

    Raises FileNotFoundError if there is none, PermanentError if the whole is invalid.
    """
    return checked(LAYOUT.read(path), path)


@np.errstate(invalid="ignore", over="ignore")  # what compares False is refused
def checked(arrays: Arrays, path: Path) -> AdviceTable:
    """The valid part of arrays. Raises PermanentError, which names ``path``."""
    starts_s, ends_s = arrays["starts_s"], arrays["ends_s"]
    in_time = (starts_s >= 0) & (ends_s > starts_s) & (ends_s <= LATEST_S.most)
    if not in_time.all() or (ends_s - starts_s.min(initial=np.inf) > HORIZON_S.most).any():
        raise PermanentError(f"{path}: windows end before they begin, or are too long")
    revision, known = arrays["revision"], arrays["revision"] > 0
    by_window = {name: arrays[name].astype(np.float64) for name in BY_WINDOW}
    for name, values in by_window.items():
        known &= ~((values < 0) | (values > BY_WINDOW[name])).any(axis=1)
    price_s = arrays["price_s"]
    known &= ~((price_s < LEAST_S) | (price_s > MOST_S))  # NaN compares False
    order = np.argsort(revision[known], kind="stable")
    ids = revision[known][order]
    once = np.diff(ids, prepend=0) != 0  # of a revision named twice the first counts
    service = arrays["service"]
    paths, bad_paths = _paths(arrays, len(service))
    return AdviceTable(
        written_at_s=float(arrays["written_at_s"]),
        starts_s=starts_s,
        ends_s=ends_s,
        revision=ids[once],
        price_s=price_s[known][order][once],
        **{name: values[known][order][once] for name, values in by_window.items()},
        service=service,
        paths=paths,
        withdrawn=np.sort(arrays["withdrawn"]),
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
    valid = (up >= 0) & (up < n_services) & (down >= 0) & (down < n_services) & (up != down)
    for name, values in numbers.items():
        valid &= (values >= 0) & (values <= most[name])  # NaN compares False
    columns = {name: values[valid] for name, values in numbers.items()}
    return Paths(upstream=up[valid], downstream=down[valid], **columns), int((~valid).sum())


def for_fleet(table: AdviceTable, fleet: Fleet) -> Advice:
    """The table resolved for the rows of a fleet in its present layout."""
    place, found = _found(table.revision, fleet.ids)
    by_window = {name: np.full((len(fleet), len(table.starts_s)), np.nan) for name in BY_WINDOW}
    for name, values in by_window.items():
        values[found] = getattr(table, name)[place[found]]
    row = _rows_of(fleet.services.calls.id, table.service)
    up, down = row[table.paths.upstream], row[table.paths.downstream]
    present = (up >= 0) & (down >= 0)
    paths = table.paths
    return Advice(
        starts_s=table.starts_s,
        ends_s=table.ends_s,
        **by_window,
        paths=Paths(
            upstream=up[present],
            downstream=down[present],
            probability=paths.probability[present],
            confidence=paths.confidence[present],
            gain=paths.gain[present],
            lag_s=paths.lag_s[present],
        ),
        layout=fleet.layout,
        withdrawn=_found(table.withdrawn, fleet.ids)[1],
    )


def _found(ascending: IntArray, wanted: IntArray) -> tuple[IntArray, BoolArray]:
    """Indices of numbers among ascending ones, and which of them are found."""
    if not len(ascending):
        return np.zeros(len(wanted), dtype=np.int64), np.zeros(len(wanted), dtype=np.bool_)
    place = np.minimum(np.searchsorted(ascending, wanted), len(ascending) - 1)
    return place, np.asarray(ascending[place] == wanted)


def _rows_of(ids: IntArray, wanted: IntArray) -> IntArray:
    """The row of each wanted number among ``ids``; -1 = not found."""
    order = np.argsort(ids)
    place, found = _found(ids[order], wanted)
    rows = np.full(len(wanted), -1)
    rows[found] = order[place[found]]
    return rows
