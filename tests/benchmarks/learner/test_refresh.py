"""The benchmark of the learner's loop runs the loop."""

from benchmarks.learner.refresh import measure
from learner.settings import LearnerSettings


def test_a_step_costs_far_less_than_the_first() -> None:
    cost = measure(10, days=1, fit=LearnerSettings(max_rows=500, rounds=5))
    assert cost.services == 10
    assert 0 < cost.fit_s < cost.first_s
    assert cost.step_s < 0.5 * cost.first_s
    assert cost.peak_mb > 0
