"""Pods go before Knative's rule lets them go only where they were rarely missed."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.core.control import Advised, ControlState, Reported, Tick, control
from autoscaler.core.prediction.early import CASES, are_missed, may_go, noted
from autoscaler.core.state.early import Early, EarlyArrays
from autoscaler.core.state.fleet import ALL, Fleet
from autoscaler.core.state.revision import KNATIVE_DEFAULTS, Mode
from autoscaler.core.types import BoolArray
from tests.autoscaler.core.stories import AT_WORK, BASE_S, forecast, look

FULL = replace(KNATIVE_DEFAULTS, mode=Mode.FULL, cold_price_s=600.0, lead_s=5.0, drain_s=30.0)
CALL_S = 200  # from one call to the next
AGAIN_S = 30  # from a call to the one that follows it in a burst


class Called:
    """A revision that is called now and then, of which nothing is ever forecast."""

    def __init__(self, **changes: Any) -> None:
        self.fleet, self.second = Fleet(), int(BASE_S)
        self.fleet.add({"shop/cart": replace(FULL, **changes)}, now=BASE_S)
        look(self.fleet, 0, AT_WORK)
        self.state = ControlState(fleet=self.fleet)
        made = forecast([0.0], now=BASE_S)
        control(self.state, Advised(advice=replace(made, layout=self.fleet.layout)), BASE_S)
        self.early = 0  # ticks with fewer pods than Knative's rule wants

    def live(self, calls: list[int], seconds: int = CALL_S) -> None:
        """So many seconds, with a request in flight in some of them."""
        for at in range(seconds):
            load = np.full((2, 1), 1.0 if at in calls else 0.0)
            rows = np.array([0])
            seconds_of = np.array([self.second])
            self.second += 1
            report = Reported(rows=rows, seconds=seconds_of, samples=load, by_activator=False)
            control(self.state, report, self.second)
            if at % 2:
                made = forecast([0.0], now=float(self.second))
                advice = replace(made, layout=self.fleet.layout)
                control(self.state, Advised(advice=advice), self.second)
                control(self.state, Tick(), self.second)
                decision = self.fleet.decision
                self.early += int(decision.desired[0] < decision.kpa[0])


def test_what_nothing_is_known_of_is_left_to_knatives_rule() -> None:
    called = Called()
    called.live([0])
    assert called.early == 0
    assert (called.fleet.early.cases[0], called.fleet.early.missed[0]) == (1.0, 0.0)


def test_pods_that_were_never_missed_go_early() -> None:
    called = Called()
    for _ in range(7):
        called.live([0])
    called.early = 0
    called.live([0])
    assert called.early > 20


def test_pods_that_a_burst_misses_stay_for_knatives_rule() -> None:
    called = Called()
    for _ in range(20):
        called.live([0, AGAIN_S])
    assert called.early == 0
    assert called.fleet.early.missed[0] == pytest.approx(called.fleet.early.cases[0] / 2, rel=0.1)


def test_they_go_early_all_the_same_where_a_cold_request_is_worth_little() -> None:
    called = Called(cold_price_s=0.0, drain_s=0.0, lead_s=1.0)
    for _ in range(20):
        called.live([0, AGAIN_S])
    assert called.early > 0


def test_it_is_learned_in_shadow_too() -> None:
    called = Called(mode=Mode.SHADOW)
    called.live([0])
    assert called.fleet.early.cases[0] == 1.0


def one(left: int = -1) -> EarlyArrays:
    zero = np.zeros(1)
    return Early(left=np.array([left]), cases=zero, back=zero, missed=zero)


def after(early: EarlyArrays, *, enough: int, kpa: int, **seen: int) -> EarlyArrays:
    """After a tick in which the forecast says so many are enough, and Knative's rule wants kpa."""
    return noted(
        early,
        enough=np.array([enough]),
        ahead=np.array([enough]),
        kpa=np.array([kpa]),
        seen=np.array([seen.get("seen", 0)]),
        beyond=np.array([bool(seen.get("beyond", 0))]),
    )


def test_a_forecast_that_wants_pods_again_ends_a_case_without_an_outcome() -> None:
    found = after(one(left=0), enough=1, kpa=1)
    assert (found.left[0], found.cases[0]) == (-1, 0.0)


def test_nothing_opens_without_a_forecast() -> None:
    assert after(one(), enough=-1, kpa=3).left[0] == -1


@pytest.mark.parametrize(
    ("seen", "beyond", "counted"),
    [(1, 0, (0, 0, 0)), (2, 0, (1, 1, 0)), (2, 1, (1, 1, 1)), (1, 1, (1, 1, 1))],
)
def test_pods_wanted_back_for_headroom_are_told_from_those_that_requests_miss(
    seen: int, beyond: int, counted: tuple[int, int, int]
) -> None:
    found = after(one(left=1), enough=1, kpa=3, seen=seen, beyond=beyond)
    assert (found.cases[0], found.back[0], found.missed[0]) == counted


def test_what_those_left_can_take_misses_nobody() -> None:
    spec = replace(FULL, total=100.0)
    columns = Fleet()
    columns.add({"shop/cart": spec}, now=0.0)
    seen = np.array([2])  # of a target of 70
    for panic, missed in ((99.0, False), (101.0, True)):
        found = are_missed(one(left=1), columns.spec, np.array([panic]), seen)
        assert found.tolist() == [missed]


def ended(cases: float, back: float, missed: float) -> EarlyArrays:
    """So many cases of two revisions; parts of them in which pods were wanted back, and missed."""
    parts = {"back": np.full(2, cases * back), "missed": np.full(2, cases * missed)}
    return Early(left=np.full(2, -1), cases=np.full(2, cases), **parts)


def go(fleet: Fleet, early: EarlyArrays) -> BoolArray:
    """(n,) which of all rows do, could all of them go."""
    return may_go(fleet, ALL, early, fleet.spec, np.ones(len(fleet), dtype=np.bool_))


cases, part = st.floats(0.0, float(CASES)), st.floats(0.0, 1.0)


@given(
    cases=cases,
    parts=st.tuples(part, part).map(sorted),
    more=st.floats(0.0, 1.0),
    price_s=st.floats(0.0, 3600.0),
)
def test_who_missed_more_or_pays_more_for_waiting_never_lets_pods_go_sooner(
    cases: float, parts: list[float], more: float, price_s: float
) -> None:
    fleet = Fleet()
    revisions = {
        f"shop/s{i}": replace(FULL, cold_price_s=price) for i, price in enumerate((price_s, 3600.0))
    }
    fleet.add(revisions, now=0.0)
    missed, back = parts
    few = go(fleet, ended(cases, back, missed))
    oftener = ended(cases, back + (1.0 - back) * more, missed + (back - missed) * more)
    assert (few >= go(fleet, oftener)).all()
    assert few[0] >= few[1]
