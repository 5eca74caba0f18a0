"""Events as a real API server takes them, under the rights that our manifest gives."""

from pathlib import Path
from typing import Any

from learner.bundle import save_bundle
from tests.apiserver.conftest import SYSTEM, Objects, StartSeat
from tests.apiserver.plane import wait_until
from tests.apiserver.standins import Activator, World
from tests.knative.conftest import a_bundle

POD = {"POD_NAME": "autoscaler-0", "POD_UID": "8f7a9a52-0000-4000-8000-000000000001"}


def events(cluster: Objects, namespace: str, uid: str) -> dict[str, Any]:
    """What `kubectl describe` shows of an object, by reason."""
    selector = f"involvedObject.uid={uid}"
    found = cluster.core.list_namespaced_event(namespace, field_selector=selector)
    return {event.reason: event for event in found.items}


def test_a_change_of_pods_is_an_event_of_its_podautoscaler(
    cluster: Objects, start_seat: StartSeat, world: World
) -> None:
    seat = start_seat()
    key = cluster.revision("cart-00001")
    wait_until(lambda: cluster.initialized("cart-00001"), 30, "the revision to be set up")
    activator = Activator(seat.stats_port)
    task = world.spawn(activator.keep_connected())
    uid = cluster.pa("cart-00001")["metadata"]["uid"]

    def scaled() -> Any:
        world.run(activator.send({key: (350.0, 350.0)}))
        return events(cluster, cluster.namespace, uid).get("Scaled")

    wait_until(lambda: activator.connections == 1, 30, "the activator")
    wait_until(scaled, 30, "the event")
    task.cancel()
    event = events(cluster, cluster.namespace, uid)["Scaled"]
    assert (event.type, event.source.component) == ("Normal", "kn-ahead")
    assert " pods: panicking, as demand " in event.message
    assert event.involved_object.kind == "PodAutoscaler"
    assert 'kn_ahead_events_total{outcome="failed"} 0.0' in seat.metrics()


def test_forecasts_that_are_gone_are_an_event_of_our_pod(
    cluster: Objects, start_seat: StartSeat, tmp_path: Path
) -> None:
    path = tmp_path / "forecasts.npz"
    seat = start_seat(f"--bundle={path}", **POD)

    def told() -> dict[str, Any]:
        return events(cluster, SYSTEM, POD["POD_UID"])

    wait_until(lambda: "ForecastsGone" in told(), 30, "the event")
    assert told()["ForecastsGone"].type == "Warning"
    assert 'kn_ahead_degraded{part="forecasts"} 1.0' in seat.metrics()
    save_bundle(a_bundle(9.0), path)
    wait_until(lambda: "ended at" in str(seat.get("/readyz")["detail"]), 30, "the stale bundle")
