"""Knative's own metrics as Prometheus gets them, from a scrape over snapshots."""

from dataclasses import replace
from pathlib import Path

import pytest

from autoscaler.core.prediction.predictive import PodCosts, read_at_price
from autoscaler.core.state.fleet import ALL
from autoscaler.core.state.revision import KNATIVE_DEFAULTS, Active, Metric, Mode
from autoscaler.core.state.services import BOUNDS_S
from tests.autoscaler.advisor.controller import Controller
from tests.autoscaler.advisor.test_read_model import a_bundle
from tests.autoscaler.api.metrics.scrape import of, samples, scraped

NOW_S = 1_700_000_000.0
KEY, SERVICE = "shop/cart-00001", "shop/cart"
LABELS = {
    "k8s_namespace_name": "shop",
    "kn_service_name": "cart",
    "kn_configuration_name": "cart",
    "kn_revision_name": "cart-00001",
}
OF_A_REVISION = {
    "kn_revision_pods_desired",
    "kn_revision_pods_requested",
    "kn_revision_pods_count",
    "kn_revision_pods_not_ready_count",
    "kn_revision_pods_pending_count",
    "kn_revision_pods_terminating_count",
    "kn_revision_capacity_excess",
    "kn_revision_panic_mode",
}
IN_FLIGHT = {f"kn_revision_concurrency_{name}" for name in ("stable", "panic", "target")}
ARRIVING = {f"kn_revision_rps_{name}_per_second" for name in ("stable", "panic", "target")}
SCRAPES = "kn_autoscaler_scrape_duration_seconds"


@pytest.fixture
def controller(tmp_path: Path) -> Controller:
    return Controller(tmp_path, begin_s=NOW_S)


def gauges(controller: Controller, revision: str = "cart-00001") -> dict[str, float]:
    with of(controller.model) as client:
        return samples(client, kn_revision_name=revision)


# --- names and labels -----------------------------------------------------------------------------


def test_names_and_labels_are_knatives(controller: Controller) -> None:
    controller.has(KEY)
    controller.ticks(60, 5.0)
    with of(controller.model) as client:
        found = {s.name: s.labels for s in scraped(client) if s.name.startswith("kn_revision_")}
    assert found.keys() == OF_A_REVISION | IN_FLIGHT
    assert list(found.values()) == [LABELS] * len(found)


def test_a_revision_that_counts_requests_a_second_says_so(controller: Controller) -> None:
    controller.has(KEY, spec=replace(KNATIVE_DEFAULTS, metric=Metric.RPS, target=140.0))
    controller.ticks(60, 5.0)
    seen = gauges(controller)
    assert seen.keys() == OF_A_REVISION | ARRIVING
    assert seen["kn_revision_rps_stable_per_second"] == 5.0
    assert seen["kn_revision_rps_target_per_second"] == 140.0


def test_a_revision_without_a_service_has_an_empty_label(controller: Controller) -> None:
    controller.has("shop/till", "shop/till")
    controller.named("shop/till", "shop/till", labelled_service="", configuration="till-1")
    controller.ticks(60, 5.0)
    with of(controller.model) as client:
        found = samples(client, kn_configuration_name="till-1", kn_service_name="")
    assert "kn_revision_pods_count" in found


# --- values ---------------------------------------------------------------------------------------


def test_what_was_averaged_and_wanted(controller: Controller) -> None:
    controller.has(KEY, ready=2, replicas=2, active=Active.TRUE, initialized=True)
    controller.ticks(2, 0.0)
    controller.ticks(120, 100.0)  # past the panic that a restart begins with
    seen = gauges(controller)
    assert seen["kn_revision_concurrency_stable"] == 100.0
    assert seen["kn_revision_concurrency_panic"] == 100.0
    assert seen["kn_revision_concurrency_target"] == 70.0
    assert seen["kn_revision_capacity_excess"] == 2 * 100 - 211 - 100
    assert seen["kn_revision_pods_desired"] == 2
    assert seen["kn_revision_pods_requested"] == 2
    assert seen["kn_revision_panic_mode"] == 0


def test_panic_is_shown(controller: Controller) -> None:
    controller.has(KEY, ready=1)
    controller.ticks(60, 700.0)
    assert gauges(controller)["kn_revision_panic_mode"] == 1


def test_desired_is_before_bounds_and_requested_after(controller: Controller) -> None:
    controller.has(KEY, spec=replace(KNATIVE_DEFAULTS, min_scale=4), ready=1)
    controller.ticks(60, 100.0)
    seen = gauges(controller)
    assert (seen["kn_revision_pods_desired"], seen["kn_revision_pods_requested"]) == (2, 4)


