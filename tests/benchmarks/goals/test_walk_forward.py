"""A walk forecasts every step, from its past alone."""

from dataclasses import replace

import numpy as np

from benchmarks.goals.coverage import copied_from, scores_of
from benchmarks.goals.made_workloads import poisson
from benchmarks.goals.walk_forward import walk_forward
from benchmarks.goals.workloads import Workload
from benchmarks.policies.walk import WalkSettings
from learner.settings import LearnerSettings

QUICK = WalkSettings(
    refit_steps=60, learner=LearnerSettings(max_rows=500, rounds=10, windows=(0, 1, 5))
)


def two_hours(changed: bool = False) -> Workload:
    """Ten services, the last two hours of a day; on request with other calls in the last one."""
    whole = poisson()
    demand = whole.demand.only(np.arange(10)).until(1440)
    if changed:
        demand.peak[:, 1380:] = 1.0
    return replace(whole, demand=demand, first=1320)


def test_no_forecast_sees_what_comes() -> None:
    one, other = (walk_forward(two_hours(changed), QUICK).exceedance for changed in (False, True))
    assert one.shape[:3] == (10, 120, 2)
    np.testing.assert_array_equal(one[:, :61, :, 0], other[:, :61, :, 0])
    assert (one[:, 62:, :, 0] != other[:, 62:, :, 0]).any()


def test_each_window_is_scored() -> None:
    work = two_hours()
    scores = scores_of(work, walk_forward(work, QUICK))
    assert copied_from(work) == 60  # a day before there is nothing
    assert [score.steps for score in scores] == [(0, 1), (1, 5)]
    for score in scores:
        assert all(0 <= each.low <= each.value <= each.high <= 1 for each in score.coverage)
        assert list(score.published) == sorted(score.published)
        assert score.loss.value < 1.2
        assert score.number.sum() >= score.came.sum() > 0
