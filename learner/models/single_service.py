"""Models that take each service by itself, and may have nothing to say for it.

What goes wrong with one service is no concern of any other: the model is silent for it.
"""

import logging
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from autoscaler.core.types import FloatArray, IntArray
from learner.demand import Demand
from learner.models import Forecast
from learner.models.levels import cells_in_reach, demand_edges, pods_needed

# (place of the service, its need (n_steps,) in pods, n_cells) -> (n_origins, n_windows, n_cells),
# NaN where silent; or the reason why there is nothing to say at all.
Answer = Callable[[int, FloatArray, int], FloatArray | str]

Learned = TypeVar("Learned")

log = logging.getLogger(__name__)


def learn_each(
    demand: Demand, learn: Callable[[FloatArray], Learned], nothing: Learned
) -> dict[str, Learned]:
    """What ``learn`` makes of each service's need (n_steps,) in pods; ``nothing`` if it fails."""
    learned = {}
    for service, need in zip(demand.services, pods_needed(demand), strict=True):
        try:
            learned[service] = learn(need)
        except Exception:
            log.exception("nothing is learned of %s", service)
            learned[service] = nothing
    return learned


def forecast_each(demand: Demand, origins: IntArray, n_windows: int, answer: Answer) -> Forecast:
    """Ask ``answer`` service by service; cells out of reach at an origin are 0, falling holds."""
    need = pods_needed(demand)
    reach = cells_in_reach(need)[:, origins]
    n_cells = reach.max(axis=1, initial=1)
    widest = int(n_cells.max(initial=1))
    exceedance = np.full((len(need), len(origins), n_windows, widest), np.nan, dtype=np.float32)
    reasons = []
    for row, width in enumerate(n_cells.tolist()):
        said = _answered(answer, row, need[row], width, demand.services[row])
        reasons.append(said if isinstance(said, str) else "")
        if not isinstance(said, str):
            in_reach = np.arange(width) < reach[row][:, None]
            falling = np.minimum.accumulate(said, axis=2)
            silent = np.isnan(said).any(axis=2, keepdims=True)
            whole = np.zeros(exceedance.shape[1:])
            whole[..., :width] = np.where(in_reach[:, None], falling, 0)
            exceedance[row] = np.where(silent, np.nan, whole)
    return Forecast(
        demand_edges=demand_edges(demand.capacity, n_cells),
        exceedance=exceedance,
        reason=tuple(reasons),
    )


def _answered(
    answer: Answer, row: int, need: FloatArray, width: int, service: str
) -> FloatArray | str:
    try:
        return answer(row, need, width)
    except Exception as error:
        log.exception("nothing is said of %s", service)
        return f"a fault of ours: {error!r:.200}"
