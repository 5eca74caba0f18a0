"""Faults of one revision (pods, annotations, objects) affect no other."""

import time
from collections.abc import Iterator
from threading import Event, Thread
from typing import Any

import pytest

from tests.apiserver.activator import Activator
from tests.apiserver.history import Scales
from tests.apiserver.neighbour import SERVED_S, Neighbour
from tests.apiserver.objects import (
    AUTOSCALING,
    KPA,
    NETWORKING,
    PREFIX,
    Objects,
    deployment_of,
    marks_of,
    podautoscaler_of,
)
from tests.apiserver.plane import wait_until
from tests.apiserver.processes import Controller
from tests.apiserver.standins import World

LOADED = 1.75  # requests in flight: three pods of 0.7 each, however reports fall into seconds
SMALL = {f"{PREFIX}/target": "1"}  # 0.7 requests a pod


SAYS: dict[str, str | float] = {
    "silent": "hang",
    "refusing": "refuse",
    "gone": "gone",
    "garbled": "garbage",
    "nan": float("nan"),
    "negative": -5.0,
    "absurd": 1e300,
    "infinite": float("inf"),
}


def wants_two(controller: Controller, key: str) -> bool:
    """Whether two pods are what Knative's rule wants by itself, of a window in which both told."""
    decision = controller.decision(key)
    return decision is not None and decision.kpa == 2 and decision.stable > 1.1


def test_pods_that_tell_nothing_of_use_are_neither_added_nor_taken(
    cluster: Objects, controller: Controller, neighbour: Neighbour, world: World, scales: Scales
) -> None:
    """No data is no decision: what there is when a window has passed stays, and some always is.

    Until then Knative averages over the seconds that are left, of which one may have no answer.
    """
    # Of one pod alone the average would let the other go: until both tell, a bound keeps them.
    two = {f"{PREFIX}/initial-scale": "2", f"{PREFIX}/min-scale": "2"}
    keys = {
        says: cluster.revision(f"{says}-00001", pods=2, annotations=SMALL | two) for says in SAYS
    }
    for key in keys.values():
        world.loads[key].in_flight = 0.6  # of 0.7 that a pod takes
    for says, key in keys.items():
        wait_until(lambda key=key: wants_two(controller, key), 40, "both to tell")  # type: ignore[misc]
        cluster.annotate(f"{says}-00001", min_scale=None)
    controller.wait_for_ticks()
    asked = {}
    for says, key in keys.items():
        assert cluster.replicas(f"{says}-00001") == 2
        scales.forget(key, 2)
        answer, load = SAYS[says], world.loads[key]
        asked[key] = load.asked
        if isinstance(answer, str):
            load.answer = answer
        else:
            load.in_flight = answer
    neighbour.assert_served()
    controller.wait_for_ticks(4)  # more than a window: nothing is known any more
    held = {key: scales.of(key)[-1] for key in keys.values()}
    controller.wait_for_ticks()
    for key in keys.values():
        assert world.loads[key].asked > asked[key]
        assert scales.of(key)[-1] == held[key]
        assert 1 <= scales.least(key) <= max(scales.of(key)) <= 2, key
        world.loads[key].in_flight, world.loads[key].answer = 0.0, "stat"
    for says in SAYS:
        cluster.wait_for_pods(f"{says}-00001", 0, 60)


NONSENSE = {
    "target": "many",
    "min-scale": "-3",
    "max-scale": "1e9",
    "initial-scale": "NaN",
    "window": "soon",
    "panic-window-percentage": "0",
    "panic-threshold-percentage": "-inf",
    "scale-down-delay": "99999999999999999999h",
    "target-burst-capacity": "x" * 5000,
    "metric-aggregation-algorithm": "guess",
    "target-utilization-percentage": "half",
    "scale-to-zero-pod-retention-period": "-1s",
    "activation-scale": "0x10",
}


def test_annotations_that_make_no_sense_concern_their_revision_alone(
    cluster: Objects,
    controller: Controller,
    neighbour: Neighbour,
    activator: Activator,
    world: World,
) -> None:
    """Knative's webhook refuses most of them; whatever comes through counts as not set."""
    said = {f"{PREFIX}/{k}": v for k, v in NONSENSE.items()}
    said |= {"kn-ahead.dev/mode": "sideways", "kn-ahead.dev/cold-price": "free"}
    key = cluster.revision("nonsense-00001", annotations=said)
    wait_until(lambda: cluster.initialized("nonsense-00001"), 30, "initialized")
    neighbour.assert_served()
    cluster.wait_for_pods("nonsense-00001", 0)
    world.run(activator.poke(key))
    cluster.wait_for_pods("nonsense-00001", 1)
    assert "Traceback" not in controller.log


def test_a_serverlessservice_of_somebody_else_is_left_alone(
    cluster: Objects, controller: Controller, neighbour: Neighbour
) -> None:
    spec = {"mode": "Serve", "protocolType": "http1", "objectRef": {"name": "theirs"}}
    meta = {"name": "cart-00001"}
    body = {"apiVersion": f"{NETWORKING}/v1alpha1", "kind": "ServerlessService", "metadata": meta}
    cluster.create("serverlessservices", NETWORKING, body | {"spec": spec})
    key = cluster.revision("cart-00001", pods=2)
    wait_until(lambda: cluster.condition("cart-00001", "Ready").get("reason") == "NotOwned", 30, "")
    neighbour.assert_served()
    theirs = cluster.sks("cart-00001")
    assert theirs is not None
    assert theirs["spec"] == spec
    assert cluster.replicas("cart-00001") == 2
    said = f"{key}: its ServerlessService is not ours"
    assert said in controller.log
    wait_until(lambda: said in controller.fault("writes"), 20, "shown")
    cluster.delete("serverlessservices", NETWORKING, "cart-00001")
    wait_until(lambda: cluster.initialized("cart-00001"), 60, "its own")
    wait_until(lambda: key not in controller.fault("writes"), 30, "well again")


