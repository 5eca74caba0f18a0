"""One revision is wrong in any way (its pods, its annotations, its objects): no other notices."""

import time
from collections.abc import Iterator
from threading import Event, Thread
from typing import Any

import pytest

from tests.apiserver.conftest import AUTOSCALING, NETWORKING, Objects, SeatProcess
from tests.apiserver.history import Scales
from tests.apiserver.plane import wait_until
from tests.apiserver.standins import Activator, World

LOADED = 1.75  # requests in flight: three pods of 0.7 each, however reports fall into seconds
SMALL = {"autoscaling.knative.dev/target": "1"}  # 0.7 requests a pod


class Neighbour:
    """A revision that does well: its first request has its pod asked for at once."""

    def __init__(self, cluster: Objects, world: World, activator: Activator) -> None:
        self._cluster, self._world, self._activator = cluster, world, activator
        self._key = cluster.asleep("neighbour-00001")

    def assert_served(self) -> None:
        self._world.run(self._activator.poke(self._key))
        woken = wait_until(lambda: self._cluster.replicas("neighbour-00001") == 1, 30, "woken")
        assert woken < 1


@pytest.fixture
def neighbour(cluster: Objects, world: World, activator: Activator) -> Neighbour:
    """Beside whatever goes wrong."""
    return Neighbour(cluster, world, activator)


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


def test_pods_that_tell_nothing_of_use_are_neither_added_nor_taken(
    cluster: Objects, seat: SeatProcess, neighbour: Neighbour, world: World, scales: Scales
) -> None:
    """No data is no decision: what there is when a window has passed stays, and some always is.

    Until then Knative averages over the seconds that are left, of which one may have no answer.
    """
    # Both pods are waited for: of one alone the first average would let the other go.
    two = SMALL | {"autoscaling.knative.dev/initial-scale": "2"}
    keys = {says: cluster.revision(f"{says}-00001", pods=2, annotations=two) for says in SAYS}
    for key in keys.values():
        world.loads[key].in_flight = 0.6  # of 0.7 that a pod takes
    for says in SAYS:
        wait_until(lambda says=says: actual(cluster, f"{says}-00001") == 2, 30, "two pods")  # type: ignore[misc]
    time.sleep(4)  # two ticks
    asked = {}
    for says, key in keys.items():
        assert cluster.replicas(f"{says}-00001") == 2
        scales.forget(key)
        answer, load = SAYS[says], world.loads[key]
        asked[key] = load.asked
        if isinstance(answer, str):
            load.answer = answer
        else:
            load.in_flight = answer
    neighbour.assert_served()
    time.sleep(8)  # more than a window: nothing is known any more
    held = {key: scales.of(key)[-1] for key in keys.values()}
    time.sleep(4)
    for key in keys.values():
        assert world.loads[key].asked > asked[key]
        assert scales.of(key)[-1] == held[key]
        assert 1 <= scales.least(key) <= max(scales.of(key)) <= 2, key
        world.loads[key].in_flight, world.loads[key].answer = 0.0, "stat"
    for says in SAYS:
        wait_until(lambda says=says: cluster.replicas(f"{says}-00001") == 0, 60, "zero")  # type: ignore[misc]


def actual(cluster: Objects, name: str) -> int:
    return int(cluster.pa(name).get("status", {}).get("actualScale", -1))


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
    cluster: Objects, seat: SeatProcess, neighbour: Neighbour, activator: Activator, world: World
) -> None:
    """Knative's webhook refuses most of them; whatever comes through counts as not set."""
    said = {f"autoscaling.knative.dev/{k}": v for k, v in NONSENSE.items()}
    said |= {"kn-ahead.dev/mode": "sideways", "kn-ahead.dev/cold-price": "free"}
    key = cluster.revision("nonsense-00001", annotations=said)
    wait_until(lambda: cluster.initialized("nonsense-00001"), 30, "initialized")
    neighbour.assert_served()
    wait_until(lambda: cluster.replicas("nonsense-00001") == 0, 40, "zero")
    world.run(activator.poke(key))
    wait_until(lambda: cluster.replicas("nonsense-00001") == 1, 30, "woken")
    assert "Traceback" not in seat.log


