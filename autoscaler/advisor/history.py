"""What became of each service of late: demand, pods of both policies, and what was forecast.

A sample covers `SAMPLE_S` seconds and holds the greatest value of each series within them. Samples
of the last `KEPT_S` seconds are kept, in memory alone: a process that begins anew knows of nothing
before. Numbers are float16: exact pods up to 2,048, demand to a two-thousandth, and what is beyond
`LARGEST` counts as that. At 10,000 services all of it takes 50 MB.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from autoscaler.advisor.frame import Frame
from autoscaler.core.names import name_id
from autoscaler.core.prediction.forecasts import ForecastBundle
from autoscaler.core.state.revision import Mode, in_force
from autoscaler.core.types import FloatArray, IntArray
from autoscaler.exchange.snapshot import Snapshot

SAMPLE_S = 30.0
KEPT_S = 3 * 3600.0
LARGEST = 65_504.0
LIKELY, UNLIKELY = 0.5, 0.99  # quantiles of the forecast that are kept

SERIES = ("demand", "peak", "knative", "ahead", "ready", "p50", "p99")
_NOBODY: IntArray = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Past:
    """The samples of one service, m of them in order of time; NaN = not known."""

    start_s: FloatArray  # (m,) Unix s
    demand: FloatArray  # (m,) stable-window average, in the metric of its revisions
    peak: FloatArray  # (m,) greatest load, in flight
    knative: FloatArray  # (m,) pods under Knative's rule: wanted if in force, else of the twin
    ahead: FloatArray  # (m,) pods under kn-ahead, likewise
    ready: FloatArray  # (m,) pods that were ready
    p50: FloatArray  # (m,) requests in flight, by the forecast that was in force then
    p99: FloatArray  # (m,)

    def since(self, at_s: float) -> "Past":
        """The samples that begin at Unix s ``at_s`` or after it."""
        kept = self.start_s >= at_s
        return Past(**{f.name: getattr(self, f.name)[kept] for f in fields(self)})


class _Sample(NamedTuple):
    start_s: float  # Unix s
    values: npt.NDArray[np.float16]  # (series, rows)


class _Place(NamedTuple):
    row: int
    since_s: float  # Unix s; before, another service may have had the row


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """What readers see: replaced whole, never changed."""

    places: Mapping[int, _Place] = field(default_factory=dict)  # by `name_id` of a service
    samples: tuple[_Sample, ...] = ()  # the oldest first; the last one goes on


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Forecast:
    """A bundle's quantiles for the services of a frame."""

    bundle: ForecastBundle
    services: Mapping[str, int]  # rows of the snapshot by name, as in the frame
    service: IntArray  # (k,) rows that the bundle has
    quantiles: FloatArray  # (2, k, n_windows) requests in flight

    def at(self, now: float, n: int) -> FloatArray:
        """(2, n) of the window in which Unix s ``now`` is; NaN where there is none."""
        found = np.full((2, n), np.nan)
        edges_s = self.bundle.made_at_s + self.bundle.window_edges_s
        window = int(np.searchsorted(edges_s, now, side="right")) - 1
        if 0 <= window < len(edges_s) - 1:
            found[:, self.service] = self.quantiles[:, :, window]
        return found


