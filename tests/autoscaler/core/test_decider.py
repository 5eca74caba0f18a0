from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from autoscaler.core.decider import decide
from autoscaler.core.state.revision import KNATIVE_DEFAULTS, Active, Mode, Revision
from tests.autoscaler.core.stories import (
    AT_WORK,
    Life,
    Story,
    answer,
    forecast,
    one,
    step,
    tell,
)

OUTWARD = replace(KNATIVE_DEFAULTS, mode=Mode.OUTWARD)
FULL = replace(KNATIVE_DEFAULTS, mode=Mode.FULL)
CALM = (30.0,) * 20
IDLE = (0.0,) * 20


def want(
    revision: Revision,
    demand: tuple[float | None, ...],
    *,
    expected: float = np.nan,
    seen: dict[str, Any] | None = None,
) -> int:
    story = one(revision, demand=demand, observed=replace(AT_WORK, **seen or {}))
    return int(answer(story, forecast([expected], now=story.now)).want[0])


def test_holds_scale_when_there_is_no_data() -> None:
    assert want(OUTWARD, ()) == -1


def test_a_forecast_adds_pods() -> None:
    assert want(OUTWARD, CALM, expected=450.0) == 5


def test_a_forecast_wakes_a_revision_that_sleeps() -> None:
    asleep = {"ready": 0, "replicas": 0, "active": Active.FALSE}
    assert want(OUTWARD, (), expected=50.0, seen=asleep) == 1


def test_a_forecast_of_nothing_is_no_reason_to_decide() -> None:
    assert want(FULL, (), expected=0.0) == -1


def test_a_low_forecast_takes_nothing_away() -> None:
    assert want(OUTWARD, (400.0,) * 20, expected=0.0) == 6


@pytest.mark.parametrize("mode", [Mode.OFF, Mode.SHADOW])
def test_off_and_shadow_are_knative(mode: Mode) -> None:
    assert want(replace(KNATIVE_DEFAULTS, mode=mode), CALM, expected=450.0) == 1


def test_shadow_shows_what_the_forecast_would_have() -> None:
    story = one(demand=CALM)
    assert answer(story, forecast([450.0], now=story.now)).predicted.tolist() == [5]


def test_off_looks_at_no_forecast() -> None:
    story = one(replace(KNATIVE_DEFAULTS, mode=Mode.OFF), demand=CALM)
    assert answer(story, forecast([450.0], now=story.now)).predicted.tolist() == [-1]


def test_a_forecast_is_held_by_the_scale_up_rate() -> None:
    assert want(replace(OUTWARD, max_scale_up_rate=3.0), CALM, expected=5000.0) == 3


def test_a_forecast_is_held_by_max_scale() -> None:
    assert want(replace(OUTWARD, max_scale=4), CALM, expected=5000.0) == 4


def test_a_forecast_wakes_the_activation_scale() -> None:
    assert want(replace(OUTWARD, activation_scale=3), IDLE, expected=10.0) == 3


def test_a_forecast_keeps_the_last_pod() -> None:
    assert want(OUTWARD, IDLE) == 0
    assert want(OUTWARD, IDLE, expected=10.0) == 1


def test_full_lets_pods_go_earlier_than_the_stable_window() -> None:
    burst_over = (700.0,) * 20 + (30.0,) * 6
    assert want(OUTWARD, burst_over, expected=100.0) == 10
    assert want(FULL, burst_over, expected=100.0) == 1


def test_full_is_never_below_what_the_panic_window_sees() -> None:
    assert want(FULL, (700.0,) * 20 + (200.0,) * 6, expected=0.0) == 3


@pytest.mark.parametrize("unreported", [0, 1, 2])
def test_full_sees_a_request_that_waits_though_its_panic_window_is_a_second(
    unreported: int,
) -> None:
    short = replace(FULL, stable_window_s=10, panic_window_s=1)
    waits = (0.0,) * 6 + (3.0,) * (4 - unreported) + (None,) * unreported
    assert want(short, waits, expected=0.0, seen={"ready": 0, "replicas": 0}) == 1


