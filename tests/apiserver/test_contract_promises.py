"""The promises, on a real API server: never below demand, say why, shadow first.

As laws over random fleets they are in tests/autoscaler/core; what becomes of them when forecasts
go, end or are damaged is in tests/apiserver/test_faults_*.py.
"""

from pathlib import Path
from typing import Any

from autoscaler.bundle.file import save_bundle
from tests.apiserver.activator import Activator
from tests.apiserver.conftest import StartAdvisor, StartController
from tests.apiserver.forecasting import a_bundle
from tests.apiserver.objects import PREFIX, SYSTEM, Objects
from tests.apiserver.plane import wait_until
from tests.apiserver.processes import Advisor, Controller
from tests.apiserver.standins import World
from tests.apiserver.versions import Versions

FORECAST = 25.0  # requests in flight: three pods of ten
WRITTEN = 'kn_ahead_events_total{outcome="written"}'
POD = {"POD_NAME": "autoscaler-0", "POD_UID": "8f7a9a52-0000-4000-8000-000000000001"}


def of_pa(cluster: Objects, name: str) -> dict[str, Any]:
    """The Events of a PodAutoscaler, by reason."""
    return cluster.events(cluster.namespace, cluster.pa(name)["metadata"]["uid"])


def decided(advisor: Advisor, space: str, service: str) -> dict[str, Any]:
    """The decision for the only revision of a service, as people read it; {} = none yet."""
    answer = advisor.get(f"/v1/decisions/{space}/{service}") or {}
    (decision,) = answer.get("revisions") or [{}]
    return dict(decision)


def test_a_forecast_adds_pods_says_why_and_never_takes_one_below_knatives_own_answer(
    cluster: Objects,
    start_controller: StartController,
    start_advisor: StartAdvisor,
    world: World,
    tmp_path: Path,
) -> None:
    """Of two with one forecast and one load, that in shadow does as Knative alone would."""
    space, bundle = cluster.namespace, tmp_path / "forecasts.npz"
    save_bundle(a_bundle([f"{space}/ahead", f"{space}/shadow"], FORECAST), bundle)
    ahead, shadow = "ahead-00001", "shadow-00001"
    cluster.revision(ahead, concurrency=10, annotations={"kn-ahead.dev/mode": "outward"})
    cluster.revision(shadow, concurrency=10)
    versions = Versions(world, space)
    advisor = start_advisor(start_controller(), f"--bundle={bundle}")

    cluster.wait_for_pods(ahead, 3)
    wait_until(lambda: decided(advisor, space, "ahead").get("reason") == "FORECAST", 20, "why")
    why = decided(advisor, space, "ahead")["sentence"]
    assert "the forecast finds 3 pods worth having" in why
    wait_until(lambda: "ScaledAhead" in of_pa(cluster, ahead), 40, "an event")
    assert "the forecast finds 3 pods worth having" in of_pa(cluster, ahead)["ScaledAhead"].message
    assert 'reason="FORECAST"' in advisor.metrics()
    cluster.wait_for_pods(shadow, 0)
    assert max(versions.pods(shadow)) == 1
    silent = decided(advisor, space, "shadow")["sentence"]
    assert "the forecast would have 3 pods" in silent
    assert cluster.replicas(ahead) == 3

    cluster.annotate(shadow, min_scale="1")
    cluster.wait_for_pods(shadow, 1)
    # From here on queue-proxies report so much that Knative alone wants more than is forecast.
    for name, pods in ((ahead, 3), (shadow, 1)):
        world.loads[f"{space}/{name}"].in_flight = 60.0 / pods
    for name in (ahead, shadow):
        wait_until(lambda n=name: cluster.replicas(n) >= 9, 40, "as many as Knative alone")  # type: ignore[misc]
    versions.stop()


def test_a_bill_that_has_the_last_word_is_an_event_told_once(
    cluster: Objects,
    start_controller: StartController,
    start_advisor: StartAdvisor,
    tmp_path: Path,
) -> None:
    space, bundle = cluster.namespace, tmp_path / "forecasts.npz"
    save_bundle(a_bundle([f"{space}/cart"], FORECAST), bundle)
    bill = {"kn-ahead.dev/max-extra": "1%", "kn-ahead.dev/extra-allowance": "10s"}
    cluster.revision(
        "cart-00001", concurrency=10, annotations={"kn-ahead.dev/mode": "outward", **bill}
    )
    advisor = start_advisor(start_controller(), f"--bundle={bundle}")
    wait_until(lambda: "BillReached" in of_pa(cluster, "cart-00001"), 40, "the event")
    event = of_pa(cluster, "cart-00001")["BillReached"]
    assert (event.type, event.involved_object.kind) == ("Warning", "PodAutoscaler")
    assert "the bill allows 0 of 3 pods ahead: 1 % of pods that Knative wants" in event.message
    first = decided(advisor, space, "cart")["decided_at"]
    wait_until(lambda: decided(advisor, space, "cart")["decided_at"] > first, 20, "another tick")
    assert decided(advisor, space, "cart")["reason"] == "BILL"
    told = cluster.core.list_namespaced_event(space, field_selector="reason=BillReached").items
    assert [one.count for one in told] == [1]


def test_a_change_of_pods_is_an_event_of_its_podautoscaler_and_shown_to_whoever_asks(
    cluster: Objects,
    controller: Controller,
    start_advisor: StartAdvisor,
    activator: Activator,
) -> None:
    advisor = start_advisor(controller)
    key = cluster.revision("cart-00001", annotations={f"{PREFIX}/target": "70"})
    wait_until(lambda: cluster.initialized("cart-00001"), 40, "the revision to be set up")
    activator.in_flight[key] = 350.0
    wait_until(lambda: "Scaled" in of_pa(cluster, "cart-00001"), 40, "the event")
    event = of_pa(cluster, "cart-00001")["Scaled"]
    assert (event.type, event.source.component) == ("Normal", "kn-ahead")
    assert " pods: panicking, as demand " in event.message
    assert event.involved_object.kind == "PodAutoscaler"
    metrics = advisor.metrics()
    assert 'kn_ahead_events_total{outcome="failed"} 0' in metrics
    space = cluster.namespace
    labels = f'namespace="{space}",revision="cart-00001",service="cart"'
    pods = cluster.replicas("cart-00001")
    wait_until(lambda: decided(advisor, space, "cart").get("desired_scale") == pods, 20, "shown")
    assert f"kn_ahead_desired_pods{{{labels}}} {pods}" in advisor.metrics()


def test_forecasts_that_are_gone_are_an_event_of_our_pod(
    cluster: Objects, controller: Controller, start_advisor: StartAdvisor, tmp_path: Path
) -> None:
    path = tmp_path / "forecasts.npz"
    advisor = start_advisor(controller, f"--bundle={path}", **POD)

    def told() -> dict[str, Any]:
        return cluster.events(SYSTEM, POD["POD_UID"])

    wait_until(lambda: "ForecastsGone" in told(), 40, "the event")
    assert told()["ForecastsGone"].type == "Warning"
    assert advisor.degraded("forecasts")
    save_bundle(a_bundle(["shop/cart"], 9.0, age_s=7200.0), path)
    wait_until(lambda: any("ended at" in why for why in advisor.ails()), 40, "the stale bundle")
    save_bundle(a_bundle(["shop/cart"], 9.0), path)
    wait_until(lambda: "ForecastsBack" in told(), 40, "the event")
    assert not advisor.degraded("forecasts")
