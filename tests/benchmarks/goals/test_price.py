"""What is paid between two prices is told as it is."""

import numpy as np

from benchmarks.goals.price import steps_of
from benchmarks.goals.simulated import Spent


def spent(cold: list[float], pod_s: list[float], services: int = 10) -> Spent:
    """Of Knative and of each price, the same for each service."""
    shape = len(cold), services
    return Spent(
        requests=np.full(shape, 100),
        cold=np.broadcast_to(np.array(cold)[:, None], shape),
        pod_s=np.broadcast_to(np.array(pod_s)[:, None], shape),
    )


def test_what_lies_between_the_prices_passes() -> None:
    steps = steps_of(spent([100, 60, 50, 40, 30], [0, 0, 400, 1400, 5400]))
    assert [step.paid_s for step in steps] == [40, 100, 400]
    assert [step.avoided for step in steps] == [100, 100, 100]
    assert all(step.passes for step in steps)


def test_what_costs_more_or_less_than_said_is_missed() -> None:
    steps = steps_of(spent([100, 60, 50, 40, 30], [0, 0, 100, 1_100, 11_100]))
    assert [step.passes for step in steps] == [False, True, False]


def test_what_costs_and_avoids_nothing_is_no_miss_and_what_costs_is() -> None:
    steps = steps_of(spent([100, 60, 60, 60, 60], [0, 10, 10, 20, 20]))
    assert [step.passes for step in steps] == [True, False, True]
    assert np.isnan(steps[0].paid_s)
