"""Demand per service and second, counted for the metrics that the learner learns from.

Knative exports no demand by default, and then only averages. Requests are counted here, and the
greatest load and the mean in flight over the last `PEAK_S` are kept, so that a scraper with a
longer interval than a second misses no peak.
"""

import numpy as np

from autoscaler.core.state.fleet import LARGEST_SAMPLE, Fleet
from autoscaler.core.state.services import PEAK_S
from autoscaler.core.types import FloatArray, IntArray

MOST_DELAY_S = 2  # s that a statistic may be delayed and still be counted
NONE_COUNTED = -1  # in place of the next second to count: none was counted yet


def count_demand(fleet: Fleet, next_second: int, now: float) -> int:
    """Count into ``fleet.services`` the seconds that are complete by Unix s ``now``.

    next_second: the first that was not counted yet, or `NONE_COUNTED`. Returns the next one. After
    a gap longer than `PEAK_S`, or when the clock was set back, counting restarts.
    """
    end = int(now) - MOST_DELAY_S
    if next_second == NONE_COUNTED or not 0 <= end - next_second <= PEAK_S:
        return end
    rows = fleet.stable.since(next_second)
    for second in range(next_second, end):
        # A sum may be slightly below zero by rounding.
        samples = np.maximum(fleet.stable.at(rows, np.full(len(rows), second)), 0.0)
        in_flight, requests = (by_service(fleet, rows, kind) for kind in samples)
        fleet.services.count_second(in_flight, requests)
    return end


def count_cold(fleet: Fleet, rows: IntArray, requests: FloatArray) -> None:
    """Count requests (n,) that an activator holds for rows (n,) without a ready pod.

    The activator's first statistic of a revision reports one request, which is missing from its
    next: the sum over all is right. Invalid numbers (NaN, negative, too large) are left out.
    """
    cold = (fleet.observed.ready[rows] == 0) & (requests > 0) & (requests <= LARGEST_SAMPLE)
    np.add.at(fleet.services.calls.cold, fleet.service[rows[cold]], requests[cold])


def by_service(fleet: Fleet, rows: IntArray, values: FloatArray) -> FloatArray:
    """(n_services,) sums of ``values`` (n,) of rows (n,)."""
    service = fleet.service[rows]
    sums = np.bincount(service, weights=values, minlength=len(fleet.services))
    return np.asarray(sums, dtype=np.float64)
