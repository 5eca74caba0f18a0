"""Pod levels: what models forecast.

Level k of a service is needed in a step when its peak demand exceeds what k - 1 pods take. A
decision asks "will level k be needed?", so this is what the models answer. Levels 1 to 12 are
single pods; above them the grid is some eight per cent apart, so that a service with hundreds of
pods stays cheap. The grid is the same for every service. How many cells a service has follows from
its past alone: from its future, it would leak into the features.
"""

import numpy as np

from autoscaler.core.types import FloatArray, IntArray
from learner.demand import Demand

SINGLE_LEVELS = 12
GRID_STEP = 1.08
LARGEST_LEVEL = 10_000_000


def _grid() -> IntArray:
    levels = list(range(1, SINGLE_LEVELS + 1))
    while levels[-1] < LARGEST_LEVEL:
        levels.append(int(np.ceil(levels[-1] * GRID_STEP)))
    return np.array(levels)


LEVELS = _grid()  # (n_grid,) pods, ascending from 1


def pods_needed(demand: Demand) -> FloatArray:
    """(n, n_steps) pods that would have taken the peak of each step; NaN = gap."""
    return np.ceil(demand.peak / demand.capacity[:, None])


def cells_in_reach(need: FloatArray, origins: IntArray | None = None) -> IntArray:
    """How many cells a forecast at each origin has, (n, n_origins).

    need: (n, n_steps) pods, NaN = gap. origins: None = all, n_steps + 1. The last cell is the first
    of the grid at least one pod and about a quarter above the greatest need before the origin, or
    the last of the grid.
    """
    seen = np.maximum.accumulate(np.nan_to_num(need, nan=0.0), axis=1)
    greatest = np.concatenate([np.zeros((need.shape[0], 1)), seen], axis=1)
    return cells_up_to(greatest if origins is None else greatest[:, origins])


def cells_up_to(greatest: FloatArray) -> IntArray:
    """As `cells_in_reach`, of the greatest need so far, of any shape."""
    target = np.maximum(greatest + 1, np.floor(1.25 * greatest))
    reach = np.minimum(np.searchsorted(LEVELS, target) + 1, len(LEVELS) - 1)
    return np.asarray(reach, dtype=np.int64)


def demand_edges(capacity: FloatArray, n_cells: IntArray) -> FloatArray:
    """Edges of the cells in requests in flight, (n, max(n_cells) + 1), padded by the last one.

    capacity: (n,) requests in flight per pod; n_cells: (n,) cells that each service has.
    """
    widest = int(n_cells.max(initial=1))
    column = np.minimum(np.arange(widest + 1)[None, :], n_cells[:, None])
    return np.asarray(capacity[:, None] * (LEVELS[column] - 1), dtype=np.float64)