def test_a_deployment_of_somebody_else_is_not_scaled(
    cluster: Objects, controller: Controller, neighbour: Neighbour, activator: Activator
) -> None:
    """Whoever may make a PodAutoscaler must not be able to scale any Deployment by it."""
    cluster.apps.create_namespaced_deployment(
        cluster.namespace, deployment_of("theirs", {"serving.knative.dev/revision": "theirs"}, 2)
    )
    said = {f"{PREFIX}/class": KPA, f"{PREFIX}/min-scale": "5"}
    meta = {"name": "cart-00001", "labels": marks_of("cart-00001"), "annotations": said}
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "theirs-deployment"}
    body = podautoscaler_of("cart-00001", meta, {"scaleTargetRef": target})
    cluster.create("podautoscalers", AUTOSCALING, body)
    activator.in_flight[f"{cluster.namespace}/cart-00001"] = 500.0
    why = "its scale target theirs-deployment is labelled as of revision 'theirs'"
    wait_until(lambda: why in controller.log, 40, "the refusal to be said")
    controller.wait_for_ticks()
    neighbour.assert_served()
    assert cluster.replicas("theirs") == 2


def test_a_deployment_that_is_taken_away_is_scaled_when_it_is_back(
    cluster: Objects, controller: Controller, neighbour: Neighbour, activator: Activator
) -> None:
    key = cluster.revision("cart-00001", annotations=SMALL)
    activator.in_flight[key] = LOADED
    cluster.wait_for_pods("cart-00001", 3)
    made = cluster.apps.read_namespaced_deployment("cart-00001-deployment", cluster.namespace)
    cluster.apps.delete_namespaced_deployment("cart-00001-deployment", cluster.namespace)
    neighbour.assert_served()
    spec = cluster.api.sanitize_for_serialization(made.spec) | {"replicas": 1}
    labels = {"name": "cart-00001-deployment", "labels": made.metadata.labels}
    body = {"metadata": labels, "spec": spec}
    cluster.apps.create_namespaced_deployment(cluster.namespace, body)
    cluster.wait_for_pods("cart-00001", 3)
    assert "Traceback" not in controller.log


def test_a_podautoscaler_made_anew_under_its_name_begins_anew(
    cluster: Objects, controller: Controller, neighbour: Neighbour, activator: Activator
) -> None:
    """While we act for it, again and again: the last one has all that is its own."""
    key = cluster.revision("cart-00001", annotations=SMALL)
    for pods in (1, 2, 3):
        activator.in_flight[key] = 0.6 * pods
        time.sleep(1)
        former = cluster.pa("cart-00001")
        cluster.delete("podautoscalers", AUTOSCALING, "cart-00001")
        meta = {k: former["metadata"][k] for k in ("name", "labels", "annotations")}
        body = {k: former[k] for k in ("apiVersion", "kind", "spec")} | {"metadata": meta}
        cluster.create("podautoscalers", AUTOSCALING, body)
    activator.in_flight[key] = LOADED
    wait_until(lambda: is_its_own(cluster, "cart-00001"), 60, "its ServerlessService")
    wait_until(lambda: cluster.initialized("cart-00001"), 30, "initialized")
    cluster.wait_for_pods("cart-00001", 3)
    wait_until(lambda: cluster.actual("cart-00001") == 3, 30, "their word")
    assert is_its_own(cluster, "cart-00001")
    neighbour.assert_served()


def is_its_own(cluster: Objects, name: str) -> bool:
    """Whether the ServerlessService belongs to the PodAutoscaler that there is."""
    sks = cluster.sks(name)
    owners = sks["metadata"].get("ownerReferences", []) if sks else []
    return [owner["uid"] for owner in owners] == [cluster.pa(name)["metadata"]["uid"]]


@pytest.fixture
def crossed(cluster: Objects, controller: Controller) -> Iterator[Event]:
    """Others write the same PodAutoscaler all the time, until the event is set."""
    end = Event()

    def write(number: int) -> None:
        marks: dict[str, Any] = {"labels": {f"writer-{number}": "0"}}
        for count in range(100_000):
            if end.is_set():
                return
            marks["labels"][f"writer-{number}"] = str(count)
            cluster.patch_pa("cart-00001", {"metadata": marks})

    cluster.at_zero("cart-00001")
    writers = [Thread(target=write, args=(n,), daemon=True) for n in range(4)]
    for writer in writers:
        writer.start()
    yield end
    end.set()
    for writer in writers:
        writer.join()


def test_a_podautoscaler_that_others_write_all_the_time_goes_its_way(
    cluster: Objects, controller: Controller, crossed: Event, activator: Activator, world: World
) -> None:
    """What cannot be written because others do (409) is written again."""
    world.run(activator.poke(f"{cluster.namespace}/cart-00001"))
    assert cluster.wait_for_pods("cart-00001", 1) < SERVED_S
    crossed.set()
    wait_until(lambda: cluster.is_active("cart-00001"), 40, "up")
