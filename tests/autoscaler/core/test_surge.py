"""What upstreams pull along: at once, all of it, and never more than they say."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.core.decider import decide
from autoscaler.core.decision import Decisions, Reason
from autoscaler.core.fleet import Fleet
from autoscaler.core.revision import KNATIVE_DEFAULTS, Active, Mode
from autoscaler.core.surge import Links, asked_with
from tests.autoscaler.core.stories import LAW

NOW_S = 1_700_000_000.0
SHOP = replace(KNATIVE_DEFAULTS, mode=Mode.OUTWARD, pod_capacity=1.0, lead_s=3.0)


def chain(n: int, **spec: object) -> Fleet:
    """Services in a row, all at zero for long."""
    fleet = Fleet()
    fleet.add({f"shop/s{i}": replace(SHOP, **spec) for i in range(n)}, now=NOW_S - 1000)  # type: ignore[arg-type]
    fleet.memory.kpa[:] = 0
    fleet.memory.called_s[:] = NOW_S - 500
    fleet.seen.active[:] = int(Active.FALSE)
    fleet.seen.initialized[:] = True
    return fleet


def links(*pairs: tuple[int, int], layout: int = 1, **values: float) -> Links:
    """Sure links that call once, two seconds later."""
    m = len(pairs)
    said = {"needed": 1.0, "confidence": 1.0, "gain": 1.0, "lag_s": 2.0} | values
    return Links(
        upstream=np.array([u for u, _ in pairs], dtype=np.int64),
        downstream=np.array([d for _, d in pairs], dtype=np.int64),
        name=tuple(f"shop/s{u}" for u, _ in pairs),
        layout=layout,
        **{name: np.full(m, value) for name, value in said.items()},
    )


def call(fleet: Fleet, row: int, *, load: float = 1.0, came: float = 1.0, ago_s: int = 0) -> None:
    second = np.array([int(NOW_S) - ago_s])
    fleet.record(np.array([row]), second, np.array([[load], [came]]))


def tick(fleet: Fleet, pulls: Links | None, *, after_s: float = 0.0) -> Decisions:
    decisions = decide(fleet, None, now=NOW_S + after_s, links=pulls)
    fleet.remember(decisions)
    return decisions


def test_a_call_at_the_head_of_a_cold_chain_starts_all_of_it() -> None:
    fleet = chain(4)
    call(fleet, 0)
    assert tick(fleet, links((0, 1), (0, 2), (0, 3))).want.tolist() == [1, 1, 1, 1]


def test_a_poke_is_decided_with_all_that_hangs_on_it() -> None:
    fleet, pulls = chain(4), links((0, 2), (0, 3), (1, 0))
    call(fleet, 0)
    rows = asked_with(pulls, np.array([0]))
    assert rows.tolist() == [0, 2, 3]
    decisions = decide(fleet, None, now=NOW_S, rows=rows[::-1], links=pulls)
    assert dict(zip(decisions.rows.tolist(), decisions.want.tolist(), strict=True)) == {
        0: 1,
        2: 1,
        3: 1,
    }


def test_what_is_pulled_is_let_go_when_nobody_came() -> None:
    fleet, pulls = chain(2), links((0, 1))
    call(fleet, 0)
    asked = [tick(fleet, pulls, after_s=s).surged[1] for s in range(0, 40, 2)]
    lag_slack_and_lead_s = 2 + 10 + 3
    assert asked == [1 if s <= lag_slack_and_lead_s else -1 for s in range(0, 40, 2)]


def test_a_service_in_use_does_not_start_again() -> None:
    fleet, pulls = chain(2), links((0, 1))
    for ago_s in range(50, -1, -1):
        call(fleet, 0, ago_s=ago_s)
    for s in range(-50, 0, 2):
        tick(fleet, pulls, after_s=float(s))
    assert tick(fleet, pulls).surged[1] == -1


def test_whoever_went_to_zero_starts_again_however_short_it_slept() -> None:
    fleet, pulls = chain(2), links((0, 1))
    fleet.memory.called_s[0] = NOW_S - 40
    call(fleet, 0)
    assert tick(fleet, pulls).surged[1] == 1


@pytest.mark.parametrize(
    ("needed", "confidence", "pods"), [(0.5, 1.0, 1), (0.005, 1.0, -1), (0.5, 0.01, -1)]
)
def test_a_doubtful_link_warms_nobody(needed: float, confidence: float, pods: int) -> None:
    fleet = chain(2)
    call(fleet, 0)
    assert tick(fleet, links((0, 1), needed=needed, confidence=confidence)).surged[1] == pods


@pytest.mark.parametrize(("price_s", "pods"), [(85.0, -1), (95.0, 1)])
def test_a_pod_in_vain_costs_a_stable_window_and_the_grace(price_s: float, pods: int) -> None:
    """At even odds a pod is worth it from a price of what it idles in vain: 60 - 3 + 30 s."""
    fleet = chain(2, cold_price_s=price_s)
    call(fleet, 0)
    assert tick(fleet, links((0, 1), needed=0.5)).surged[1] == pods


def test_requests_that_wait_for_a_cold_upstream_come_all_at_once() -> None:
    fleet = chain(2)
    call(fleet, 0, load=12.0, came=12.0)
    assert tick(fleet, links((0, 1), gain=0.5)).surged[1] == 6


def busy(fleet: Fleet, row: int, *, rate: float, seconds: int = 60, in_flight: float = 1.0) -> None:
    fleet.seen.ready[row] = fleet.seen.replicas[row] = 3
    fleet.seen.active[row] = int(Active.TRUE)
    for ago_s in range(seconds, 2, -1):
        call(fleet, row, load=in_flight, came=rate, ago_s=ago_s)


def test_a_rise_upstream_is_met_downstream_by_its_gain() -> None:
    fleet = chain(2)
    busy(fleet, 0, rate=10.0)
    busy(fleet, 1, rate=5.0, in_flight=1.0)  # 0.2 s a request
    call(fleet, 0, came=110.0)
    call(fleet, 1, came=5.0, load=1.0)
    said = tick(fleet, links((0, 1), gain=0.5))
    # The stable average has seen the rise as well: 110 - 11.7 rps x 0.5 x 0.2 s, and what is there.
    assert said.surged[1] == 11
    assert said.reason[1] == Reason.SURGE
    assert "'shop/s0' rose to 110 rps 0 s ago" in said.explain(1)
    assert "gain 0.5, lag 2 s (Knative alone: " in said.explain(1)


def test_a_rise_that_is_seen_twice_on_its_way_counts_once() -> None:
    asked = []
    for pulls in (links((0, 2)), links((0, 2), (1, 2), (0, 1))):
        fleet = chain(3)
        for row in range(3):
            busy(fleet, row, rate=5.0)
            call(fleet, row, came=105.0 if row < 2 else 5.0)
        asked.append(int(tick(fleet, pulls).surged[2]))
    assert asked[0] > 10
    assert asked[0] == asked[1]


def rise(pulls: Links, *, until_s: int, called: float = 25.0) -> list[Decisions]:
    """Ticks from when the head of two services, called 5 times a second, is called more often."""
    fleet, said = chain(2), []
    fleet.seen.ready[:] = fleet.seen.replicas[:] = 3
    fleet.seen.active[:] = int(Active.TRUE)
    for s in range(-300, until_s):
        call(fleet, 0, came=called if s >= 0 else 5.0, ago_s=-s)
        call(fleet, 1, came=5.0, ago_s=-s)  # 0.2 s a request
        if s % 2 == 0:
            said.append(tick(fleet, pulls, after_s=float(s)))
    return said[150:]


@pytest.mark.parametrize("lag_s", [60.0, 120.0, 200.0])
def test_a_rise_that_is_on_its_way_asks_when_it_is_due(lag_s: float) -> None:
    """From about a window before a lead before it arrives, until that window has learned it."""
    said = rise(links((0, 1), lag_s=lag_s), until_s=330)
    asks = 2 * np.flatnonzero([int(d.surged[1]) > 1 for d in said])
    assert lag_s - 3 - 60 - 10 <= asks[0] < lag_s - 3 - 30
    assert lag_s + 30 < asks[-1] <= lag_s + 60 + 30 + 10
    assert len(asks) == 1 + (asks[-1] - asks[0]) / 2  # at a stretch


def test_what_is_on_its_way_gets_the_room_that_an_average_needs() -> None:
    due = rise(links((0, 1), lag_s=120.0), until_s=122)[-1]
    assert due.surged[1] == np.ceil((1.0 + 20.0 * 0.2) / 0.7)  # 20 rps more, and what is there
    assert due.reason[1] == Reason.SURGE
    assert "'shop/s0' rose to 25 rps " in due.explain(1)
    ago_s = float(due.now[1] - due.pulled.since_s[1])
    assert 120 - 3 - 60 <= ago_s <= 120 - 3
    assert f" {ago_s:.0f} s ago; gain 1, lag 1.2e+02 s" in due.explain(1)


def test_a_steady_upstream_asks_for_nothing() -> None:
    said = rise(links((0, 1), lag_s=120.0), until_s=100, called=5.0)
    assert {int(d.surged[1]) for d in said} == {-1}


@pytest.mark.parametrize("lag_s", [60.0, 290.0, 1e4])
def test_a_rise_that_nobody_remembers_asks_nothing(lag_s: float) -> None:
    """Right after a restart, or longer ago than is kept."""
    fleet = chain(2)
    busy(fleet, 0, rate=5.0)
    busy(fleet, 1, rate=5.0)
    fleet.memory.called_s[:] = NOW_S - 1  # not a start
    fleet.memory.kpa[:] = 1
    call(fleet, 0, came=105.0)
    assert tick(fleet, links((0, 1), lag_s=lag_s)).surged[1] == -1


def test_chance_upstream_pulls_nobody() -> None:
    fleet = chain(2)
    busy(fleet, 0, rate=10.0)
    busy(fleet, 1, rate=10.0)
    tick(fleet, links((0, 1)), after_s=-50.0)  # their starts are long ago
    call(fleet, 0, came=17.0)
    assert tick(fleet, links((0, 1))).surged[1] == -1


def test_a_cycle_pulls_nobody_without_a_call() -> None:
    fleet, pulls = chain(2), links((0, 1), (1, 0))
    for s in range(0, 60, 2):
        assert tick(fleet, pulls, after_s=float(s)).surged.tolist() == [-1, -1]


@pytest.mark.parametrize(("mode", "want"), [(Mode.OFF, 0), (Mode.SHADOW, 0), (Mode.FULL, 1)])
def test_the_mode_says_whether_it_is_applied(mode: Mode, want: int) -> None:
    fleet = chain(2, mode=mode)
    call(fleet, 0)
    said = tick(fleet, links((0, 1)))
    assert said.want[1] == want
    assert (said.surged[1] == -1) == (mode == Mode.OFF)


def test_links_of_another_layout_count_nothing() -> None:
    fleet = chain(2)
    call(fleet, 0)
    assert tick(fleet, links((0, 1), layout=7)).surged.tolist() == [-1, -1]


probability = st.floats(0, 1)
loads = st.floats(0, 1e9)


@LAW
@given(
    needed=probability,
    confidence=probability,
    gain=st.floats(0, 1e6),
    load=loads,
    came=loads,
    more=st.floats(1, 100),
    most=st.integers(0, 50),
)
def test_laws(
    needed: float,
    confidence: float,
    gain: float,
    load: float,
    came: float,
    more: float,
    most: int,
) -> None:
    """Never below KPA, within max-scale, and more demand upstream never fewer pods."""
    pulls = links((0, 1), (1, 2), needed=needed, confidence=confidence, gain=gain)
    wants = []
    for factor in (1.0, more):
        fleet = chain(3, max_scale=most)
        if load or came:
            call(fleet, 0, load=load, came=min(came * factor, 1e9))
        alone = decide(fleet, None, now=NOW_S)
        said = decide(fleet, None, now=NOW_S, links=pulls)
        assert (said.want >= alone.want).all()
        assert (said.kpa == alone.kpa).all()
        assert most == 0 or (said.want <= most).all()
        wants.append(said.want[1])
    assert wants[1] >= wants[0]
