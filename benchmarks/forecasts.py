"""Forecasts of many moments, as a replay meets them in turn; and the all-knowing ones."""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from autoscaler.forecasts import ForecastBundle
from autoscaler.types import FloatArray, IntArray
from learner.demand import Demand


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastTable:
    """One bundle per origin; see `ForecastBundle` for what the arrays mean."""

    services: tuple[str, ...]  # (n,)
    made_at_s: FloatArray  # (n_origins,) Unix s, ascending
    fitted_at_s: float  # Unix s
    window_edges_s: FloatArray  # (n_windows + 1,) s after made_at_s
    demand_edges: FloatArray  # (n, n_cells + 1) requests in flight
    exceedance: FloatArray  # (n, n_origins, n_windows, n_cells)
    model: tuple[str, ...]  # (n,)
    reason: tuple[str, ...]  # (n,)

    def bundle(self, origin: int) -> ForecastBundle:
        """What was known at one origin."""
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


def all_knowing(like: ForecastTable, demand: Demand, origins: IntArray) -> ForecastTable:
    """The table of an oracle: every curve is a step at the peak that really comes.

    demand: the truth, past and future. origins: (n_origins,) steps of it, those of ``like``.
    Windows that reach beyond the end of the truth hold what is left of it.
    """
    truth = np.nan_to_num(demand.peak)
    steps = np.round(like.window_edges_s / demand.step_s).astype(np.int64)
    windows = pairwise(steps)
    peaks = [_peak_ahead(truth, origins + first, int(end - first)) for first, end in windows]
    lower = like.demand_edges[:, None, None, :-1]
    width = np.diff(like.demand_edges)[:, None, None, :]
    peak = np.stack(peaks, axis=2)[:, :, :, None]
    return replace(
        like,
        exceedance=((peak > lower) & (width > 0)).astype(like.exceedance.dtype),
        model=("oracle",) * len(like.services),
        reason=("",) * len(like.services),
    )


def _peak_ahead(truth: FloatArray, first: IntArray, length: int) -> FloatArray:
    """(n, n_origins) greatest value of ``length`` steps from each first step on."""
    padded = np.pad(truth, ((0, 0), (0, length + int(first.max(initial=0)))))
    ahead = np.lib.stride_tricks.sliding_window_view(padded, length, axis=1)
    return np.asarray(ahead[:, first].max(axis=-1))


def stack(tables: tuple[ForecastTable, ...]) -> ForecastTable:
    """Tables of the same origins, windows and cells as one: their services one after the other."""
    return replace(
        tables[0],
        services=sum((t.services for t in tables), ()),
        demand_edges=np.concatenate([t.demand_edges for t in tables]),
        exceedance=np.concatenate([t.exceedance for t in tables]),
        model=sum((t.model for t in tables), ()),
        reason=sum((t.reason for t in tables), ()),
    )