def test_a_serverlessservice_of_somebody_else_is_left_alone(
    cluster: Objects, seat: SeatProcess, neighbour: Neighbour
) -> None:
    spec = {"mode": "Serve", "protocolType": "http1", "objectRef": {"name": "theirs"}}
    meta = {"name": "cart-00001"}
    body = {"apiVersion": f"{NETWORKING}/v1alpha1", "kind": "ServerlessService", "metadata": meta}
    cluster._create("serverlessservices", NETWORKING, body | {"spec": spec})
    key = cluster.revision("cart-00001", pods=2)
    wait_until(lambda: cluster.condition("cart-00001", "Ready").get("reason") == "NotOwned", 30, "")
    neighbour.assert_served()
    theirs = cluster.sks("cart-00001")
    assert theirs is not None
    assert theirs["spec"] == spec
    assert cluster.replicas("cart-00001") == 2
    assert f"{key}: ServerlessService" in seat.log
    assert 'part="writes"} 1.0' in seat.metrics()
    cluster.custom.delete_namespaced_custom_object(
        NETWORKING, "v1alpha1", cluster.namespace, "serverlessservices", "cart-00001"
    )
    wait_until(lambda: cluster.initialized("cart-00001"), 40, "its own")
    wait_until(lambda: 'part="writes"} 0.0' in seat.metrics(), 30, "well again")


def test_a_deployment_that_is_taken_away_is_scaled_when_it_is_back(
    cluster: Objects, seat: SeatProcess, neighbour: Neighbour, activator: Activator
) -> None:
    key = cluster.revision("cart-00001", annotations=SMALL)
    activator.in_flight[key] = LOADED
    wait_until(lambda: cluster.replicas("cart-00001") == 3, 30, "three pods")
    made = cluster.apps.read_namespaced_deployment("cart-00001-deployment", cluster.namespace)
    cluster.apps.delete_namespaced_deployment("cart-00001-deployment", cluster.namespace)
    neighbour.assert_served()
    spec = cluster.api.sanitize_for_serialization(made.spec) | {"replicas": 1}
    labels = {"name": "cart-00001-deployment", "labels": made.metadata.labels}
    body = {"metadata": labels, "spec": spec}
    cluster.apps.create_namespaced_deployment(cluster.namespace, body)
    wait_until(lambda: cluster.replicas("cart-00001") == 3, 30, "three pods again")
    assert "Traceback" not in seat.log


def test_a_podautoscaler_made_anew_under_its_name_begins_anew(
    cluster: Objects, seat: SeatProcess, neighbour: Neighbour, activator: Activator
) -> None:
    """While we act for it, again and again: the last one has all that is its own."""
    key = cluster.revision("cart-00001", annotations=SMALL)
    for pods in (1, 2, 3):
        activator.in_flight[key] = 0.6 * pods
        time.sleep(1)
        former = cluster.pa("cart-00001")
        cluster.custom.delete_namespaced_custom_object(
            AUTOSCALING, "v1alpha1", cluster.namespace, "podautoscalers", "cart-00001"
        )
        meta = {k: former["metadata"][k] for k in ("name", "labels", "annotations")}
        body = {k: former[k] for k in ("apiVersion", "kind", "spec")} | {"metadata": meta}
        cluster._create("podautoscalers", AUTOSCALING, body)
    activator.in_flight[key] = LOADED
    wait_until(lambda: is_its_own(cluster, "cart-00001"), 60, "its ServerlessService")
    wait_until(lambda: cluster.initialized("cart-00001"), 30, "initialized")
    wait_until(lambda: cluster.replicas("cart-00001") == 3, 30, "three pods")
    wait_until(lambda: actual(cluster, "cart-00001") == 3, 30, "their word")
    assert is_its_own(cluster, "cart-00001")
    neighbour.assert_served()


def is_its_own(cluster: Objects, name: str) -> bool:
    """Whether the ServerlessService belongs to the PodAutoscaler that there is."""
    sks = cluster.sks(name)
    owners = sks["metadata"].get("ownerReferences", []) if sks else []
    return [owner["uid"] for owner in owners] == [cluster.pa(name)["metadata"]["uid"]]


@pytest.fixture
def crossed(cluster: Objects, seat: SeatProcess) -> Iterator[Event]:
    """Others write the same PodAutoscaler all the time, until the event is set."""
    end = Event()

    def write(number: int) -> None:
        marks: dict[str, Any] = {"labels": {f"writer-{number}": "0"}}
        for count in range(100_000):
            if end.is_set():
                return
            marks["labels"][f"writer-{number}"] = str(count)
            cluster.patch_pa("cart-00001", {"metadata": marks})

    cluster.asleep("cart-00001")
    writers = [Thread(target=write, args=(n,), daemon=True) for n in range(4)]
    for writer in writers:
        writer.start()
    yield end
    end.set()
    for writer in writers:
        writer.join()


def test_a_podautoscaler_that_others_write_all_the_time_goes_its_way(
    cluster: Objects, seat: SeatProcess, crossed: Event, activator: Activator, world: World
) -> None:
    """What cannot be written because others do (409) is written again."""
    world.run(activator.poke(f"{cluster.namespace}/cart-00001"))
    woken = wait_until(lambda: cluster.replicas("cart-00001") == 1, 30, "woken")
    assert woken < 1
    crossed.set()
    wait_until(lambda: cluster.condition("cart-00001", "Active").get("status") == "True", 30, "up")
