"""Knative's rule, one clause a test; `pods` is what it asks for after a minute of demand."""

from dataclasses import replace
from typing import Any

import pytest

from autoscaler.core.decider import Step, decide
from autoscaler.core.state.decision import DecisionArrays
from autoscaler.core.state.fleet import Fleet
from autoscaler.core.state.revision import KNATIVE_DEFAULTS, Metric, Revision
from tests.autoscaler.core.stories import AT_WORK, BASE_S, answer, one, sample

MINUTE = 60
SECOND = int(BASE_S)


def after(demand: float, *, ready: int = 1, seconds: int = MINUTE, **spec: Any) -> Step:
    """The tick after so many seconds of constant demand, the first for this revision."""
    revision = replace(KNATIVE_DEFAULTS, **spec)
    story = one(revision, demand=(demand,) * seconds, observed=replace(AT_WORK, ready=ready))
    fleet = Fleet()
    fleet.add({"shop/cart": revision}, now=story.base_s)
    fleet.observed.ready[0] = ready
    for second in range(seconds):
        sample(fleet, [demand], SECOND + second)
    return decide(fleet, None, now=story.now)


def pods(demand: float, **story: Any) -> int:
    return int(after(demand, **story).decision.kpa[0])


class Cart:
    """One revision under a changing demand; answers tick by tick."""

    def __init__(self, revision: Revision = KNATIVE_DEFAULTS) -> None:
        self.fleet = Fleet()
        self.fleet.add({"shop/cart": revision}, now=BASE_S)
        self.second = SECOND

    def runs(self, demand: float, seconds: int) -> DecisionArrays:
        """Two seconds a tick; the pods that are asked for are ready at once."""
        for _ in range(seconds // 2):
            for _ in range(2):
                self.second += 1
                sample(self.fleet, [demand], self.second)
            step = decide(self.fleet, None, now=float(self.second))
            step.apply(self.fleet)
            self.fleet.observed.ready[0] = step.decision.kpa[0]
        return step.decision


def test_pods_are_demand_by_target_rounded_up() -> None:
    assert [pods(70.0), pods(70.125), pods(1.0)] == [1, 2, 1]


def test_no_demand_asks_for_no_pods() -> None:
    assert pods(0.0) == 0


def test_requests_per_second_are_averaged_where_they_are_the_metric() -> None:
    assert pods(70.0, metric=Metric.RPS) == 2  # two requests a second for each in flight


def test_growth_is_limited_by_the_ready_pods() -> None:
    assert pods(7000.0, ready=3, max_scale_up_rate=2.0) == 6


def test_without_ready_pods_growth_counts_from_one() -> None:
    assert pods(7000.0, ready=0, max_scale_up_rate=10.0) == 10


def test_shrinking_is_limited_by_the_ready_pods() -> None:
    assert pods(0.0, ready=9, max_scale_down_rate=2.0) == 4


def test_without_a_route_shrinking_is_not_limited() -> None:
    assert pods(0.0, ready=9, reachable=False) == 0


def test_the_activation_scale_is_a_floor_while_there_is_demand() -> None:
    assert pods(1.0, activation_scale=5) == 5
    assert pods(0.0, activation_scale=5) == 0


def test_the_activation_scale_is_not_held_back_by_the_scale_up_rate() -> None:
    assert pods(1.0, activation_scale=5, max_scale_up_rate=2.0) == 5


def test_an_activation_scale_of_one_means_none() -> None:
    assert pods(0.0, activation_scale=1) == 0


def test_panic_starts_at_the_threshold_and_not_below() -> None:
    assert after(140.0, ready=1).decision.panicking[0]
    assert not after(140.0, ready=2).decision.panicking[0]


def test_the_panic_test_uses_pods_rounded_up() -> None:
    assert after(70.125, ready=1).decision.panicking[0]


def test_the_panic_test_is_not_held_back_by_the_scale_up_rate() -> None:
    assert after(7000.0, ready=1, max_scale_up_rate=1.1, panic_threshold=10.0).decision.panicking[0]


def test_in_panic_the_panic_window_has_its_say() -> None:
    cart = Cart()
    cart.runs(7.0, 60)
    jump = cart.runs(700.0, 6)
    assert jump.panicking[0]
    assert jump.kpa[0] == 10
    assert jump.stable[0] < 100.0


def test_in_panic_pods_only_grow() -> None:
    cart = Cart()
    cart.runs(7.0, 60)
    cart.runs(700.0, 6)
    assert cart.runs(7.0, 20).kpa[0] == 10


def test_panic_ends_strictly_after_a_stable_window() -> None:
    cart = Cart()
    cart.runs(7.0, 60)
    cart.runs(700.0, 2)
    last_over = cart.fleet.memory.panic_since_s[0]
    assert last_over == cart.second
    calm = cart.runs(7.0, 60)
    assert calm.at_s[0] == last_over + 60
    assert calm.panicking[0]
    assert not cart.runs(7.0, 2).panicking[0]
    assert cart.fleet.memory.max_panic_pods[0] == 0


def test_a_new_burst_extends_the_panic() -> None:
    cart = Cart()
    cart.runs(7.0, 60)
    cart.runs(700.0, 6)
    cart.runs(7.0, 30)
    cart.runs(7000.0, 2)
    assert cart.fleet.memory.panic_since_s[0] == cart.second
    assert cart.runs(7.0, 60).panicking[0]


def test_a_restart_of_ours_does_not_scale_down_for_a_stable_window() -> None:
    idle = replace(AT_WORK, ready=8)
    assert answer(one(demand=(0.0,) * 58, observed=idle)).kpa[0] == 8
    assert answer(one(demand=(0.0,) * 66, observed=idle)).kpa[0] == 4


def test_silence_of_a_stable_window_is_no_data_and_keeps_the_last_answer() -> None:
    silent = answer(one(demand=(200.0,) * 4 + (None,) * 60))
    assert not silent.no_data[0]
    later = answer(one(demand=(200.0,) * 4 + (None,) * 61))
    assert later.no_data[0]
    assert later.kpa[0] == 3


def test_silence_counts_as_zero_where_nothing_is_scraped() -> None:
    burst_only = replace(KNATIVE_DEFAULTS, target_burst_capacity=-1.0, has_scrape_target=False)
    decisions = answer(one(burst_only))
    assert not decisions.no_data[0]
    assert decisions.kpa[0] == 0


@pytest.mark.parametrize(
    ("burst", "ready", "spare"),
    [(-1.0, 3, -1.0), (0.0, 3, 0.0), (211.0, 3, 82.0), (211.0, 0, -218.0)],
)
def test_spare_burst_capacity_is_what_ready_pods_could_take_beyond(
    burst: float, ready: int, spare: float
) -> None:
    decisions = after(6.5, ready=ready, target_burst_capacity=burst)
    assert decisions.memory.excess_burst_capacity[0] == spare


def test_a_scale_down_delay_keeps_the_greatest_answer_of_late() -> None:
    delayed = Cart(replace(KNATIVE_DEFAULTS, scale_down_delay_s=30.0, stable_window_s=6))
    delayed.runs(60.0, 10)
    assert delayed.runs(0.0, 28).kpa[0] == 1
    assert delayed.runs(0.0, 12).kpa[0] == 0


def test_without_a_route_there_is_no_delay() -> None:
    slow = Cart(replace(KNATIVE_DEFAULTS, scale_down_delay_s=600.0, stable_window_s=6))
    slow.runs(60.0, 10)
    slow.fleet.spec.reachable[0] = False
    assert slow.runs(0.0, 8).kpa[0] == 0
