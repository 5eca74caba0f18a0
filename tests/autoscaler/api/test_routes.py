import numpy as np
import pytest
from httpx import Client

from autoscaler.advisor.read_model import ReadModel
from autoscaler.clock import SimulatedClock
from tests.autoscaler.advisor.controller import Controller
from tests.autoscaler.api.conftest import START_S


def test_health_is_ok(client: Client) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_is_not_ready_before_the_first_decision(bare: Client) -> None:
    answer = bare.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["ready"] is False
    assert answer.json()["detail"][0] == "no decision was made yet"


def test_is_ready_with_decisions_and_forecasts(client: Client) -> None:
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"ready": True, "detail": []})


def test_is_ready_but_degraded_when_forecasts_ended(
    client: Client, clock: SimulatedClock, controller: Controller
) -> None:
    clock.advance(3600.0)
    controller.shows(3609)
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["detail"] == [
        "forecasts ended 3430 s ago: deciding as Knative alone would"
    ]


def test_lists_services_in_pages(client: Client) -> None:
    page = client.get("/v1/services", params={"limit": 2, "offset": 1}).json()
    assert (page["total"], page["limit"], page["offset"]) == (3, 2, 1)
    assert [s["service"] for s in page["services"]] == ["browse", "cart"]
    assert page["services"][1] == {
        "namespace": "shop",
        "service": "cart",
        "has_forecast": True,
        "model": "pooled",
        "modes": ["outward"],
        "desired_scale": 4,
        "kpa": 2,
        "ready": 2,
        "credit_s": None,
        "revisions": 1,
        "reasons": ["FORECAST"],
        "forecast_made_at": "2026-03-02T09:00:00Z",
    }
    assert page["services"][0]["has_forecast"] is False
    assert page["services"][0]["forecast_made_at"] is None


def test_of_several_revisions_pods_are_added_up(client: Client, controller: Controller) -> None:
    controller.has("shop/cart-00002")
    controller.fleet.observed.ready[3] = 1
    controller.fleet.record(np.array([3]), np.array([int(START_S) + 5]), np.full((2, 1), 70.0))
    controller.ticks(5)
    controller.shows(5)
    (cart,) = (s for s in client.get("/v1/services").json()["services"] if s["service"] == "cart")
    of_each = client.get("/v1/decisions/shop/cart").json()["revisions"]
    assert cart["revisions"] == len(of_each) == 2
    assert cart["kpa"] == sum(d["candidates"]["kpa"] for d in of_each)
    assert cart["reasons"] == sorted({d["reason"] for d in of_each})


def test_a_page_past_the_end_is_empty(client: Client) -> None:
    assert client.get("/v1/services", params={"offset": 10**30}).json()["services"] == []


def test_a_forecast_gives_quantiles_of_every_window(client: Client) -> None:
    forecast = client.get("/v1/forecasts/shop/cart").json()
    assert forecast["reason"] is None
    assert forecast["model"] == "pooled"
    assert forecast["fitted_at"] == "2026-03-02T08:00:00Z"
    assert forecast["made_at"] == "2026-03-02T09:00:00Z"
    first, second = forecast["windows"]
    assert first == {
        "start": "2026-03-02T09:00:00Z",
        "end": "2026-03-02T09:01:00Z",
        "probability_of_any": 0.98,
        "p50": 200.0,
        "p90": 300.0,
        "p95": 400.0,
        "p99": 400.0,
    }
    assert (second["start"], second["end"]) == ("2026-03-02T09:01:00Z", "2026-03-02T09:03:00Z")


def test_says_why_the_learner_gave_no_forecast(client: Client) -> None:
    forecast = client.get("/v1/forecasts/jobs/nightly").json()
    assert forecast["reason"] == "too short: 40 steps of history; 120 needed"
    assert (forecast["model"], forecast["windows"]) == (None, [])


def test_says_why_a_service_is_not_in_the_forecasts(client: Client) -> None:
    forecast = client.get("/v1/forecasts/shop/browse").json()
    assert forecast["reason"] == "the learner has published no forecast of this service"


def test_says_that_a_forecast_is_stale(client: Client, clock: SimulatedClock) -> None:
    clock.advance(170.0)
    forecast = client.get("/v1/forecasts/shop/cart").json()
    assert forecast["reason"] == "stale: it reached to 2026-03-02T09:03:00Z"


def test_a_decision_shows_what_competed_and_why(client: Client) -> None:
    (decision,) = client.get("/v1/decisions/shop/cart").json()["revisions"]
    assert decision == {
        "revision": "cart-00001",
        "decided_at": "2026-03-02T09:00:04Z",
        "mode": "outward",
        "cold_price_s": 600.0,
        "requests_waiting": 1.0,
        "max_extra": None,
        "extra_allowance_s": None,
        "credit_s": None,
        "ready": 2,
        "desired_scale": 4,
        "candidates": {"kpa": 2, "predicted": 4, "anticipated": None, "together": 4},
        "averages": {"stable": 140.0, "panic": 140.0},
        "panicking": True,
        "reason": "FORECAST",
        "sentence": "4 pods: the forecast finds 4 pods worth having (Knative alone: 2 pods).",
    }


