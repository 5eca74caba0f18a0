"""The course of pods is the cheapest there is, and one minute of it is kept to."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.policies.mpc import MISSING, Mpc, course
from tests.benchmarks.policies.scenes import scene_of

PODS = st.integers(0, 2)


def cost(pods: tuple[int, ...], needed: list[int], before: int, start: float) -> float:
    """Of one course: idle and missing pods, and those that are created."""
    total = 0.0
    for now, need in zip(pods, needed, strict=True):
        total += MISSING * max(need - now, 0) + max(now - need, 0) + start * max(now - before, 0)
        before = now
    return total


@given(st.lists(PODS, min_size=4, max_size=4), PODS, st.floats(0.0, 5.0))
def test_no_course_is_cheaper(needed: list[int], before: int, start: float) -> None:
    """Its first step is that of a cheapest course, found by trying all."""
    ahead = np.array(needed)[:, None, None]
    ((found,),) = course(ahead, np.array([[before]]), np.array([[start]])).tolist()
    all_of_them = list(product(range(3), repeat=4))
    costs = {pods: cost(pods, needed, before, start) for pods in all_of_them}
    least = min(costs.values())
    assert min(costs[pods] for pods in all_of_them if pods[0] == found) == pytest.approx(least)


def test_a_pod_is_kept_over_a_gap_that_is_shorter_than_a_start_costs() -> None:
    needed = np.array([[0, 0, 0, 1]]).T[:, :, None]  # in three steps
    stood = np.ones((1, 1), dtype=np.int64)
    assert course(needed, stood, np.array([[4.0]])).item() == 1
    assert course(needed, stood, np.array([[2.0]])).item() == 0
    assert course(needed, 0 * stood, np.array([[4.0]])).item() == 0


def test_what_is_steady_has_its_pods_and_what_is_over_has_none() -> None:
    steady = [(minute / 2, 40.0) for minute in range(400)]
    over = steady[:40]  # two hours and more before
    plan = Mpc().plan(scene_of([steady, over], 200, 150), 1.0)
    assert plan.floors is not None
    assert set(plan.floors[0, :40].tolist()) == {2}
    assert not plan.floors[1].any()
