"""The account of both policies: what is in force as observed, the other by its twin."""

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.core.accounting import count_report, count_tick
from autoscaler.core.control import Advised, ControlState, Reported, Tick, control
from autoscaler.core.state.account import Account
from autoscaler.core.state.decision import Reason
from autoscaler.core.state.fleet import Fleet
from autoscaler.core.state.revision import KNATIVE_DEFAULTS, Active, Mode
from autoscaler.core.types import FloatArray
from tests.autoscaler.core.stories import LAW, forecast

NOW_S = 1_700_000_000.0
LEAD_S, DRAIN_S = 5.0, 30.0


class Life:
    """A revision of a service, second by second; with pods that are as they are told to be."""

    def __init__(self, mode: Mode, *, pods: int = 0, **spec: Any) -> None:
        self.state, self.now = ControlState(fleet=Fleet()), NOW_S
        spec = {"lead_s": LEAD_S, "drain_s": DRAIN_S, "mode": mode, "pod_capacity": 1.0, **spec}
        self.fleet = self.state.fleet
        self.fleet.add({"shop/cart-1": replace(KNATIVE_DEFAULTS, **spec)}, now=NOW_S - 1000)
        for name in ("initialized", "set_up", "named"):
            getattr(self.fleet.observed, name)[:] = True
        self.fleet.observed.active[:] = int(Active.FALSE)
        self.fleet.observed.active_since_s[:] = NOW_S - 1000
        self.fleet.memory.kpa[:] = 0
        self.tick()
        self.has(pods)  # which the twin, made at the tick, does not
        self.now += 2.0
        self.tick()
        for f in fields(Account):
            getattr(self.fleet.services.account, f.name)[:] = 0.0

    def has(self, pods: int) -> None:
        self.fleet.observed.ready[:] = self.fleet.observed.replicas[:] = pods

    def called(self, requests: float = 1.0, *, by_activator: bool = False) -> None:
        """Requests of the last second, each of a fifth of one."""
        report = Reported(
            rows=np.array([0]),
            seconds=np.array([int(self.now)]),
            samples=np.array([[requests * 0.2], [requests]]),
            by_activator=by_activator,
        )
        control(self.state, report, self.now)
        count_report(self.state, report, self.now)

    def tick(self) -> None:
        control(self.state, Tick(), self.now)
        count_tick(self.state, self.now)

    def waits(self, seconds: int, requests: float = 0.0) -> None:
        """So many seconds pass, with as many requests in each."""
        for _ in range(seconds):
            self.now += 1.0
            if requests or self.fleet.observed.ready[0]:
                self.called(requests)
            if self.now % 2 == 0:
                self.tick()

    @property
    def account(self) -> dict[str, float]:
        account = self.fleet.services.account
        return {f.name: float(getattr(account, f.name)[0]) for f in fields(Account)}

    @property
    def twin_pods(self) -> int:
        return int(self.fleet.twins.view.ready[0])


def test_a_call_that_finds_our_pod_would_have_waited_for_knatives() -> None:
    life = Life(Mode.OUTWARD, pods=1)
    life.waits(1, requests=1.0)
    account = life.account
    assert (account["requests"], account["knative_cold"], account["ahead_cold"]) == (1, 1, 0)
    assert account["knative_cold_s"] == pytest.approx(LEAD_S)
    assert account["ahead_cold_s"] == 0


def test_calls_until_the_twins_pod_is_ready_are_cold_and_wait_less_and_less() -> None:
    life = Life(Mode.OUTWARD, pods=1)
    life.waits(20, requests=2.0)
    # The first second's calls come, on average, in its middle.
    assert life.account["knative_cold"] == pytest.approx(2 * (LEAD_S + 0.5), abs=1)
    assert life.account["knative_cold_s"] == pytest.approx(2 * LEAD_S**2 / 2, rel=0.25)
    assert life.twin_pods > 0


def test_pods_fall_short_of_what_is_in_flight_beyond_them() -> None:
    life = Life(Mode.OUTWARD, pods=1)
    life.waits(1, requests=2.0)  # Knative has no pod yet, and all of them wait for it
    assert (life.account["ahead_short"], life.account["knative_short"]) == (0.0, 2.0)
    life.called(10.0)  # of a fifth of a second each: two in flight
    assert life.account["ahead_short"] == pytest.approx(5.0)
    assert life.account["ahead_cold"] == 0.0


def test_the_twins_pods_cost_from_creation_until_their_drain_is_over() -> None:
    life = Life(Mode.OUTWARD, pods=1)
    life.waits(1, requests=1.0)
    before = life.account["ahead_pod_s"]
    life.waits(299)
    account = life.account
    assert life.twin_pods == 0
    assert life.fleet.twins.view.reason[0] == Reason.ZERO
    # A stable window after the call and its wait Knative wants none. The activator was in the path
    # all along, so nothing but its probe is waited for.
    assert account["knative_starts"] == 1
    assert account["knative_pod_s"] == pytest.approx(60 + LEAD_S + 6 + DRAIN_S, abs=4)
    assert account["ahead_pod_s"] - before == pytest.approx(300, abs=2)


@pytest.mark.parametrize("mode", [Mode.OUTWARD, Mode.FULL])
def test_while_a_forecast_is_withdrawn_our_pods_are_the_virtual_ones(mode: Mode) -> None:
    life = Life(mode, cold_price_s=600.0)
    advice = forecast([1.0], now=NOW_S, window_s=600.0)
    control(life.state, Advised(advice=replace(advice, withdrawn=np.array([True]))), life.now)
    life.waits(10)
    assert (life.twin_pods, int(life.fleet.decision.want[0])) == (1, 0)
    account = life.account
    assert account["ahead_pod_s"] > 0
    assert account["knative_pod_s"] == 0


