"""Demand as the autoscaler sees it, second by second: what the learner will learn from.

Knative exports no demand by default, and what it exports is an average. We see every second of
every service anyway: requests are counted, and of the seconds' averages in flight the greatest and
the mean of the last `PEAK_S` are kept, so that a scraper that comes by every few seconds misses
nothing.
"""

import numpy as np

from autoscaler.core.state.fleet import LARGEST_SAMPLE, Fleet
from autoscaler.core.state.services import PEAK_S
from autoscaler.core.types import FloatArray, IntArray

LATE_S = 2  # s that a statistic may come late and still be counted
NONE_COUNTED = -1  # in place of the next second to count


def count_demand(fleet: Fleet, next_second: int, now: float) -> int:
    """Count into ``fleet.services`` the seconds that are complete by Unix s ``now``.

    next_second: the first that was not counted yet, or `NONE_COUNTED`. Returns the next one. After
    a gap longer than `PEAK_S`, or a clock that was set back, counting begins anew.
    """
    end = int(now) - LATE_S
    if next_second == NONE_COUNTED or not 0 <= end - next_second <= PEAK_S:
        return end
    rows = fleet.stable.since(next_second)
    for second in range(next_second, end):
        # A jitter below zero takes nothing from the others.
        samples = np.maximum(fleet.stable.at(rows, np.full(len(rows), second)), 0.0)
        in_flight, requests = (by_service(fleet, rows, kind) for kind in samples)
        fleet.services.count_second(in_flight, requests)
    return end


def count_cold(fleet: Fleet, rows: IntArray, requests: FloatArray) -> None:
    """Count requests (n,) that an activator holds for rows (n,) without a ready pod.

    Its first word of a revision says one request, and that one is missing from its next: the sum
    over all it says is right. What cannot be (NaN, negative, absurd) is left out.
    """
    cold = (fleet.observed.ready[rows] == 0) & (requests > 0) & (requests <= LARGEST_SAMPLE)
    np.add.at(fleet.services.calls.cold, fleet.service[rows[cold]], requests[cold])


def by_service(fleet: Fleet, rows: IntArray, values: FloatArray) -> FloatArray:
    """(n_services,) sums of ``values`` (n,) of rows (n,)."""
    service = fleet.service[rows]
    sums = np.bincount(service, weights=values, minlength=len(fleet.services))
    return np.asarray(sums, dtype=np.float64)
