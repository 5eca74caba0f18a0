"""`/v1/ledger`: periods, services, and what it refuses."""

import re
from typing import Any

import pytest
from httpx import Client

from autoscaler.clock import SimulatedClock
from tests.autoscaler.advisor.controller import Controller
from tests.autoscaler.api.conftest import START_S

CART = "/v1/ledger/shop/cart"


@pytest.fixture
def counted(controller: Controller, clock: SimulatedClock) -> Controller:
    """Three hours: browse in shadow would save, cart in outward loses, nightly is idle."""
    for turn in range(90):
        controller.counts(
            "shop/browse", requests=10, knative_cold=4, ahead_cold=2, knative_pod_s=120,
            ahead_pod_s=144, knative_starts=4, knative_cold_s=16.5,
        )  # fmt: skip
        controller.counts("shop/cart", requests=20, ahead_cold=2 * (turn < 6))
        controller.shows(120.0 * (turn + 1) - 1)
    clock.advance(START_S + 180 * 60 - clock.now())
    return controller


def ask(client: Client, path: str = "/v1/ledger", **query: Any) -> Any:
    answer = client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def refused(client: Client, path: str = "/v1/ledger", **query: Any) -> str:
    answer = client.get(path, params=query)
    assert answer.status_code == 422
    detail: str = answer.json()["detail"]
    return detail


@pytest.mark.usefixtures("counted")
def test_the_fleet_is_compared_apart_where_we_are_in_force_and_in_shadow(client: Client) -> None:
    found = ask(client)
    assert (found["start"], found["end"]) == ("2026-03-02T09:00:04Z", "2026-03-02T12:00:00Z")
    assert found["covered"] == 1.0
    assert found["shadow"] == {
        "requests": 900.0,
        "knative": {"cold_requests": 360.0, "cold_s": 1485.0, "pod_s": 10_800.0,
                    "pod_starts": 360.0},
        "ahead": {"cold_requests": 180.0, "cold_s": 0.0, "pod_s": 12_960.0, "pod_starts": 0.0},
        "saved_cold_requests": {"value": 180.0, "low": -23.689, "high": 383.689},
        "more_pod_s": {"value": 2160.0, "low": -284.27, "high": 4604.27},
        "pod_ratio": {"value": 1.2, "low": 0.974, "high": 1.426},
    }  # fmt: skip
    assert found["applied"]["saved_cold_requests"]["value"] == -12.0
    assert found["comparison"]["requests"] == 2700.0
    assert found["sentences"] == [
        "Since 2026-03-02 09:00 UTC, there were 12 more cold requests than under Knative alone, "
        "at the same pod-hours (95 %: -12 to 36).",
        "Of services in shadow 180 cold requests would have been saved for 0.6 pod-hours more "
        "(95 %: -24 to 384).",
    ]


@pytest.mark.usefixtures("counted")
def test_services_come_most_saved_first_and_losers_last(client: Client) -> None:
    found = ask(client)
    entries = [(e["service"], e["modes"], e["comparison"]["saved_cold_requests"]["value"])
               for e in found["services"]]  # fmt: skip
    assert entries == [("browse", ["shadow"], 180.0), ("cart", ["outward"], -12.0)]
    page = ask(client, limit=1, offset=1)
    assert (page["total"], [e["service"] for e in page["services"]]) == (2, ["cart"])


@pytest.mark.usefixtures("counted")
def test_a_namespace_leaves_out_the_others(client: Client) -> None:
    assert ask(client, namespace="jobs")["total"] == 0
    assert ask(client, namespace="shop")["total"] == 2
    assert ask(client, namespace="sho")["total"] == 0


@pytest.mark.usefixtures("counted")
def test_one_service_has_its_hours(client: Client) -> None:
    hours = ask(client, CART, by="hour")["periods"]
    assert [hour["start"] for hour in hours] == [
        "2026-03-02T09:00:04Z", "2026-03-02T10:00:00Z", "2026-03-02T11:00:00Z",
    ]  # fmt: skip
    lost = [hour["comparison"]["saved_cold_requests"]["value"] for hour in hours]
    assert lost == [-12.0, 0.0, 0.0]
    (day,) = ask(client, CART)["periods"]
    assert (day["comparison"]["requests"], day["covered"]) == (1800.0, 1.0)


