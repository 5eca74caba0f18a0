"""What it costs that a pod is missing: who waits is counted, and what Knative adds is its rule."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.core.control import ControlState, Reported, Tick, control
from autoscaler.core.prediction.missing import Missing
from autoscaler.core.state.fleet import ALL, Fleet
from autoscaler.core.state.revision import KNATIVE_DEFAULTS, Metric, Revision
from autoscaler.core.state.waits import CASES
from tests.autoscaler.core.stories import AT_WORK, BASE_S, look

ONE_AT_A_TIME = replace(
    KNATIVE_DEFAULTS, total=1.0, target=0.7, pod_capacity=1.0, lead_s=5.0, drain_s=30.0
)
ENDS_AND_WINDOW_S = 5.0 + 60.0 + 30.0


def fleet_of(revision: Revision) -> Fleet:
    fleet = Fleet()
    fleet.add({"shop/cart-00001": revision}, now=BASE_S, services=["shop/cart"])
    look(fleet, 0, AT_WORK)
    return fleet


def missing(fleet: Fleet) -> Missing:
    return Missing.of(fleet, ALL, fleet.spec)


def waiting(fleet: Fleet) -> list[float]:
    """Requests that wait for the first pod."""
    return [float(requests) for requests in missing(fleet).first_waiting]


def live(
    fleet: Fleet, requests: Sequence[float], *, in_flight: float = 0.1, begin_s: int = 0
) -> None:
    """Seconds with so many requests each, from one on; ticks decide."""
    state = ControlState(fleet=fleet)
    for at, came in enumerate(requests, int(BASE_S) + begin_s):
        load = np.array([[in_flight if came else 0.0], [came]])
        rows, second = np.array([0]), np.array([at])
        report = Reported(rows=rows, seconds=second, samples=load, by_activator=False)
        control(state, report, at + 1.0)
        if at % 2:
            control(state, Tick(), at + 1.0)


def test_those_that_come_while_a_pod_would_start_wait_with_the_first() -> None:
    fleet = fleet_of(ONE_AT_A_TIME)
    assert waiting(fleet) == [1.0]
    live(fleet, [2, 0, 1, 0, 1, 0, 7, 7] + [0] * 200)  # seven s later one would be ready
    assert waiting(fleet) == [(4 + 1) / 2]


def test_a_call_that_follows_another_begins_nothing() -> None:
    fleet = fleet_of(ONE_AT_A_TIME)
    live(fleet, ([1] + [0] * 19) * 20)
    assert waiting(fleet) == [1.0]


def test_what_came_long_ago_counts_less_and_less() -> None:
    fleet = fleet_of(ONE_AT_A_TIME)
    for i in range(6 * CASES):
        live(fleet, [9 if i < 3 * CASES else 1], begin_s=500 * i)
    assert 1.0 < waiting(fleet)[0] < 1.5


def test_a_clock_that_is_set_back_ends_no_case_later() -> None:
    fleet = fleet_of(ONE_AT_A_TIME)
    live(fleet, [1], begin_s=1000)
    live(fleet, [1, 0, 0, 0, 0, 0, 0, 0, 3])
    assert waiting(fleet)[0] == pytest.approx(1.0, rel=0.02)


def test_revisions_of_a_service_are_counted_together() -> None:
    fleet = fleet_of(ONE_AT_A_TIME)
    live(fleet, [5])
    fleet.add({"shop/cart-00002": ONE_AT_A_TIME}, now=BASE_S, services=["shop/cart"])
    assert waiting(fleet) == [3.0, 3.0]


@pytest.mark.parametrize("worst", [np.nan, np.inf, -1.0, 1e300])
def test_a_sample_that_is_none_changes_nothing_for_long(worst: float) -> None:
    fleet = fleet_of(ONE_AT_A_TIME)
    live(fleet, [worst, 1.0])
    assert 1.0 <= waiting(fleet)[0] < 3.0
    found = missing(fleet)
    assert np.isfinite([found.first_added_s, found.further_waiting, found.further_added_s]).all()


def test_knative_adds_a_pod_for_a_short_request_that_waits() -> None:
    fleet = fleet_of(ONE_AT_A_TIME)
    assert missing(fleet).first_added_s.tolist() == [ENDS_AND_WINDOW_S]
    assert missing(fleet).first_s(fleet.spec.cold_price_s).tolist() == [600.0 + ENDS_AND_WINDOW_S]


def test_it_has_as_many_for_a_long_one_that_does_not_wait() -> None:
    fleet = fleet_of(ONE_AT_A_TIME)
    live(fleet, [0.05] * 600, in_flight=1.0)  # 20 s each
    found = missing(fleet)
    assert (found.first_added_s[0], found.further_added_s[0]) == (0.0, 0.0)


def test_what_a_further_pod_would_have_served_meanwhile_queues() -> None:
    fleet = fleet_of(ONE_AT_A_TIME)
    live(fleet, [1.0] + [0.0] * 10 + [5.0] * 600, in_flight=1.0)  # 0.2 s each
    found = missing(fleet)
    assert found.further_waiting[0] == pytest.approx(5.0 / 0.2 / 4, rel=0.01)
    assert found.further_added_s[0] == 9 * ENDS_AND_WINDOW_S  # ten pods for 6.75 in flight


@pytest.mark.parametrize(("burst", "wait"), [(19.0, 10.0), (99.0, 25.0)])
def test_all_of_a_burst_wait_for_a_further_pod_or_as_many_as_it_would_serve(
    burst: float, wait: float
) -> None:
    fleet = fleet_of(ONE_AT_A_TIME)
    live(fleet, [burst], in_flight=burst / 5)
    fleet.services.waits.view.served_s[0], fleet.services.waits.view.served[0] = 0.2, 1.0
    assert missing(fleet).further_waiting.tolist() == [wait]


def test_at_least_one_request_waits_for_a_further_pod() -> None:
    fleet = fleet_of(ONE_AT_A_TIME)
    live(fleet, [0.05] * 600, in_flight=1.0)
    assert missing(fleet).further_waiting.tolist() == [1.0]


@pytest.mark.parametrize(
    "changes",
    [
        {"total": 100.0, "target": 70.0},
        {"max_scale": 1},
        {"activation_scale": 3},
        {"metric": int(Metric.RPS)},
    ],
)
def test_it_adds_none_where_its_rule_has_no_use_for_more(changes: dict[str, float]) -> None:
    fleet = fleet_of(replace(ONE_AT_A_TIME, **changes))  # type: ignore[arg-type]
    assert missing(fleet).first_added_s.tolist() == [0.0]


@given(requests=st.floats(0.0, 1e6), price_s=st.floats(0.0, 1e5), dearer_s=st.floats(0.0, 1e5))
def test_a_missing_pod_costs_no_less_than_all_who_wait_and_no_less_at_a_higher_price(
    requests: float, price_s: float, dearer_s: float
) -> None:
    fleet = fleet_of(ONE_AT_A_TIME)
    fleet.services.waits.view.requests[0], fleet.services.waits.view.cases[0] = requests, 1.0
    found, price, dearer = missing(fleet), np.array([price_s]), np.array([price_s + dearer_s])
    assert found.first_s(price)[0] >= price_s * (requests + 1.0) / 2.0
    assert found.first_s(dearer)[0] >= found.first_s(price)[0]
    assert found.further_s(dearer)[0] >= found.further_s(price)[0]
