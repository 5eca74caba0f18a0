"""Gauges as Prometheus gets them, from a scrape of /metrics over a seat."""

import threading
from typing import Any

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from autoscaler.api.app import create_app
from autoscaler.core.revision import Mode
from knative.activators import ActivatorStat
from knative.config import ClusterConfig
from knative.objects import SERVICE_LABEL
from tests.autoscaler.api.conftest import ask
from tests.knative.conftest import (
    LONG_AGO,
    NOW_S,
    Cluster,
    a_bundle,
    a_pod,
    a_podautoscaler,
    an_old_status,
)

KEY = "shop/cart"
LABELS = {
    "k8s_namespace_name": "shop",
    "kn_service_name": "cart-service",
    "kn_configuration_name": "",
    "kn_revision_name": "cart",
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


def page(cluster: Cluster) -> str:
    app = create_app(cluster.seat.board, cluster.clock, [cluster.seat.gauges])
    with ask(app) as client:
        answer = client.get("/metrics")
    assert answer.status_code == 200
    return answer.text


def samples(cluster: Cluster, **labels: str) -> dict[str, float]:
    """Samples with these labels, by name."""
    return {
        s.name: s.value
        for family in text_string_to_metric_families(page(cluster))
        for s in family.samples
        if labels.items() <= s.labels.items()
    }


def gauges(cluster: Cluster, revision: str = "cart") -> dict[str, float]:
    return samples(cluster, kn_revision_name=revision)


def load(cluster: Cluster, concurrency: float, seconds: int = 60) -> None:
    cluster.clock.advance(float(seconds))
    cluster.hears(KEY, concurrency=concurrency, seconds=seconds)
    cluster.seat.decide()


# --- names and labels -----------------------------------------------------------------------------


def test_names_and_labels_are_knatives() -> None:
    cluster = Cluster()
    cluster.has_revision()
    load(cluster, 5.0)
    found = {
        s.name: s.labels
        for family in text_string_to_metric_families(page(cluster))
        for s in family.samples
        if s.name.startswith("kn_revision_")
    }
    assert found.keys() == OF_A_REVISION | IN_FLIGHT
    assert list(found.values()) == [LABELS] * len(found)


def test_a_revision_that_counts_requests_a_second_says_so() -> None:
    cluster = Cluster()
    cluster.has_revision(annotations={"autoscaling.knative.dev/metric": "rps"})
    load(cluster, 5.0)
    assert gauges(cluster).keys() == OF_A_REVISION | ARRIVING
    assert gauges(cluster)["kn_revision_rps_stable_per_second"] == 5.0
    assert gauges(cluster)["kn_revision_rps_target_per_second"] == 140.0


def test_labels_are_those_of_the_podautoscaler() -> None:
    cluster = Cluster()
    o = a_podautoscaler("till", status=an_old_status())
    o["metadata"]["labels"] = {"serving.knative.dev/configuration": "till-configuration"}
    cluster.has(o)
    cluster.seat.decide()
    found = samples(cluster, kn_configuration_name="till-configuration")
    assert "kn_revision_pods_count" in found


# --- values ---------------------------------------------------------------------------------------


def test_what_was_averaged_and_wanted() -> None:
    cluster = Cluster()
    cluster.has_revision(ready=2)
    cluster.clock.advance(120.0)  # past the panic that a restart begins with
    load(cluster, 100.0)
    seen = gauges(cluster)
    assert seen["kn_revision_concurrency_stable"] == 100.0
    assert seen["kn_revision_concurrency_panic"] == 100.0
    assert seen["kn_revision_concurrency_target"] == 70.0
    assert seen["kn_revision_capacity_excess"] == 2 * 100 - 211 - 100
    assert seen["kn_revision_pods_desired"] == 2
    assert seen["kn_revision_pods_requested"] == 2
    assert seen["kn_revision_panic_mode"] == 0


def test_panic_is_shown() -> None:
    cluster = Cluster()
    cluster.has_revision()
    load(cluster, 700.0)
    assert gauges(cluster)["kn_revision_panic_mode"] == 1


def test_desired_is_before_bounds_and_requested_after() -> None:
    cluster = Cluster()
    cluster.has_revision(annotations={"autoscaling.knative.dev/min-scale": "4"})
    load(cluster, 100.0)
    seen = gauges(cluster)
    assert (seen["kn_revision_pods_desired"], seen["kn_revision_pods_requested"]) == (2, 4)


@pytest.mark.parametrize(("mode", "desired"), [(Mode.SHADOW, 1), (Mode.OUTWARD, 7)])
def test_desired_is_with_the_forecast_where_that_is_in_force(mode: Mode, desired: int) -> None:
    cluster = Cluster(ClusterConfig(mode=mode))
    cluster.has_revision()
    cluster.seat.forecast(a_bundle(700.0))
    load(cluster, 5.0)
    assert gauges(cluster)["kn_revision_pods_desired"] == desired


def test_what_was_asked_for_stands_while_nothing_is_decided() -> None:
    cluster = Cluster()
    cluster.has_revision(asked=3)
    cluster.seat.decide()
    seen = gauges(cluster)
    assert seen["kn_revision_pods_requested"] == 3
    assert "kn_revision_pods_desired" not in seen
    assert "kn_revision_concurrency_stable" not in seen


def test_before_the_first_tick_there_is_nothing_to_show() -> None:
    cluster = Cluster()
    cluster.has_revision()
    assert gauges(cluster) == {}


def test_pods_are_counted_by_state() -> None:
    cluster = Cluster()
    cluster.has_revision(ready=3)
    cluster.seat.decide()
    other: list[dict[str, Any]] = [
        {"ready": False},
        {"phase": "Pending", "ready": False},
        {"phase": "Pending", "ready": False},
        {"deletionTimestamp": LONG_AGO},
        {"phase": "Failed", "ready": False},
        {"phase": "Succeeded", "ready": False},
    ]
    for i, fields in enumerate(other):
        cluster.has(a_pod(f"another-{i}", "cart", **fields))
    seen = gauges(cluster)
    assert seen["kn_revision_pods_count"] == 3
    assert seen["kn_revision_pods_not_ready_count"] == 4
    assert seen["kn_revision_pods_pending_count"] == 2
    assert seen["kn_revision_pods_terminating_count"] == 1


# --- revisions come and go ------------------------------------------------------------------------


def test_every_revision_has_its_own_values_after_one_went() -> None:
    cluster = Cluster()
    for i, name in enumerate(["cart", "till", "shelf"], 1):
        cluster.has_revision(name, ready=i)
    cluster.seat.decide()
    cluster.seat.saw_podautoscaler(KEY, None)
    assert gauges(cluster, "cart") == {}  # though the last tick knew it
    assert gauges(cluster, "shelf")["kn_revision_pods_count"] == 3
    cluster.seat.decide()
    assert gauges(cluster, "till")["kn_revision_pods_count"] == 2
    assert gauges(cluster, "shelf")["kn_revision_pods_requested"] == 3


def test_a_tick_of_some_revisions_hides_nobody() -> None:
    cluster = Cluster()
    cluster.has_revision("cart")
    cluster.has_revision("till")
    cluster.seat.decide()
    cluster.seat.decide([KEY])
    assert gauges(cluster, "till") != {}


def test_of_a_revision_that_went_no_scrape_is_kept() -> None:
    cluster = Cluster()
    cluster.has_revision("cart")
    cluster.has_revision("till")
    for key in (KEY, "shop/till"):
        cluster.seat.gauges.scraped(key, 0.01)
    cluster.seat.saw_podautoscaler(KEY, None)
    assert samples(cluster, kn_service_name="cart-service") == {}
    assert samples(cluster, kn_service_name="till-service") != {}


def test_scrapes_are_kept_while_one_revision_of_the_service_is_left() -> None:
    cluster = Cluster()
    for name in ("cart", "till"):
        o = a_podautoscaler(name)
        o["metadata"]["labels"][SERVICE_LABEL] = "shop"
        cluster.has(o)
    cluster.seat.gauges.scraped(KEY, 0.01)
    cluster.seat.saw_podautoscaler(KEY, None)
    cluster.seat.gauges.scraped("shop/till", 0.01)
    name = "kn_autoscaler_scrape_duration_seconds_count"
    assert samples(cluster, kn_service_name="shop")[name] == 2


# --- scrapes, starts, cold requests ---------------------------------------------------------------


def test_scrapes_are_timed_by_knatives_bounds() -> None:
    cluster = Cluster()
    cluster.has_revision()
    for seconds in (0.004, 0.005, 0.006, 3.0, 30.0):
        cluster.seat.gauges.scraped(KEY, seconds)
    cluster.seat.gauges.scraped("shop/nobody", 1.0)
    name = "kn_autoscaler_scrape_duration_seconds"
    families = text_string_to_metric_families(page(cluster))
    (family,) = [f for f in families if f.name == name]
    bucket = {s.labels["le"]: s.value for s in family.samples if s.name == f"{name}_bucket"}
    assert {le: bucket[le] for le in ("0.005", "0.01", "2.5", "5.0", "10.0", "+Inf")} == {
        "0.005": 2,
        "0.01": 3,
        "2.5": 3,
        "5.0": 4,
        "10.0": 4,
        "+Inf": 5,
    }
    assert len(bucket) == 15
    total = {s.name: s for s in family.samples}
    assert total[f"{name}_sum"].value == pytest.approx(33.015)
    assert total[f"{name}_count"].labels == {k: v for k, v in LABELS.items() if "rev" not in k}


def test_starts_are_shown_by_part() -> None:
    cluster = Cluster()
    cluster.has_revision(ready=0, asked=1)
    cluster.has(a_pod(created_s=NOW_S - 20, ready_s=NOW_S))
    seen = samples(cluster, namespace="shop", service="cart-service", part="total")
    assert seen == {"kn_ahead_start_up_seconds_count": 1, "kn_ahead_start_up_seconds_sum": 20}


def cold(cluster: Cluster) -> float:
    seen = samples(cluster, namespace="shop", service="cart-service")
    return seen.get("kn_ahead_cold_requests_total", 0.0)


def reports(cluster: Cluster, requests: float, *, concurrency: float = 1.0) -> None:
    cluster.seat.statistics.record([ActivatorStat(KEY, concurrency, requests, 0)])


def test_requests_that_find_no_ready_pod_are_cold() -> None:
    cluster = Cluster()
    cluster.has_revision(active="False", ready=0)
    reports(cluster, 1.0)  # an activator's first word
    reports(cluster, 4.0)  # five came in that second, one of them was told
    assert cold(cluster) == 5
    cluster.has(a_pod())
    reports(cluster, 7.0)
    assert cold(cluster) == 5


def test_requests_that_find_a_pod_which_is_not_ready_are_cold() -> None:
    cluster = Cluster()
    cluster.has_revision(ready=0, asked=1)
    cluster.has(a_pod(ready=False))
    reports(cluster, 3.0)
    assert cold(cluster) == 3


@pytest.mark.parametrize("absurd", [-5.0, float("nan"), float("inf"), 1e300])
def test_an_activator_that_lies_does_not_spoil_the_count(absurd: float) -> None:
    cluster = Cluster()
    cluster.has_revision(active="False", ready=0)
    reports(cluster, 2.0)
    reports(cluster, absurd)
    assert cold(cluster) == 2


def test_the_mean_in_flight_stands_beside_the_crest() -> None:
    cluster = Cluster()
    cluster.has_revision()
    cluster.seat.decide()
    cluster.clock.advance(10.0)
    cluster.hears(KEY, concurrency=6.0, seconds=5)  # the last five, three still open
    cluster.seat.decide()
    seen = samples(cluster, namespace="shop", service="cart-service")
    assert seen["kn_ahead_peak_in_flight"] == 6.0
    assert seen["kn_ahead_in_flight"] == pytest.approx(6.0 * 2 / 10)


# --- many, and at once ----------------------------------------------------------------------------


def test_a_scrape_in_another_thread_never_fails_while_the_fleet_changes() -> None:
    cluster = Cluster()
    failed: list[Exception] = []
    done = threading.Event()

    def scrape() -> None:
        while not done.is_set():
            try:
                for family in cluster.seat.gauges.collect():
                    assert np.isfinite([s.value for s in family.samples]).all()
                list(cluster.seat.meter.items())
            except Exception as error:
                failed.append(error)
                return

    thread = threading.Thread(target=scrape)
    thread.start()
    for i in range(150):
        name = f"cart-{i}"
        cluster.seat.meter.count_cold(f"shop/{name}", 1.0)
        cluster.has_revision(name)
        cluster.seat.gauges.scraped(f"shop/{name}", 0.01)
        cluster.seat.decide()
        if i % 2:
            cluster.api.objects.clear()
            cluster.seat.saw_podautoscaler(f"shop/cart-{i - 1}", None)
            cluster.seat.saw_pod(f"shop/cart-{i - 1}-0", None)
    done.set()
    thread.join()
    assert failed == []
