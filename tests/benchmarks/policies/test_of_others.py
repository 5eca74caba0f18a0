"""What is forecast for new services was learned from others alone."""

import numpy as np

from benchmarks.policies.contract import scene
from benchmarks.policies.kn_ahead import OfOthers
from benchmarks.policies.walk import WalkSettings, walk
from learner.settings import LearnerSettings

QUICK = WalkSettings(learner=LearnerSettings(max_rows=300, rounds=5, windows=(0, 1)))
DAY = 1440


def test_each_half_is_forecast_by_what_the_other_taught() -> None:
    whole = scene(first=DAY, rows=(0, 1, 2))
    found = OfOthers(QUICK)(whole)
    assert found.services == whole.demand.services
    own, other = np.array([0, 2]), np.array([1])
    expected = walk(
        whole.demand.only(own), whole.first, QUICK, learned=whole.demand.only(other)
    ).exceedance
    cells = min(expected.shape[-1], found.exceedance.shape[-1])
    np.testing.assert_array_equal(found.exceedance[own, ..., :cells], expected[..., :cells])


def test_a_service_that_is_alone_has_no_forecast() -> None:
    alone = scene(first=DAY, rows=(1,))
    assert np.isnan(OfOthers(QUICK)(alone).exceedance).all()
