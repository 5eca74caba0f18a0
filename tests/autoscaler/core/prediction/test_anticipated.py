"""What calls of upstreams ask for: at once, all of it, and never more than paths say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.core.control import Advised, control
from autoscaler.core.decider import decide
from autoscaler.core.prediction.advice import Paths
from autoscaler.core.state.decision import DecisionArrays, Reason, reasons
from autoscaler.core.state.revision import Active, Mode
from tests.autoscaler.core.stories import LAW, sentence
from tests.autoscaler.core.upstreams import NOW_S, Shop, advice, paths


def test_a_call_at_the_first_of_a_cold_chain_starts_all_of_it() -> None:
    shop = Shop(4, paths((0, 1), (0, 2), (0, 3)))
    shop.call(0)
    assert shop.tick().want.tolist() == [1, 1, 1, 1]


def test_a_first_request_is_decided_with_all_services_that_follow() -> None:
    shop = Shop(4, paths((0, 2), (0, 3), (1, 0)))
    assert shop.call(0, by_activator=True) == [0, 2, 3]
    assert shop.fleet.decision.want.tolist() == [1, -2, 1, 1]


def test_a_service_that_never_sleeps_and_is_called_after_idleness_wakes_those_downstream() -> None:
    shop = Shop(2, paths((0, 1)))
    shop.fleet.memory.kpa[0] = 1
    assert shop.call(0, by_activator=True) == [1]  # it has pods itself, and waits for its tick
    assert shop.call(0, by_activator=True, after_s=1.0) == []


def test_pods_are_let_go_when_nobody_came() -> None:
    shop = Shop(2, paths((0, 1)))
    shop.call(0)
    asked = [shop.anticipated(1, after_s=s) for s in range(0, 40, 2)]
    lag_slack_and_lead_s = 2 + 10 + 3
    assert asked == [1 if s <= lag_slack_and_lead_s else -1 for s in range(0, 40, 2)]


def test_a_service_in_use_does_not_start_again() -> None:
    shop = Shop(2, paths((0, 1)))
    for s in range(-50, 1):
        shop.call(0, after_s=float(s))
        if s % 2 == 0:
            shop.tick(after_s=float(s))
    assert shop.anticipated(1) == -1


def test_a_service_at_zero_starts_again_however_short_it_slept() -> None:
    shop = Shop(2, paths((0, 1)))
    shop.fleet.services.calls.last_call_s[0] = NOW_S - 40
    shop.call(0)
    assert shop.anticipated(1) == 1


@pytest.mark.parametrize(
    ("probability", "confidence", "pods"), [(0.5, 1.0, 1), (0.005, 1.0, -1), (0.5, 0.01, -1)]
)
def test_a_doubtful_path_warms_nobody(probability: float, confidence: float, pods: int) -> None:
    shop = Shop(2, paths((0, 1), probability=probability, confidence=confidence))
    shop.call(0)
    assert shop.anticipated(1) == pods


@pytest.mark.parametrize(("price_s", "pods"), [(115.0, -1), (125.0, 1)])
def test_a_pod_in_vain_costs_start_stable_window_grace_and_drain(price_s: float, pods: int) -> None:
    """At even odds a pod is worth it from what it costs in vain: 3 + (60 - 3) + 30 + 30 s."""
    shop = Shop(2, paths((0, 1), probability=0.5), cold_price_s=price_s)
    shop.call(0)
    assert shop.anticipated(1) == pods


def test_requests_that_wait_for_a_cold_upstream_come_all_at_once() -> None:
    shop = Shop(2, paths((0, 1), gain=0.5))
    shop.call(0, load=12.0, came=12.0)
    assert shop.anticipated(1) == 6


def test_more_calls_upstream_are_met_downstream_by_their_gain() -> None:
    shop = Shop(2, paths((0, 1), gain=0.5))
    shop.work(0, rate=10.0)
    shop.work(1, rate=5.0)  # 0.2 s a request
    shop.call(0, came=110.0)
    shop.call(1, came=5.0)
    decision = shop.tick()
    # The stable average has seen them as well: 110 - 11.7 rps x 0.5 x 0.2 s, and what is there.
    assert decision.anticipated[1] == 11
    assert reasons(decision)[1] == Reason.UPSTREAM
    why = sentence(decision, 1, upstream="shop/s0")
    assert "shop/s0 rose to 110 rps 0 s ago" in why
    assert "gain 0.5, lag 2 s (Knative alone: " in why


def test_an_increase_that_is_seen_twice_on_its_way_counts_once() -> None:
    asked = []
    for known in (paths((0, 2)), paths((0, 2), (1, 2), (0, 1))):
        shop = Shop(3, known)
        for row in range(3):
            shop.work(row, rate=5.0)
            shop.call(row, came=105.0 if row < 2 else 5.0)
        asked.append(shop.anticipated(2))
    assert asked[0] > 10
    assert asked[0] == asked[1]


def increase(known: Paths, *, until_s: int, called: float = 25.0) -> list[DecisionArrays]:
    """Ticks from when the first of two services, called 5 times a second, is called more often."""
    shop, decisions = Shop(2, known), []
    shop.fleet.observed.ready[:] = shop.fleet.observed.replicas[:] = 3
    shop.fleet.observed.active[:] = int(Active.TRUE)
    for s in range(-300, until_s):
        shop.call(0, came=called if s >= 0 else 5.0, after_s=float(s))
        shop.call(1, came=5.0, after_s=float(s))  # 0.2 s a request
        if s % 2 == 0:
            shop.tick(after_s=float(s))
            decisions.append(decide(shop.fleet, shop.state.advice, now=NOW_S + s).decision)
    return decisions[150:]


@pytest.mark.parametrize("lag_s", [60.0, 120.0, 200.0])
def test_an_increase_that_is_on_its_way_asks_when_it_is_due(lag_s: float) -> None:
    """From about a window before a lead before it arrives, until that window has averaged it."""
    decisions = increase(paths((0, 1), lag_s=lag_s), until_s=330)
    asks = 2 * np.flatnonzero([int(d.anticipated[1]) > 1 for d in decisions])
    assert lag_s - 3 - 60 - 10 <= asks[0] < lag_s - 3 - 30
    assert lag_s + 30 < asks[-1] <= lag_s + 60 + 30 + 10
    assert len(asks) == 1 + (asks[-1] - asks[0]) / 2  # at a stretch


def test_what_is_on_its_way_gets_the_room_that_an_average_needs() -> None:
    due = increase(paths((0, 1), lag_s=120.0), until_s=122)[-1]
    assert due.anticipated[1] == np.ceil((1.0 + 20.0 * 0.2) / 0.7)  # 20 rps more, and what is there
    assert reasons(due)[1] == Reason.UPSTREAM
    why = sentence(due, 1, upstream="shop/s0")
    assert "shop/s0 rose to 25 rps " in why
    ago_s = float(due.at_s[1] - due.upstream_since_s[1])
    assert 120 - 3 - 60 <= ago_s <= 120 - 3
    assert f" {ago_s:.0f} s ago; gain 1, lag 120 s" in why


def test_a_steady_upstream_asks_for_nothing() -> None:
    decisions = increase(paths((0, 1), lag_s=120.0), until_s=100, called=5.0)
    assert {int(d.anticipated[1]) for d in decisions} == {-1}


@pytest.mark.parametrize("lag_s", [60.0, 290.0, 1e4])
def test_an_increase_that_nobody_remembers_asks_for_nothing(lag_s: float) -> None:
    """Right after a restart, or longer ago than is kept."""
    shop = Shop(2, paths((0, 1), lag_s=lag_s))
    shop.fleet.memory.kpa[:] = 1
    shop.fleet.services.calls.last_call_s[:] = NOW_S - 61  # not a start
    shop.work(0, rate=5.0)
    shop.work(1, rate=5.0)
    shop.call(0, came=105.0)
    assert shop.anticipated(1) == -1


def test_chance_upstream_asks_for_nothing() -> None:
    shop = Shop(2, paths((0, 1)))
    shop.fleet.memory.kpa[:] = 1  # their starts are long ago
    shop.work(0, rate=10.0)
    shop.work(1, rate=10.0)
    shop.call(0, came=17.0)
    assert shop.anticipated(1) == -1


def test_a_cycle_asks_for_nothing_without_a_call() -> None:
    shop = Shop(2, paths((0, 1), (1, 0)))
    for s in range(0, 60, 2):
        assert shop.tick(after_s=float(s)).anticipated.tolist() == [-1, -1]


@pytest.mark.parametrize(("mode", "want"), [(Mode.OFF, 0), (Mode.SHADOW, 0), (Mode.FULL, 1)])
def test_the_mode_says_whether_it_is_applied(mode: Mode, want: int) -> None:
    shop = Shop(2, paths((0, 1)), mode=mode)
    shop.call(0)
    decision = shop.tick()
    assert decision.want[1] == want
    assert (decision.anticipated[1] == -1) == (mode == Mode.OFF)


def test_paths_of_another_layout_count_nothing() -> None:
    shop = Shop(2)
    other = advice(shop.fleet, paths((0, 1)))
    shop.fleet.layout += 1
    control(shop.state, Advised(advice=other), NOW_S)
    shop.call(0)
    assert shop.tick().anticipated.tolist() == [-1, -1]


def test_calls_are_shared_out_over_the_revisions_of_a_service() -> None:
    shop = Shop(2, paths((0, 1)), revisions=3)
    shop.fleet.spec.share[:] = [1.0, 0.0, 0.0, 0.75, 0.25, 0.0]
    shop.fleet.spec.reachable[[2, 5]] = False
    shop.call(0, load=12.0, came=12.0)
    assert shop.tick().anticipated.tolist() == [-1, -1, -1, 9, 3, -1]


def test_all_revisions_of_an_upstream_count_as_one_service() -> None:
    shop = Shop(2, paths((0, 1), gain=1.0), revisions=2)
    shop.fleet.spec.share[:] = [0.5, 0.5, 1.0, 0.0]
    shop.call(0, load=6.0, came=6.0)
    shop.call(1, load=4.0, came=4.0)
    assert shop.tick().anticipated.tolist() == [-1, -1, 10, -1]


probability = st.floats(0, 1)
loads = st.floats(0, 1e9)


@LAW
@given(
    chance=probability,
    confidence=probability,
    gain=st.floats(0, 1e6),
    load=loads,
    came=loads,
    more=st.floats(1, 100),
    most=st.integers(0, 50),
)
def test_laws(
    chance: float,
    confidence: float,
    gain: float,
    load: float,
    came: float,
    more: float,
    most: int,
) -> None:
    """Never below KPA, within max-scale, and more demand upstream never fewer pods."""
    known = paths((0, 1), (1, 2), probability=chance, confidence=confidence, gain=gain)
    wants = []
    for factor in (1.0, more):
        shop = Shop(3, max_scale=most)
        shop.call(0, load=load, came=min(came * factor, 1e9))
        alone = decide(shop.fleet, None, now=NOW_S).decision
        ours = decide(shop.fleet, advice(shop.fleet, known), now=NOW_S).decision
        assert (ours.want >= alone.want).all()
        assert (ours.kpa == alone.kpa).all()
        assert most == 0 or (ours.want <= most).all()
        wants.append(ours.want[1])
    assert wants[1] >= wants[0]