def test_an_hour_of_which_nothing_is_known_is_a_gap_and_no_zero(
    client: Client, counted: Controller, clock: SimulatedClock
) -> None:
    for second in (320 * 60, 321 * 60):
        counted.counts("shop/cart", requests=1)
        counted.shows(second)
    clock.advance(142 * 60)
    hours = ask(client, by="hour")["periods"]
    assert [hour["covered"] for hour in hours] == [1.0, 1.0, 1.0, 0.0, 0.0, 0.0455]
    assert [hour["comparison"] is None for hour in hours] == [False] * 3 + [True, True, False]
    assert ask(client)["sentences"][-1] == "Of that time 56 % is known."


@pytest.mark.usefixtures("counted")
def test_a_period_is_given_by_its_begin_and_end_in_whole_hours(client: Client) -> None:
    query = {"from": "2026-03-02T10:20:00Z", "to": "2026-03-02T10:40:00"}
    found = ask(client, CART, **query)
    assert (found["start"], found["end"]) == ("2026-03-02T10:00:00Z", "2026-03-02T11:00:00Z")
    assert found["comparison"]["requests"] == 600.0
    assert ask(client, CART, **{"from": "2026-03-02T11:00:00Z"})["comparison"]["requests"] == 600.0


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"days": 0}, "query.days is '0': Input should be greater than or equal to 1"),
        ({"days": 401}, "query.days is '401': Input should be less than or equal to 400"),
        ({"by": "week"}, "query.by is 'week': Input should be 'hour' or 'day'"),
        ({"by": "hour", "days": 8}, "query.by is 'hour': allowed: within the last 7 days"),
        ({"to": "2026-03-02"}, "query.to is '2026-03-02T00:00:00': allowed: with from alone"),
        ({"from": "2026-03-02", "days": 1}, "query.days is 1: allowed: without from"),
        ({"from": "2026-03-03"}, "query.from is '2026-03-03T00:00:00': allowed: before to"),
        ({"from": "2024-01-01"}, "query.from is '2024-01-01T00:00:00': allowed: within 400 days"),
        ({"from": "yesterday"}, "query.from is 'yesterday'"),
        ({"limit": 1001}, "query.limit is '1001'"),
    ],
)
def test_what_is_asked_wrongly_is_named_with_what_is_allowed(
    client: Client, query: dict[str, Any], said: str
) -> None:
    assert refused(client, **query).startswith(said)


def test_an_unknown_service_is_a_problem_and_one_that_is_gone_is_not(
    client: Client, counted: Controller, clock: SimulatedClock
) -> None:
    answer = client.get("/v1/ledger/shop/crat")
    assert (answer.status_code, answer.json()["title"]) == (404, "Unknown service")
    counted.loses("shop/browse-00001")
    counted.shows(180 * 60 + 30)
    clock.advance(30.0)
    assert ask(client, "/v1/ledger/shop/browse")["comparison"]["requests"] == 900.0


def test_before_an_hour_is_known_it_is_said_when_it_will_be(
    client: Client, controller: Controller, clock: SimulatedClock
) -> None:
    for minute in range(10):
        controller.counts("shop/cart", requests=1)
        controller.shows(60.0 * (minute + 1))
    clock.advance(START_S + 600 - clock.now())
    assert ask(client)["sentences"] == [
        "What kn-ahead saves is counted since 09:00 UTC, and said here from 10:00 UTC on."
    ]
    assert "said here from 10:00 UTC on" in client.get("/").text


def test_before_anything_is_counted_nothing_is_known(bare: Client) -> None:
    found = ask(bare)
    assert (found["comparison"], found["covered"], found["services"]) == (None, 0.0, [])
    assert found["sentences"] == [
        "Nothing is known yet of what kn-ahead saves: nothing has been counted."
    ]


@pytest.mark.usefixtures("counted")
def test_pages_show_what_was_saved(client: Client) -> None:
    overview = client.get("/").text
    assert "Of services in shadow 180 cold requests would have been saved" in overview
    service = " ".join(client.get("/services/shop/cart").text.split())
    assert "there were 12 more cold requests than under Knative alone" in service
    assert re.search('<td class="name">2026-03-02</td> ?<td class="n wide">1,800</td>', service)
    assert '<td class="n bad">-12</td>' in service
