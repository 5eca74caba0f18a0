"""Forecasts of many origins, as a replay uses them in turn, and those of an oracle."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Literal

import numpy as np

from autoscaler.core.prediction.forecasts import ForecastBundle
from autoscaler.core.types import Curves, FloatArray, IntArray
from learner.demand import Demand
from learner.models import Forecast
from learner.models.levels import LEVELS, demand_edges


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastTable:
    """One bundle per origin; see `ForecastBundle` for the arrays."""

    services: tuple[str, ...]  # (n,)
    made_at_s: FloatArray  # (n_origins,) Unix s, ascending
    fitted_at_s: float  # Unix s
    window_edges_s: FloatArray  # (n_windows + 1,) s after made_at_s
    demand_edges: FloatArray  # (n, n_cells + 1) requests in flight
    exceedance: Curves  # (n, n_origins, n_windows, n_cells)
    model: tuple[str, ...]  # (n,)
    reason: tuple[str, ...]  # (n,)

    def only(self, services: IntArray) -> "ForecastTable":
        """Those of some services."""
        return replace(
            self,
            services=tuple(self.services[i] for i in services),
            demand_edges=self.demand_edges[services],
            exceedance=self.exceedance[services],
            model=tuple(self.model[i] for i in services),
            reason=tuple(self.reason[i] for i in services),
        )

    def bundle(self, origin: int) -> ForecastBundle:
        """The forecasts made at one origin."""
        return ForecastBundle(
            services=self.services,
            made_at_s=float(self.made_at_s[origin]),
            fitted_at_s=self.fitted_at_s,
            window_edges_s=self.window_edges_s,
            demand_edges=self.demand_edges,
            exceedance=self.exceedance[:, origin],
            model=self.model,
            reason=self.reason,
        )


def joined(pieces: Sequence[Forecast]) -> tuple[FloatArray, Curves]:
    """Forecasts of successive origins as one: demand edges, and exceedance over all origins.

    Demand may outgrow the cells of an earlier piece; cells that a piece does not have get
    exceedance 0.
    """
    n_cells = max(piece.exceedance.shape[-1] for piece in pieces)
    edges = np.max([_with_cells(p.demand_edges, n_cells + 1, "edge") for p in pieces], axis=0)
    curves = [_with_cells(piece.exceedance, n_cells, "constant") for piece in pieces]
    return edges, np.concatenate(curves, axis=1)


def _with_cells(values: Curves, n_cells: int, mode: Literal["edge", "constant"]) -> Any:
    """The values with their last axis padded: by their last value, or by zeros."""
    missing = n_cells - values.shape[-1]
    return np.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, missing)], mode=mode)


def oracle_forecasts(like: ForecastTable, demand: Demand, origins: IntArray) -> ForecastTable:
    """An oracle's table: every exceedance curve is a step at the true peak of its window.

    demand: the true demand, past and future. origins: (n_origins,) its steps that ``like`` has.
    Windows beyond the end of the demand cover what is left of it.
    """
    true_peak = np.nan_to_num(demand.peak).astype(np.float64)
    steps = np.round(like.window_edges_s / demand.step_s).astype(np.int64)
    windows = pairwise(steps)
    peaks = [_peak_ahead(true_peak, origins + first, int(end - first)) for first, end in windows]
    most = np.ceil(true_peak.max(axis=1, initial=0.0) / demand.capacity)
    edges = demand_edges(demand.capacity, np.searchsorted(LEVELS, most) + 1)
    peak = np.stack(peaks, axis=2)[:, :, :, None]
    width = np.diff(edges)[:, None, None, :]
    return replace(
        like,
        demand_edges=edges,
        exceedance=((peak > edges[:, None, None, :-1]) & (width > 0)).astype(np.float32),
        model=("oracle",) * len(like.services),
        reason=("",) * len(like.services),
    )


def copied_forecasts(
    like: ForecastTable, demand: Demand, origins: IntArray, ago_s: float
) -> ForecastTable:
    """Forecasts that what came ``ago_s`` before comes again, to the minute; as `oracle_forecasts`.

    ago_s: a multiple of the step, longer than the horizon.
    """
    steps = round(ago_s / demand.step_s)
    before = np.pad(demand.peak, ((0, 0), (steps, 0)), constant_values=np.nan)
    known = replace(demand, peak=before[:, : demand.n_steps])
    return replace(oracle_forecasts(like, known, origins), model=("copy",) * len(like.services))


def _peak_ahead(peak: FloatArray, first: IntArray, length: int) -> FloatArray:
    """(n, n_origins) greatest value of ``length`` steps from each first step on."""
    padded = np.pad(peak, ((0, 0), (0, length + int(first.max(initial=0)))))
    ahead = np.lib.stride_tricks.sliding_window_view(padded, length, axis=1)
    return np.asarray(ahead[:, first].max(axis=-1))


def stack(tables: tuple[ForecastTable, ...]) -> ForecastTable:
    """Concatenate tables of the same origins and windows along services."""
    n_cells = max(table.exceedance.shape[-1] for table in tables)
    edges = [_with_cells(table.demand_edges, n_cells + 1, "edge") for table in tables]
    curves = [_with_cells(table.exceedance, n_cells, "constant") for table in tables]
    return replace(
        tables[0],
        services=sum((t.services for t in tables), ()),
        demand_edges=np.concatenate(edges),
        exceedance=np.concatenate(curves, dtype=np.float32),
        model=sum((t.model for t in tables), ()),
        reason=sum((t.reason for t in tables), ()),
    )
