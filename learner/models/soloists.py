"""Forecasts of models that take each service by itself, and may have nothing to say for it."""

from collections.abc import Callable

import numpy as np

from autoscaler.core.types import FloatArray, IntArray
from learner.demand import Demand
from learner.models import Forecast
from learner.models.levels import cells_in_reach, demand_edges, pods_needed

# (place of the service, its need (n_steps,) in pods, n_cells) -> (n_origins, n_windows, n_cells),
# NaN where silent; or the reason why there is nothing to say at all.
Answer = Callable[[int, FloatArray, int], FloatArray | str]


def forecast_each(demand: Demand, origins: IntArray, n_windows: int, answer: Answer) -> Forecast:
    """Ask ``answer`` service by service; cells out of reach at an origin are 0, falling holds."""
    need = pods_needed(demand)
    reach = cells_in_reach(need)[:, origins]
    n_cells = reach.max(axis=1, initial=1)
    widest = int(n_cells.max(initial=1))
    exceedance = np.full((len(need), len(origins), n_windows, widest), np.nan, dtype=np.float32)
    reasons = []
    for row in range(len(need)):
        said = answer(row, need[row], widest)
        reasons.append(said if isinstance(said, str) else "")
        if not isinstance(said, str):
            in_reach = np.arange(widest) < reach[row][:, None]
            falling = np.minimum.accumulate(said, axis=2)
            silent = np.isnan(said).any(axis=2, keepdims=True)
            exceedance[row] = np.where(silent, np.nan, np.where(in_reach[:, None], falling, 0))
    return Forecast(
        demand_edges=demand_edges(demand.capacity, n_cells),
        exceedance=exceedance,
        reason=tuple(reasons),
    )
