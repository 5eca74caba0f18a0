"""The cost of the decisions that follow from a forecast: missing pods against idle ones.

Models are selected by it and not by their error: an error that changes no decision costs nothing.
"""

import numpy as np

from autoscaler.core.types import FloatArray
from learner.models import Exceedance
from learner.models.levels import LEVELS


def decision_cost(exceedance: Exceedance, need: FloatArray, price: float) -> FloatArray:
    """(n,) idle pod-steps, plus ``price`` for each missing pod, of providing each level that pays.

    exceedance: (n, n_origins, n_cells), falling; NaN = no answer, so nothing is provided. need:
    (n, n_origins) pods at the step forecast; NaN = unknown, not counted. A level pays if
    ``p * price > 1 - p``; ``price`` is in idle pod-steps per missing pod.
    """
    probability = np.nan_to_num(exceedance)
    n_levels = (probability * price > 1 - probability).sum(axis=2)
    provided = np.append(0, LEVELS)[n_levels]
    cost = np.maximum(provided - need, 0) + price * np.maximum(need - provided, 0)
    return np.asarray(np.nansum(cost, axis=1), dtype=np.float64)
