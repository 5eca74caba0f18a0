"""KEDA's cron scaler with the best hours in hindsight: a bound, for no user knows them.

Source: KEDA's cron trigger (timezone, start, end, desiredReplicas); several triggers of a service
add up to pods by the hour of the day, in UTC here, alike on all days. In hindsight each service has
the best such timetable: in an hour a pod level is kept iff the times that it begins to be needed
then, at the price of a cold request each, outweigh the seconds that it is idle.
"""

import numpy as np

from autoscaler.core.types import BoolArray, FloatArray, IntArray
from benchmarks.policies.contender import Plan, Scene
from benchmarks.policies.kn_ahead import PRICE

HOURS, HOUR_S = 24, 3600.0


class Cron:
    """A timetable for each service; Knative's rule goes on above."""

    name = "KEDA cron, best hours in hindsight"
    knob = PRICE
    hindsight = True

    def plan(self, scene: Scene, value: float) -> Plan:
        """``value``: the price, s."""
        demand = scene.demand
        future = np.nan_to_num(demand.peak[:, scene.first :])
        need = np.ceil(future / demand.capacity[:, None]).astype(np.int64)
        at_s = demand.start_s + np.arange(scene.first, demand.n_steps) * demand.step_s
        hour = np.floor(at_s / HOUR_S).astype(np.int64) % HOURS
        floors = [timetable(row, hour, demand.step_s, value)[hour] for row in need]
        return Plan(
            services=scene.services,
            floors=np.array(floors, dtype=np.int64).reshape(need.shape),
        )


def timetable(need: IntArray, hour: IntArray, step_s: float, price_s: float) -> IntArray:
    """(24,) pods that are best kept in each hour of the day.

    need: (n_steps,) pods. hour: (n_steps,) of the day.
    """
    best = np.zeros(HOURS, dtype=np.int64)
    for level in range(1, int(need.max(initial=0)) + 1):
        needed = need >= level
        begins = needed & ~np.append(False, needed[:-1])
        worth = price_s * _by_hour(begins, hour) > step_s * _by_hour(~needed, hour)
        if not worth.any():
            break
        best[worth & (best == level - 1)] = level
    return best


def _by_hour(flags: BoolArray, hour: IntArray) -> FloatArray:
    return np.bincount(hour, flags, minlength=HOURS).astype(np.float64)
