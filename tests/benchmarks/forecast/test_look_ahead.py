"""What pods would cost follows from what came before: as a controller would have counted it."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.forecast.look_ahead import costs_after
from benchmarks.policies.policies import revision
from benchmarks.simulator.arrivals import Requests

PRICE_S, CALLS = 300.0, 60
SPEC = replace(revision(0, 5.0, 30.0), cold_price_s=PRICE_S)


def called(together: int) -> Requests:
    """One service, so many times at once every ten minutes."""
    at = np.repeat(600.0 * np.arange(CALLS), together)
    return Requests(
        arrival_s=at, service_s=np.full(len(at), 0.1), offset=np.array([0, len(at)], dtype=np.int64)
    )


@pytest.mark.parametrize("together", [1, 5])
def test_a_missing_pod_costs_all_requests_that_come_together(together: int) -> None:
    costs = costs_after(SPEC, called(together), 0, 600.0 * CALLS)
    assert costs.first_s[0] == pytest.approx(PRICE_S * together, rel=0.1)
    assert (costs.lead_s[0], costs.drain_s[0]) == (5.0, 30.0)


def test_what_comes_later_is_not_counted() -> None:
    before, all_of_it = (costs_after(SPEC, called(5), 0, s) for s in (300.0, 600.0 * CALLS))
    assert before.first_s[0] < all_of_it.first_s[0]