def test_a_bill_shows_its_credit(client: Client, controller: Controller) -> None:
    fleet = controller.fleet
    row = fleet.row("shop/cart-00001")
    fleet.spec.max_extra[row], fleet.spec.extra_allowance_s[row] = 0.2, 30.0
    controller.ticks(5)
    controller.ticks(7)
    controller.shows(7)
    (decision,) = client.get("/v1/decisions/shop/cart").json()["revisions"]
    assert (decision["max_extra"], decision["credit_s"]) == (0.2, 30.0 + 4 * 0.4 - 4.0)
    services = client.get("/v1/services").json()["services"]
    credit = {service["service"]: service["credit_s"] for service in services}
    assert credit == dict.fromkeys(credit) | {"cart": decision["credit_s"]}


def test_a_decision_shows_what_changed_of_late(client: Client) -> None:
    (change,) = client.get("/v1/decisions/shop/cart").json()["changes"]
    assert change["at"] == "2026-03-02T09:00:03Z"
    assert (change["before"], change["desired_scale"], change["reason"]) == (None, 4, "FORECAST")


def test_a_revision_of_which_nothing_was_decided_is_not_listed(
    client: Client, controller: Controller
) -> None:
    controller.has("shop/cart-00002")
    controller.has("shop/till-00001")
    controller.shows(5)
    (decision,) = client.get("/v1/decisions/shop/cart").json()["revisions"]
    assert decision["revision"] == "cart-00001"
    assert client.get("/v1/decisions/shop/till").json()["revisions"] == []
    (till,) = client.get("/v1/services", params={"offset": 3}).json()["services"]
    assert (till["service"], till["modes"], till["desired_scale"]) == ("till", [], None)
    assert "nothing is decided of it here" in client.get("/").text


def test_what_is_not_known_is_null(client: Client) -> None:
    (decision,) = client.get("/v1/decisions/jobs/nightly").json()["revisions"]
    assert decision["reason"] == "NO_DATA"
    assert decision["averages"] == {"stable": None, "panic": None}
    assert decision["candidates"]["kpa"] is None
    assert decision["candidates"]["predicted"] is None


@pytest.mark.parametrize("path", ["/v1/services", "/v1/forecasts/shop/cart", "/docs", "/"])
def test_asking_twice_changes_nothing(client: Client, path: str) -> None:
    assert client.get(path).text == client.get(path).text


def test_a_promise_is_told_with_its_price_and_before_anything_was_counted(
    client: Client, model: ReadModel
) -> None:
    assert client.get("/v1/decisions/shop/cart").json()["promise"] is None
    model.promises.begin({"shop/cart": 0.005}, START_S)
    model.promises.settle()
    model.version += 1
    assert client.get("/v1/decisions/shop/cart").json()["promise"] == {
        "max_cold_rate": 0.005,
        "cold_price_s": 600.0,
        "achieved": None,
        "missed": False,
        "attainable": True,
        "sentence": "Of 100 requests 0.5 are promised to be cold at most; none was counted yet.",
    }
    assert "0.5 are promised to be cold" in client.get("/services/shop/cart").text


def test_a_bill_is_told_with_what_real_pods_came_to(client: Client, controller: Controller) -> None:
    assert client.get("/v1/decisions/shop/cart").json()["bill"] is None
    controller.fleet.spec.max_extra[controller.row("shop/cart-00001")] = 0.2
    for second in (60.0, 120.0, 180.0):
        controller.counts("shop/cart", knative_pod_s=100.0, ahead_pod_s=107.0)
        controller.shows(second)
    bill = client.get("/v1/decisions/shop/cart").json()["bill"]
    assert (bill["max_extra"], bill["pod_ratio"]["value"]) == (0.2, 1.07)
    assert "1.07 times in real pods, with start-up and drain (estimate, 95 %: " in bill["sentence"]
    assert bill["sentence"] in client.get("/services/shop/cart").text


def test_the_clusters_bill_is_told_to_each_service_and_on_the_first_page(
    client: Client, controller: Controller
) -> None:
    assert client.get("/v1/decisions/shop/cart").json()["cluster_bill"] is None
    controller.notes = {"cluster_bill": {"max_extra": 0.1, "left_s": 3120.0}}
    controller.shows(60.0)
    bill = client.get("/v1/decisions/shop/cart").json()["cluster_bill"]
    assert (bill["max_extra"], bill["left_s"]) == (0.1, 3120.0)
    for page in ("/", "/services/shop/cart"):
        assert "3,120 s of pod are left." in client.get(page).text
