"""Fitting and forecasting service by service, for models that may have no answer for some.

An error with one service concerns no other: the model has no answer for it.
"""

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from autoscaler.core.types import FloatArray, IntArray
from autoscaler.logs import get_logger
from learner.demand import Demand
from learner.models import Forecast
from learner.models.levels import cells_in_reach, demand_edges, pods_needed

# (row of the service, its need (n_steps,) in pods, n_cells) -> (n_origins, n_windows, n_cells),
# NaN = no answer; or the reason why there is none at any origin.
Answer = Callable[[int, FloatArray, int], FloatArray | str]

Fitted = TypeVar("Fitted")

log = get_logger(__name__)


def fit_by_service(
    demand: Demand, fit: Callable[[FloatArray], Fitted], default: Fitted
) -> dict[str, Fitted]:
    """``fit`` of each service's need (n_steps,) in pods; ``default`` where it fails."""
    fitted = {}
    for service, need in zip(demand.services, pods_needed(demand), strict=True):
        try:
            fitted[service] = fit(need)
        except Exception:
            log.exception("fit failed", service=service)
            fitted[service] = default
    return fitted


def forecast_by_service(
    demand: Demand, origins: IntArray, n_windows: int, answer: Answer
) -> Forecast:
    """Call ``answer`` for each service; made to fall along cells, 0 where out of reach."""
    need = pods_needed(demand)
    reach = cells_in_reach(need)[:, origins]
    n_cells = reach.max(axis=1, initial=1)
    widest = int(n_cells.max(initial=1))
    exceedance = np.full((len(need), len(origins), n_windows, widest), np.nan, dtype=np.float32)
    reasons = []
    for row, width in enumerate(n_cells.tolist()):
        answered = _answer_or_reason(answer, row, need[row], width, demand.services[row])
        reasons.append(answered if isinstance(answered, str) else "")
        if not isinstance(answered, str):
            in_reach = np.arange(width) < reach[row][:, None]
            falling = np.minimum.accumulate(answered, axis=2)
            unanswered = np.isnan(answered).any(axis=2, keepdims=True)
            whole = np.zeros(exceedance.shape[1:])
            whole[..., :width] = np.where(in_reach[:, None], falling, 0)
            exceedance[row] = np.where(unanswered, np.nan, whole)
    return Forecast(
        demand_edges=demand_edges(demand.capacity, n_cells),
        exceedance=exceedance,
        reason=tuple(reasons),
    )


def _answer_or_reason(
    answer: Answer, row: int, need: FloatArray, width: int, service: str
) -> FloatArray | str:
    try:
        return answer(row, need, width)
    except Exception as error:
        log.exception("forecast failed", service=service)
        return f"a fault of ours: {error!r:.200}"
