"""Bounds, what holds them, and what is not decided at all, on a real API server."""

from functools import partial
from typing import Any

from knative.mirror.fields import kubernetes_time
from tests.apiserver.activator import Activator, connected
from tests.apiserver.conftest import StartController
from tests.apiserver.objects import AUTOSCALING, PREFIX, Objects
from tests.apiserver.plane import wait_until
from tests.apiserver.processes import Controller
from tests.apiserver.standins import World
from tests.apiserver.versions import Versions


def went_to_zero_long_ago(cluster: Objects, name: str) -> None:
    """Leave a revision in the state that an idle one is in for days."""
    since = kubernetes_time(1_700_000_000.0)
    idle = {"reason": "NoTraffic", "message": "The target is not receiving traffic."}
    told: dict[str, dict[str, str]] = {
        "Active": {"status": "False"} | idle,
        "Ready": {"status": "False"} | idle,
        "SKSReady": {"status": "Unknown", "reason": "NotReady"},
        "ScaleTargetInitialized": {"status": "True"},
    }
    status: dict[str, Any] = {
        "conditions": [{"type": k, "lastTransitionTime": since} | v for k, v in told.items()],
        "serviceName": name,
        "metricsServiceName": f"{name}-private",
        "desiredScale": 0,
        "actualScale": 0,
        "observedGeneration": 1,
    }
    cluster.custom.patch_namespaced_custom_object_status(
        AUTOSCALING, "v1alpha1", cluster.namespace, "podautoscalers", name, {"status": status}
    )


def test_an_idle_revision_is_left_as_it_is_when_the_autoscaler_restarts(
    cluster: Objects, start_controller: StartController, world: World
) -> None:
    """It has no statistic, so nothing is decided, not even its min-scale, until one comes.

    Unless its burst capacity is -1: then nobody is asked, and silence says that nobody is there.
    """
    names = ("idle-00001", "burst-00001")
    burst = {f"{PREFIX}/target-burst-capacity": "-1"}
    cluster.revision("idle-00001", pods=0)
    cluster.revision("burst-00001", pods=0, annotations=burst)
    for name in names:
        went_to_zero_long_ago(cluster, name)
    first = start_controller()
    wait_until(lambda: all(map(cluster.is_set_up, names)), 40, "set up")
    first.wait_for_ticks()
    first.stop()
    former = {name: (cluster.pa(name), cluster.sks(name)) for name in names}

    second = start_controller()
    idle, burst_only = (f"{cluster.namespace}/{name}" for name in names)
    wait_until(lambda: getattr(second.decision(burst_only), "desired", None) == 0, 40, "a decision")
    second.wait_for_ticks()  # for what it would write
    assert second.decision(idle).desired == -1  # type: ignore[union-attr]
    assert {name: (cluster.pa(name), cluster.sks(name)) for name in names} == former
    for name in names:
        cluster.annotate(name, min_scale="2")
    cluster.wait_for_pods("burst-00001", 2)
    second.wait_for_ticks(1)
    assert cluster.replicas("idle-00001") == 0
    with connected(world, second.port) as activator:
        world.run(activator.send({idle: (0.0, 0.0)}))
        cluster.wait_for_pods("idle-00001", 2)


def test_an_unreachable_revision_keeps_nothing_but_its_window_and_the_probe(
    cluster: Objects, world: World, activator: Activator
) -> None:
    """No min-scale, no delay, no rate and no retention; its reachable twin stays."""
    slow = {
        f"{PREFIX}/min-scale": "2",
        f"{PREFIX}/scale-down-delay": "1h",
        f"{PREFIX}/scale-to-zero-pod-retention-period": "1h",
    }
    versions = Versions(world, cluster.namespace)
    world.services.answers = False
    cluster.revision("steep-00001", pods=4, annotations=slow, reachability="Unreachable")
    for name, reach in (("gone-00001", "Unreachable"), ("there-00001", "Reachable")):
        # For three pods; told by the activator, it is the same however many are ready yet.
        activator.in_flight[f"{cluster.namespace}/{name}"] = 200.0
        cluster.revision(name, pods=4, annotations=slow, reachability=reach)
    try:
        wait_until(lambda: cluster.initialized("gone-00001"), 40, "initialized")
        cluster.wait_for_pods("gone-00001", 3)
        cluster.wait_for_pods("there-00001", 3)
        activator.in_flight.clear()
        inactive = partial(cluster.condition, "gone-00001", "Active")
        wait_until(lambda: inactive()["status"] == "False", 40, "inactive")
        key = f"{cluster.namespace}/gone-00001"
        wait_until(lambda: len(world.services.callers(key)) >= 3, 40, "three probes")
        assert cluster.replicas("gone-00001") >= 1
    finally:
        world.services.answers = True
    for name in ("gone-00001", "steep-00001"):
        cluster.wait_for_pods(name, 0)
    versions.stop()
    assert versions.pods("there-00001") == [4, 3]
    # Four pods that are there at once are panic for a window: as long as it has to be active.
    assert versions.pods("steep-00001") in ([4, 1, 0], [4, 0])


def test_bounds_hold_whatever_is_measured(
    cluster: Objects, controller: Controller, activator: Activator, world: World
) -> None:
    """min-scale, max-scale, initial-scale before any statistic, activation-scale from zero."""
    space = cluster.namespace
    cluster.revision("woken-00001", pods=0, annotations={f"{PREFIX}/activation-scale": "3"})
    went_to_zero_long_ago(cluster, "woken-00001")
    first = world.loads[f"{space}/first-00001"]
    first.answer = "refuse"
    world.kubelet.start_up_s[f"{space}/first-00001"] = 1.0
    cluster.revision("first-00001", annotations={f"{PREFIX}/initial-scale": "3"})
    world.loads[f"{space}/capped-00001"].in_flight = 1000.0
    cluster.revision("capped-00001", annotations={f"{PREFIX}/max-scale": "2"})
    cluster.revision("floor-00001", annotations={f"{PREFIX}/min-scale": "2"})

    cluster.wait_for_pods("first-00001", 3)
    assert not cluster.initialized("first-00001") or len(ready(cluster, "first-00001")) == 3
    cluster.wait_for_pods("floor-00001", 2)
    cluster.wait_for_pods("capped-00001", 2)
    wait_until(lambda: cluster.is_set_up("woken-00001"), 40, "set up")
    world.run(activator.poke(f"{space}/woken-00001"))
    cluster.wait_for_pods("woken-00001", 3)
    wait_until(lambda: cluster.initialized("first-00001"), 40, "initialized")
    assert len(ready(cluster, "first-00001")) == 3
    first.answer = "stat"
    cluster.wait_for_pods("first-00001", 1)  # only at first
    assert cluster.replicas("capped-00001") == cluster.replicas("floor-00001") == 2


def ready(cluster: Objects, revision: str) -> list[Any]:
    """Its pods that are."""
    selector = f"serving.knative.dev/revision={revision}"
    pods = cluster.core.list_namespaced_pod(cluster.namespace, label_selector=selector).items
    return [p for p in pods if any(is_ready(c) for c in p.status.conditions or [])]


def is_ready(condition: Any) -> bool:
    return bool(condition.type == "Ready" and condition.status == "True")