def test_full_lets_the_last_pod_go_once_nothing_was_seen_for_six_seconds() -> None:
    short = replace(FULL, stable_window_s=20, panic_window_s=2)
    seen = {"probe_passed": True, "active": Active.FALSE}
    assert want(short, (30.0, *(0.0,) * 5), expected=0.0, seen=seen) == 1
    assert want(short, (30.0, *(0.0,) * 6), expected=0.0, seen=seen) == 0


def test_full_is_never_below_min_scale() -> None:
    assert want(replace(FULL, min_scale=2), (700.0,) * 20 + (30.0,) * 6, expected=0.0) == 2


def test_full_keeps_the_activation_scale_while_demand_is_seen() -> None:
    assert want(replace(FULL, activation_scale=3), CALM, expected=0.0) == 3


def test_the_scale_target_is_written_only_where_it_differs() -> None:
    same = one(demand=CALM, observed=replace(AT_WORK, replicas=1))
    other = one(demand=CALM, observed=replace(AT_WORK, replicas=2))
    assert [bool(answer(s).scale[0]) for s in (same, other)] == [False, True]


def test_the_activator_leaves_the_path_where_ready_pods_can_take_a_burst() -> None:
    few = one(demand=CALM, observed=replace(AT_WORK, ready=2))
    enough = one(demand=CALM, observed=replace(AT_WORK, ready=3))
    assert [bool(answer(s).proxy[0]) for s in (few, enough)] == [True, False]


def test_no_spare_is_enough_for_the_activator_to_leave() -> None:
    made = step(one(demand=(89.0,) * 20, observed=replace(AT_WORK, ready=3)))
    assert made.memory.excess_burst_capacity[0] == 0
    assert not made.decision.proxy[0]


def test_what_is_remembered_is_knatives_answer_without_the_forecast() -> None:
    story = one(OUTWARD, demand=CALM)
    assert step(story, forecast([450.0], now=story.now)).memory.kpa.tolist() == [1]


def test_without_data_the_scale_down_delay_remembers_nothing() -> None:
    slow = replace(KNATIVE_DEFAULTS, scale_down_delay_s=60.0)
    assert len(step(one(slow, demand=CALM)).delayed) == 1
    assert len(step(one(slow)).delayed) == 0


def test_the_activator_stands_in_the_path_of_a_revision_at_zero() -> None:
    spare = replace(KNATIVE_DEFAULTS, target_burst_capacity=0.0)
    assert answer(one(spare, demand=IDLE)).proxy[0]


@pytest.mark.parametrize(
    ("burst", "ready", "activators"), [(0.0, 9, 2), (-1.0, 9, 9), (211.0, 0, 3), (211.0, 4, 7)]
)
def test_activators_follow_the_ready_pods_and_the_burst(
    burst: float, ready: int, activators: int
) -> None:
    revision = replace(KNATIVE_DEFAULTS, target_burst_capacity=burst)
    story = one(revision, demand=CALM, observed=replace(AT_WORK, ready=ready))
    assert answer(story).activators.tolist() == [activators]


def test_rows_may_be_decided_at_different_times() -> None:
    lives = (Life(demand=CALM), Life(demand=CALM))
    story = Story(lives=lives, seconds=19)
    later = story.now + np.array([0.0, 100.0])
    assert decide(tell(story), None, now=later).decision.no_data.tolist() == [False, True]


def test_both_aggregations_live_in_one_fleet() -> None:
    weighted = replace(KNATIVE_DEFAULTS, weighted_exponential=True)
    lives = (Life(demand=CALM), Life(revision=weighted, demand=CALM))
    stable = answer(Story(lives=lives, seconds=19)).stable
    assert stable[0] == 30.0
    assert stable[1] == pytest.approx(30.0 * (1 - 0.8**20))


def test_an_empty_fleet_decides_nothing() -> None:
    assert len(answer(Story(lives=(), seconds=0)).want) == 0


@pytest.mark.parametrize("absurd", [np.inf, 1e300, -np.inf, -1.0])
def test_an_absurd_forecast_is_neither_a_crash_nor_below_knative(absurd: float) -> None:
    assert want(OUTWARD, CALM, expected=absurd) >= 1
