"""The gate by requests lets through what is no worse, and nothing else."""

import numpy as np
import pytest

from benchmarks.goals.keep_alives import MINUTES, policies_of, verdicts
from benchmarks.goals.made_workloads import sparse
from benchmarks.goals.simulated import Spent


def spent(*points: tuple[float, float], services: int = 20, noise: float = 0.0) -> Spent:
    """Points (cold, pod-seconds) a service; ``noise``: of each one's cold requests."""
    random = np.random.default_rng(0)
    shape = len(points), services
    cold = np.array([cold for cold, _ in points])[:, None] + random.normal(0, noise, shape)
    pod_s = np.broadcast_to(np.array([pod_s for _, pod_s in points])[:, None], shape)
    return Spent(requests=np.full(shape, 100), cold=cold, pod_s=pod_s)


def test_ours_is_read_between_two_prices() -> None:
    (one,) = verdicts(["kept"], spent((50, 150), (60, 100), (20, 200)))
    assert one.ours == pytest.approx(20 * 40)
    assert one.passes


def test_a_price_that_spends_and_misses_more_than_another_is_not_counted() -> None:
    (one,) = verdicts(["kept"], spent((50, 150), (60, 140), (30, 100), (20, 200)))
    assert one.ours == pytest.approx(20 * (30 - 10 / 6))


def test_more_cold_requests_fail() -> None:
    (one,) = verdicts(["kept"], spent((30, 150), (60, 100), (20, 200)))
    assert one.low == pytest.approx(20 * 10)
    assert not one.passes


def test_a_difference_that_services_leave_open_passes() -> None:
    (one,) = verdicts(["kept"], spent((40, 150), (60, 100), (20, 200), services=50, noise=20.0))
    assert one.low < 0 < one.high
    assert one.passes


def test_what_the_sweep_does_not_reach_is_told() -> None:
    (one,) = verdicts(["kept"], spent((50, 400), (60, 100), (20, 200)))
    assert one.ours == 20 * 20
    assert one.our_pod_s == 20 * 200


def test_knative_is_compared_as_it_is_and_with_each_setting() -> None:
    theirs, ours = policies_of(sparse())
    assert len(theirs) == 1 + len(MINUTES) + 1
    assert {policy.forecasts for policy in theirs} == {""}
    assert len({policy.name for policy in [*theirs, *ours]}) == len(theirs) + len(ours)