def test_in_shadow_our_pods_are_the_virtual_ones() -> None:
    life = Life(Mode.SHADOW, cold_price_s=600.0)
    advice = forecast([1.0], now=NOW_S, window_s=600.0)
    control(life.state, Advised(advice=advice), life.now)
    life.waits(10)
    assert (life.twin_pods, int(life.fleet.observed.ready[0])) == (1, 0)
    assert life.fleet.twins.view.reason[0] == Reason.FORECAST
    life.now += 1.0
    life.called(by_activator=True)
    account = life.account
    assert (account["knative_cold"], account["ahead_cold"]) == (1, 0)
    assert (account["ahead_starts"], account["knative_pod_s"]) == (1, 0)


def test_off_there_is_one_policy_and_both_accounts_are_its() -> None:
    life = Life(Mode.OFF)
    life.now += 1.0
    life.called(by_activator=True)
    life.waits(5)
    life.has(1)
    life.waits(100, requests=1.0)
    account = life.account
    for of in ("cold", "cold_s", "pod_s", "starts"):
        assert account[f"knative_{of}"] == account[f"ahead_{of}"] > 0
    assert account["knative_cold_s"] == pytest.approx(6, abs=1)


@pytest.mark.parametrize("jump_s", [-3600.0, 3600.0])
def test_a_clock_that_steps_leaves_a_gap_and_no_hour_of_pods(jump_s: float) -> None:
    life = Life(Mode.OUTWARD, pods=3)
    life.waits(20)
    before = life.account["ahead_pod_s"]
    life.now += jump_s
    life.tick()
    assert life.account["ahead_pod_s"] == before
    life.now += 2.0
    life.tick()
    assert life.account["ahead_pod_s"] == before + 6.0


@pytest.mark.parametrize("requests", [np.nan, np.inf, -1.0, 1e30])
def test_what_cannot_be_is_not_counted(requests: float) -> None:
    life = Life(Mode.OUTWARD, pods=1)
    life.now += 1.0
    life.called(requests)
    assert not any(life.account.values())


CALLS = st.lists(st.sampled_from([0.0, 0.0, 0.0, 1.0, 5.0, 40.0]), min_size=30, max_size=90)


@LAW
@given(calls=CALLS, mode=st.sampled_from(list(Mode)), pods=st.integers(0, 3))
def test_sums_only_grow_and_no_more_is_cold_than_came(
    calls: list[float], mode: Mode, pods: int
) -> None:
    life = Life(mode, pods=pods)
    former = life.account
    for requests in calls:
        life.waits(1, requests)
        present = life.account
        assert all(present[name] >= former[name] for name in present)
        assert max(present["knative_cold"], present["ahead_cold"]) <= present["requests"] + 1e-9
        former = present


@LAW
@given(calls=CALLS, pods=st.integers(1, 3))
def test_a_twin_with_the_same_pods_is_told_of_the_same_demand(
    calls: list[float], pods: int
) -> None:
    life = Life(Mode.OUTWARD, pods=pods, min_scale=pods)
    for requests in calls:
        life.waits(1, requests)
        life.has(int(life.fleet.twins.view.ready[0]) or pods)
        if int(life.fleet.twins.view.ready[0]) == int(life.fleet.observed.ready[0]) == pods:
            assert _extra(life) == pytest.approx(0.0, abs=1e-6) or _differed(life)


def _extra(life: Life) -> float:
    second = np.array([int(life.now)])
    return float(life.fleet.twins.stable.total(slice(None), second, life.fleet.spec.metric)[0])


def _differed(life: Life) -> bool:
    """Whether the twin had other pods within the window: what waited then counts until it ends."""
    return bool(life.fleet.twins.stable.span(np.array([0]))[1][0] > life.now - 60)


def _sums(fleet: Fleet, key: str) -> FloatArray:
    account, row = fleet.services.account, fleet.services.row(key)
    return np.array([getattr(account, f.name)[row] for f in fields(Account)])


def test_rows_keep_their_twins_when_others_are_removed() -> None:
    life = Life(Mode.OUTWARD, pods=1)
    life.waits(10, requests=3.0)
    fleet = life.fleet
    fleet.add({"shop/pay-1": KNATIVE_DEFAULTS}, now=life.now)
    twins = fleet.twins.view.ready[0], fleet.twins.view.replicas[0]
    sums = _sums(fleet, "shop/cart-1")
    fleet.add({"shop/old-1": KNATIVE_DEFAULTS}, now=life.now)
    fleet.remove("shop/pay-1")
    assert (fleet.twins.view.ready[0], fleet.twins.view.replicas[0]) == twins
    np.testing.assert_array_equal(_sums(fleet, "shop/cart-1"), sums)
    assert not fleet.twins.view.begun[fleet.row("shop/old-1")]


@pytest.mark.parametrize("mode", Mode)
def test_whoever_is_alone_counts_the_same_as_beside_one_that_nobody_calls(mode: Mode) -> None:
    alone, beside = Life(mode), Life(mode)
    beside.fleet.add({"shop/idle-1": KNATIVE_DEFAULTS}, now=NOW_S)
    for life in (alone, beside):
        life.waits(10, requests=4.0)
        life.fleet.observed.ready[:1] = life.fleet.observed.replicas[:1] = 2
        life.waits(40, requests=30.0)
        life.waits(90)
    assert alone.account == beside.account
    assert alone.account["knative_starts"] > 0