@pytest.mark.parametrize(("mode", "desired"), [(Mode.SHADOW, 1), (Mode.OUTWARD, 2)])
def test_desired_is_with_the_forecast_where_that_is_in_force(
    controller: Controller, mode: Mode, desired: int
) -> None:
    controller.has(KEY, spec=replace(KNATIVE_DEFAULTS, mode=mode, cold_price_s=1200.0), ready=1)
    fleet, bundle = controller.fleet, a_bundle((SERVICE,), made_at_s=NOW_S)
    costs, first = PodCosts.of(fleet, ALL, fleet.spec), fleet.service
    controller.advised(read_at_price(bundle, first, costs, layout=fleet.layout))
    controller.ticks(30, 5.0)
    assert gauges(controller)["kn_revision_pods_desired"] == desired


def test_what_was_asked_for_stands_while_nothing_is_decided(controller: Controller) -> None:
    controller.has(KEY, ready=3, replicas=3)
    controller.fleet.observed.set_up[:] = False
    controller.ticks(2)
    seen = gauges(controller)
    assert seen["kn_revision_pods_requested"] == 3
    assert "kn_revision_pods_desired" not in seen
    assert "kn_revision_concurrency_stable" not in seen


def test_before_the_first_tick_there_is_nothing_to_show(controller: Controller) -> None:
    controller.has(KEY)
    controller.shows(0)
    assert gauges(controller) == {}


def test_pods_are_counted_by_state(controller: Controller) -> None:
    controller.has(KEY, ready=3)
    pods = controller.fleet.pods
    pods.unready[0], pods.pending[0], pods.terminating[0] = 1, 2, 1
    controller.ticks(2)
    seen = gauges(controller)
    assert seen["kn_revision_pods_count"] == 3
    assert seen["kn_revision_pods_not_ready_count"] == 4
    assert seen["kn_revision_pods_pending_count"] == 2
    assert seen["kn_revision_pods_terminating_count"] == 1


def test_every_revision_has_its_own_values_after_one_went(controller: Controller) -> None:
    for i, name in enumerate(["cart", "till", "shelf"], 1):
        controller.has(f"shop/{name}-00001", ready=i, replicas=i)
    controller.ticks(2)
    controller.loses(KEY)
    controller.ticks(4)
    assert gauges(controller) == {}
    assert gauges(controller, "till-00001")["kn_revision_pods_count"] == 2
    assert gauges(controller, "shelf-00001")["kn_revision_pods_requested"] == 3


# --- scrapes --------------------------------------------------------------------------------------


def scrape(controller: Controller, service: str, *counts: int, seconds: float = 0.0) -> None:
    """So many scrapes of a service, by bound."""
    services = controller.fleet.services
    services.scrapes[: len(counts), services.row(service)] = counts
    services.scrapes_s[services.row(service)] = seconds


def test_scrapes_are_timed_by_knatives_bounds(controller: Controller) -> None:
    controller.has(KEY)
    counts = [0] * (len(BOUNDS_S) + 1)
    for bound in (0.005, 0.005, 0.01, 5):
        counts[BOUNDS_S.index(bound)] += 1
    counts[-1] = 1
    scrape(controller, SERVICE, *counts, seconds=33.015)
    controller.shows(2)
    with of(controller.model) as client:
        found = [s for s in scraped(client) if s.name.startswith(SCRAPES)]
    bucket = {s.labels["le"]: s.value for s in found if s.name == f"{SCRAPES}_bucket"}
    assert {le: bucket[le] for le in ("0.005", "0.01", "2.5", "5.0", "10.0", "+Inf")} == {
        "0.005": 2,
        "0.01": 3,
        "2.5": 3,
        "5.0": 4,
        "10.0": 4,
        "+Inf": 5,
    }
    assert len(bucket) == 15
    total = {s.name: s for s in found}
    assert (total[f"{SCRAPES}_sum"].value, total[f"{SCRAPES}_count"].value) == (33.015, 5)
    assert total[f"{SCRAPES}_count"].labels == {k: v for k, v in LABELS.items() if "rev" not in k}


def test_a_service_that_was_never_scraped_has_no_histogram(controller: Controller) -> None:
    controller.has(KEY)
    controller.has("shop/till-00001")
    scrape(controller, SERVICE, 1)
    controller.shows(2)
    with of(controller.model) as client:
        assert samples(client, kn_service_name="till") == {}
        assert samples(client, kn_service_name="cart") != {}


def test_revisions_without_a_service_share_a_histogram(controller: Controller) -> None:
    for name, counts in (("one", (1, 2)), ("two", (0, 4))):
        controller.has(f"shop/{name}", f"shop/{name}")
        controller.named(f"shop/{name}", f"shop/{name}", labelled_service="", configuration="")
        scrape(controller, f"shop/{name}", *counts, seconds=2.0)
    controller.shows(2)
    with of(controller.model) as client:
        found = [s for s in scraped(client) if s.name.startswith(SCRAPES)]
        seen = samples(client, kn_service_name="")
    assert len(found) == len(BOUNDS_S) + 3
    assert (seen[f"{SCRAPES}_count"], seen[f"{SCRAPES}_sum"]) == (7, 4.0)
