from dataclasses import replace

import pytest
from httpx import Client

from autoscaler.core.state.decision import Reason
from autoscaler.core.state.revision import KNATIVE_DEFAULTS
from autoscaler.core.state.services import LOAD_S, PARTS
from tests.autoscaler.advisor.controller import Controller
from tests.autoscaler.api.conftest import START_S
from tests.autoscaler.api.metrics.scrape import samples, scraped

CART = {"namespace": "shop", "service": "cart"}


def of(client: Client, revision: str) -> dict[str, float]:
    return samples(client, revision=revision)


def test_shows_what_was_decided_of_each_revision(client: Client) -> None:
    assert of(client, "cart-00001") == {
        "kn_ahead_desired_pods": 4,
        "kn_ahead_kpa_pods": 2,
        "kn_ahead_predicted_pods": 4,
        "kn_ahead_ready_pods": 2,
        "kn_ahead_forecast_withdrawn": 0,
        "kn_ahead_decision_reason": 1,
    }
    reasons = {s.labels["revision"]: s.labels["reason"] for s in scraped(client) if _why(s.name)}
    assert reasons == {
        "browse-00001": "STABLE",
        "cart-00001": "FORECAST",
        "nightly-00001": "NO_DATA",
    }


def _why(name: str) -> bool:
    return name == "kn_ahead_decision_reason"


def test_labels_name_namespace_service_and_revision(client: Client) -> None:
    desired = [s.labels for s in scraped(client) if s.name == "kn_ahead_desired_pods"]
    assert CART | {"revision": "cart-00001"} in desired


def test_what_is_not_known_has_no_sample(client: Client) -> None:
    assert of(client, "nightly-00001").keys() == {
        "kn_ahead_ready_pods",
        "kn_ahead_forecast_withdrawn",
        "kn_ahead_decision_reason",
    }


def test_a_revision_of_which_nothing_was_decided_has_no_sample(
    client: Client, controller: Controller
) -> None:
    controller.has("shop/cart-00002")
    controller.shows(5)
    assert of(client, "cart-00002") == {}
    assert of(client, "cart-00001") != {}


def test_a_revision_whose_name_has_not_come_yet_has_no_sample(
    client: Client, controller: Controller
) -> None:
    names = controller.names
    controller.has("shop/till-00001")
    controller.names = names
    controller.ticks(6, 70.0, 70.0, 70.0, 70.0)
    labels = [s.labels for s in scraped(client)]
    assert not [one for one in labels if "" in (one.get("revision"), one.get("service"))]


def test_every_revision_has_its_own_values_after_one_went(
    client: Client, controller: Controller
) -> None:
    controller.loses("shop/browse-00001")  # the last row takes its place
    controller.fleet.observed.ready[:] = (7, 2)  # nightly, cart
    controller.ticks(6, 1.0, 140.0)
    assert of(client, "browse-00001") == {}
    assert of(client, "nightly-00001")["kn_ahead_ready_pods"] == 7
    assert of(client, "cart-00001")["kn_ahead_ready_pods"] == 2


def test_shows_what_is_known_of_a_services_calls(client: Client, controller: Controller) -> None:
    services = controller.fleet.services
    row = services.row("shop/cart")
    calls = services.calls
    calls.requests[row], calls.cold[row] = 12.0, 3.0
    for second in range(1, 9):
        load = services.peak * 0
        load[row] = 6.0 if second <= 3 else 1.5
        services.count_second(load, load * 0)
    controller.shows(8)
    seen = samples(client, **CART)
    assert seen["kn_ahead_requests_total"] == 12
    assert seen["kn_ahead_cold_requests_total"] == 3
    assert seen["kn_ahead_peak_in_flight"] == pytest.approx(3 * 6.0 / LOAD_S)
    assert seen["kn_ahead_short_peak_in_flight"] == 1.5
    assert seen["kn_ahead_in_flight"] == 25.5 / 8
    assert "kn_ahead_last_call_timestamp_seconds" not in seen
    calls.last_call_s[row], calls.last_start_s[row] = START_S, START_S - 60
    controller.shows(9)
    seen = samples(client, **CART)
    assert seen["kn_ahead_last_call_timestamp_seconds"] == START_S
    assert seen["kn_ahead_last_start_timestamp_seconds"] == START_S - 60


def test_shows_what_a_pod_takes_of_the_revision_with_most_traffic(
    client: Client, controller: Controller
) -> None:
    fleet = controller.fleet
    fleet.spec.pod_capacity[controller.row("shop/cart-00001")] = 10.0
    controller.has("shop/cart-00002", spec=replace(KNATIVE_DEFAULTS, pod_capacity=50.0))
    for of_new, capacity in ((0.4, 10.0), (0.6, 50.0)):
        fleet.spec.share[controller.row("shop/cart-00001")] = 1 - of_new
        fleet.spec.share[controller.row("shop/cart-00002")] = of_new
        controller.shows(5)
        assert samples(client, **CART)["kn_ahead_pod_capacity"] == capacity


def test_starts_are_shown_by_part(client: Client, controller: Controller) -> None:
    services = controller.fleet.services
    row, part = services.row("shop/cart"), PARTS.index("total")
    services.starts[part, row], services.starts_s[part, row] = 2, 20.5
    controller.shows(5)
    assert samples(client, part="total", **CART) == {
        "kn_ahead_start_up_seconds_count": 2,
        "kn_ahead_start_up_seconds_sum": 20.5,
    }
    assert samples(client, part="ready") == {}


def test_drains_are_shown(client: Client, controller: Controller) -> None:
    services = controller.fleet.services
    row = services.row("shop/cart")
    assert "kn_ahead_drain_seconds_count" not in samples(client, **CART)
    services.note_drain(row, 30.5)
    services.note_drain(row, 40.0)
    controller.shows(5)
    seen = samples(client, **CART)
    assert seen["kn_ahead_drain_seconds_count"] == 2
    assert seen["kn_ahead_drain_seconds_sum"] == 70.5


def test_both_policies_are_counted_beside_each_other(
    client: Client, controller: Controller
) -> None:
    sums = {"requests": 40.0, "knative_cold": 4.0, "ahead_cold": 1.0, "knative_cold_s": 16.5,
            "ahead_cold_s": 3.5, "knative_pod_s": 100.0, "ahead_pod_s": 120.0,
            "knative_starts": 5.0, "ahead_starts": 3.0}  # fmt: skip
    controller.counts("shop/cart", **sums)
    controller.shows(5)
    for policy, own in (("knative", "knative"), ("kn-ahead", "ahead")):
        assert samples(client, policy=policy, **CART) == {
            "kn_ahead_ledger_cold_requests_total": sums[f"{own}_cold"],
            "kn_ahead_ledger_cold_seconds_total": sums[f"{own}_cold_s"],
            "kn_ahead_ledger_pod_seconds_total": sums[f"{own}_pod_s"],
            "kn_ahead_ledger_pod_starts_total": sums[f"{own}_starts"],
        }
    assert samples(client, **CART)["kn_ahead_ledger_requests_total"] == 40.0


def test_changes_are_counted_by_service_and_reason(client: Client) -> None:
    seen = samples(client, reason=Reason.FORECAST.name, **CART)
    assert seen["kn_ahead_changes_total"] == 1


def test_a_number_that_is_none_has_no_sample(client: Client, controller: Controller) -> None:
    controller.fleet.services.calls.requests[:] = float("nan")
    controller.shows(5)
    assert "kn_ahead_requests_total" not in samples(client)
