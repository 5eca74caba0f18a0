from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from autoscaler.core.kpa.bounds import clip, least
from autoscaler.core.state.fleet import Fleet
from autoscaler.core.state.revision import KNATIVE_DEFAULTS, Active
from tests.autoscaler.core.stories import AT_WORK, BASE_S, look


def revision(*, active: Active = Active.TRUE, initialized: bool = True, **spec: Any) -> Fleet:
    fleet = Fleet()
    fleet.add({"shop/cart": replace(KNATIVE_DEFAULTS, **spec)}, now=BASE_S)
    look(fleet, 0, replace(AT_WORK, active=active, initialized=initialized))
    return fleet


def clipped(desired: int, **asked: Any) -> int:
    fleet = revision(**asked)
    return int(clip(np.array([desired]), fleet.spec, fleet.observed)[0])


def test_within_bounds_nothing_changes() -> None:
    assert clipped(3, min_scale=1, max_scale=5) == 3


def test_min_scale_holds_it_up() -> None:
    assert clipped(0, min_scale=2) == 2


def test_max_scale_holds_it_down() -> None:
    assert clipped(9, max_scale=5) == 5


def test_a_max_scale_of_zero_is_no_limit() -> None:
    assert clipped(1_000_000, max_scale=0) == 1_000_000


def test_min_wins_over_max() -> None:
    assert clipped(9, initialized=False, initial_scale=7, max_scale=5) == 7


def test_the_initial_scale_holds_until_it_was_reached_once() -> None:
    assert clipped(1, initialized=False, initial_scale=4) == 4
    assert clipped(1, initialized=True, initial_scale=4) == 1


def test_an_initial_scale_of_one_lets_a_fresh_revision_go_to_zero() -> None:
    assert clipped(0, initialized=False, initial_scale=1) == 0


def test_without_a_route_there_is_no_lower_bound() -> None:
    assert clipped(0, reachable=False, min_scale=3, initialized=False, initial_scale=4) == 0


def test_without_a_route_there_is_an_upper_bound() -> None:
    assert clipped(9, reachable=False, max_scale=5) == 5


@pytest.mark.parametrize("active", [Active.TRUE, Active.FALSE])
def test_no_decision_stays_that(active: Active) -> None:
    assert clipped(-1, active=active, min_scale=3) == -1


def test_while_activating_no_decision_is_clipped_like_any_number() -> None:
    assert clipped(-1, active=Active.UNKNOWN, min_scale=3) == 3
    assert clipped(-1, active=Active.UNKNOWN) == 0


def test_the_lower_bound_is_the_greater_of_min_and_initial_scale() -> None:
    fleet = revision(initialized=False, min_scale=5, initial_scale=4)
    assert least(fleet.spec, fleet.observed).tolist() == [5]