class History:
    """Folds snapshots into samples. One thread folds; others may read meanwhile."""

    def __init__(self) -> None:
        self._kept = _Kept()
        self._service, self._row = _NOBODY, _NOBODY  # of the last snapshot
        self._forecast: _Forecast | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of all samples."""
        return sum(sample.values.nbytes for sample in self._kept.samples)

    def fold(self, frame: Frame, bundle: ForecastBundle | None) -> None:
        """Add a snapshot, and what the forecasts in force say of its time."""
        snapshot = frame.snapshot
        if snapshot is None:
            return
        start_s = snapshot.at_s // SAMPLE_S * SAMPLE_S
        samples, kept = self._kept.samples, start_s - KEPT_S
        # What is of a later time was written before the clock was set back.
        samples = tuple(one for one in samples if kept < one.start_s <= start_s)
        went_on = samples[-1] if samples and samples[-1].start_s == start_s else None
        places, added = self._places(snapshot.service, start_s)
        width = max((place.row for place in places.values()), default=-1) + 1
        values = np.full((len(SERIES), width), np.nan, dtype=np.float16)
        if went_on:
            shared = min(width, went_on.values.shape[1])
            values[:, :shared] = went_on.values[:, :shared]
            values[:, added] = np.nan
        fresh = np.clip(self._observed(frame, snapshot, bundle), 0.0, LARGEST)
        values[:, self._row] = np.fmax(values[:, self._row], fresh.astype(np.float16))
        before = samples[:-1] if went_on else samples
        self._kept = _Kept(places=places, samples=(*before, _Sample(start_s, values)))

    def _places(self, service: IntArray, start_s: float) -> tuple[Mapping[int, _Place], IntArray]:
        """Places of the services (k,) of a snapshot, and the rows of new ones."""
        former = self._kept.places
        if np.array_equal(service, self._service):
            return former, _NOBODY
        ids = service.tolist()
        places = {one: former[one] for one in ids if one in former}
        taken = {place.row for place in places.values()}
        free = (row for row in range(len(ids)) if row not in taken)
        new = [one for one in ids if one not in former]
        places |= {one: _Place(next(free), start_s) for one in new}
        self._service = service
        self._row = np.array([places[one].row for one in ids], dtype=np.int64)
        return places, np.array([places[one].row for one in new], dtype=np.int64)

    def _observed(
        self, frame: Frame, snapshot: Snapshot, bundle: ForecastBundle | None
    ) -> FloatArray:
        """(series, k) of the services of a snapshot."""
        columns, made, k = snapshot.columns, snapshot.decision, len(snapshot.service)
        wanted = np.where(made.want >= 0, made.want, np.maximum(columns["observed_replicas"], 0))
        twin = np.where(columns["twin_begun"], columns["twin_replicas"], np.nan)
        mode = in_force(columns["spec_mode"], made.withdrawn)
        of_revisions = (
            np.where(made.no_data, 0.0, made.stable),
            np.where(mode >= Mode.OUTWARD, twin, wanted),
            np.where(mode == Mode.SHADOW, twin, wanted),
            columns["observed_ready"],
            ~made.no_data,
        )
        demand, knative, ahead, ready, heard = (
            np.bincount(snapshot.service_of, weights=values, minlength=k) for values in of_revisions
        )
        p50, p99 = self._forecast_at(frame, snapshot.at_s, bundle)
        demand = np.where(heard > 0, demand, np.nan)
        return np.stack([demand, columns["peak"], knative, ahead, ready, p50, p99])

    def _forecast_at(
        self, frame: Frame, now: float, bundle: ForecastBundle | None
    ) -> tuple[FloatArray, FloatArray]:
        """(k,) each: what is forecast of Unix s ``now``, `LIKELY` and `UNLIKELY`."""
        known = self._forecast
        if bundle is None:
            known = None
        elif known is None or known.bundle is not bundle or known.services is not frame.services:
            known = _read(bundle, frame.services)
        self._forecast = known
        n = len(self._service)
        likely, unlikely = known.at(now, n) if known else np.full((2, n), np.nan)
        return likely, unlikely

    def of(self, service: str) -> Past:
        """The samples of a service; none of one that is in no snapshot."""
        kept = self._kept
        place = kept.places.get(name_id(service))
        mine = [
            (sample.start_s, *sample.values[:, place.row].tolist())
            for sample in kept.samples
            if place and sample.start_s >= place.since_s and place.row < sample.values.shape[1]
        ]
        start_s, *series = np.array(mine).reshape(-1, 1 + len(SERIES)).T
        return Past(start_s=start_s, **dict(zip(SERIES, series, strict=True)))


def _read(bundle: ForecastBundle, services: Mapping[str, int]) -> _Forecast:
    rows = np.array([services.get(name, -1) for name in bundle.services], dtype=np.int64)
    quantiles = [bundle.demand_at(np.full((1, 1), round(1.0 - q, 9))) for q in (LIKELY, UNLIKELY)]
    return _Forecast(
        bundle=bundle,
        services=services,
        service=rows[rows >= 0],
        quantiles=np.stack(quantiles)[:, rows >= 0],
    )
