"""`/v1/history`, and the page that draws it."""

import re
from dataclasses import replace
from typing import Any

import pytest
from httpx import Client

from autoscaler.advisor.read_model import MOST_CHANGES
from autoscaler.clock import SimulatedClock
from autoscaler.core.state.decision import Reason
from autoscaler.core.state.revision import KNATIVE_DEFAULTS, Mode
from tests.autoscaler.advisor.controller import Controller
from tests.autoscaler.api.conftest import START_S

BROWSE = "/v1/history/shop/browse"  # in shadow
PAGE = "/services/shop/browse"


@pytest.fixture
def shadowed(controller: Controller, clock: SimulatedClock) -> Controller:
    """An hour in which kn-ahead would have had a pod more each other ten minutes."""
    twins = controller.fleet.twins.view
    twins.begun[:], twins.reason[:], twins.kpa[:] = True, int(Reason.FORECAST), 1
    controller.fleet.decision.predicted[0] = 2
    for minute in range(60):
        twins.replicas[0] = 1 + minute // 10 % 2
        controller.shows(60.0 * minute + 40.0)
    clock.advance(START_S + 3600.0 - clock.now())
    return controller


def page(client: Client, path: str = PAGE) -> str:
    return " ".join(client.get(path).text.split())


@pytest.mark.usefixtures("shadowed")
def test_samples_have_both_policies_and_what_kn_ahead_would_have_changed(client: Client) -> None:
    found: dict[str, Any] = client.get(BROWSE).json()
    assert (found["namespace"], found["service"], found["sample_s"]) == ("shop", "browse", 30.0)
    starts = [sample["start"] for sample in found["samples"]]
    assert starts[:2] == ["2026-03-02T09:00:00Z", "2026-03-02T09:00:30Z"]
    assert found["samples"][-1] | {"start": ""} == {
        "start": "", "demand": 70.0, "peak": 0.0, "knative": 1, "ahead": 2, "ready": 0,
        "p50": None, "p99": None,
    }  # fmt: skip
    newest = found["would_change"][0]
    assert (newest["at"], newest["before"], newest["desired_scale"]) == (
        "2026-03-02T09:00:04Z", 1, 2,
    )  # fmt: skip


def test_where_more_has_changed_than_is_kept_the_page_says_from_when_on(
    client: Client, controller: Controller, clock: SimulatedClock
) -> None:
    assert "have no marks" not in page(client, "/services/shop/cart")
    for i in range(MOST_CHANGES + 5):
        controller.ticks(10 + 60 * i, 0.0, 70.0 * (5 + i), 0.0)  # grows: every tick wants more
    clock.advance(60.0 * MOST_CHANGES)
    said = f"The last {MOST_CHANGES} changes are kept: before 09:05:10 they have no marks."
    assert said in page(client, "/services/shop/cart")


def test_an_unknown_service_is_a_problem(client: Client) -> None:
    answer = client.get("/v1/history/shop/nobody")
    assert (answer.status_code, answer.json()["title"]) == (404, "Unknown service")


@pytest.mark.usefixtures("shadowed")
def test_the_page_draws_both_policies_and_numbers_each_change(client: Client) -> None:
    text = page(client)
    assert text.count('<svg class="history" role="group"') == 2  # for a screen, and for a phone
    assert 'class="ahead estimated"' in text
    numbers = re.findall(r'<tr id="change-(\d+)">', text)
    assert [int(n) for n in numbers] == list(range(1, len(numbers) + 1))
    led_to = set(re.findall(r'href="#change-(\d+)"', text))
    assert led_to
    assert led_to <= set(numbers)
    assert "kn-ahead, would" in text
    assert "2 pods: the forecast finds 2 pods worth having (Knative alone: 1 pod)." in text


@pytest.mark.usefixtures("shadowed")
def test_in_shadow_the_page_says_how_to_leave_it(client: Client) -> None:
    text = page(client)
    assert "kubectl --namespace shop patch ksvc browse" in text
    assert '"kn-ahead.dev/mode":"outward","kn-ahead.dev/max-extra":"20%"' in text
    assert "To leave shadow" not in page(client, "/services/shop/cart")


def test_the_bill_says_what_is_left_and_whether_it_has_the_last_word(
    client: Client, controller: Controller
) -> None:
    assert "none: nothing bounds what pods ahead" in page(client, "/services/shop/cart")
    fleet = controller.fleet
    fleet.spec.max_extra[1], fleet.credit.left_s[1] = 0.2, 12.4
    controller.shows(6)
    said = page(client, "/services/shop/cart")
    assert "may cost 20 % of those that Knative wants, and 600 s of a pod once; 12 s are" in said
    assert "It has not had the last word since this process began." in said
    fleet.decision.ahead[1], fleet.decision.extra[1] = 3, 2
    controller.shows(8)
    assert "It has the last word now." in page(client, "/services/shop/cart")
    (decision,) = client.get("/v1/decisions/shop/cart").json()["revisions"]
    assert (decision["max_extra"], decision["extra_allowance_s"]) == (0.2, 600.0)


def test_a_name_cannot_break_out_of_the_picture(client: Client, controller: Controller) -> None:
    controller.has("shop/<b>x-1", spec=replace(KNATIVE_DEFAULTS, mode=Mode.SHADOW))
    controller.ticks(6, 70.0, 70.0, 0.0, 70.0)
    assert "<b>x" not in client.get("/services/shop/<b>x").text


def test_before_anything_is_known_the_page_draws_nothing_but_the_frame(
    client: Client, controller: Controller
) -> None:
    controller.loses("jobs/nightly-00001")
    controller.shows(6)
    text = page(client, "/services/jobs/nightly")  # it has a forecast's line, and no revision
    assert "Nothing is decided of it here." in text
    assert "Nothing since this process began." in text


@pytest.mark.usefixtures("shadowed")
def test_a_shorter_time_is_drawn_larger_and_what_was_before_it_folded(client: Client) -> None:
    assert page(client).count("<details>") == 0
    short = page(client, f"{PAGE}?minutes=20")
    assert "<strong>20</strong>" in short
    assert "09:30" not in re.findall(r'<text class="x"[^>]*>([\d:]+)<', short)
    assert "earlier</summary>" in short
    assert client.get(f"{PAGE}?minutes=5").status_code == 422


def test_what_knative_decided_before_shadow_was_left_stays_knatives(
    client: Client, controller: Controller
) -> None:
    controller.ticks(6, 7000.0, 70.0)
    controller.fleet.spec.mode[0] = Mode.OUTWARD
    controller.ticks(8, 70_000.0, 70.0)
    policies = re.findall(r'<td class="policy-(\w+)">', page(client))
    assert policies[0] == "ahead"
    assert set(policies[1:]) == {"knative"}
