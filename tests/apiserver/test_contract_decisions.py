"""What is decided from statistics, and when the last pod goes, on a real API server."""

import time
from functools import partial
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from knative.objects import AUTOSCALING, kubernetes_time
from knative.wire import Stat, WireStatMessage, WireStatMessages
from tests.apiserver.conftest import QUICK, Objects, SeatProcess, StartSeat
from tests.apiserver.plane import wait_until
from tests.apiserver.standins import Activator, World
from tests.apiserver.versions import Versions

PREFIX = "autoscaling.knative.dev"
TICK_S = 3.0  # a tick and a bit
WINDOW_S = 6.0
ONE_POD = {f"{PREFIX}/min-scale": "1", f"{PREFIX}/max-scale": "1"}


def gauge(seat: SeatProcess, name: str, key: str) -> float | None:
    """A revision's gauge by the name that Knative gives it; None = there is no sample."""
    for family in text_string_to_metric_families(seat.metrics()):
        for sample in family.samples:
            labels = sample.labels
            place = f"{labels.get('k8s_namespace_name')}/{labels.get('kn_revision_name')}"
            if sample.name == f"kn_revision_{name}" and place == key:
                return float(sample.value)
    return None


def wait_for(seat: SeatProcess, name: str, key: str, value: float, *, off: float = 0.0) -> None:
    """Wait until a gauge shows a value, or one that is no more than so much off."""
    seen: list[float | None] = []

    def shows() -> bool:
        seen.append(gauge(seat, name, key))
        return seen[-1] is not None and abs(seen[-1] - value) <= off

    try:
        wait_until(shows, 15, f"{name} of {key} is {value}", every_s=0.25)
    except AssertionError as error:
        raise AssertionError(f"{error}; was {seen}") from error


def mode(cluster: Objects, name: str) -> str:
    """Of its ServerlessService."""
    return str((cluster.sks(name) or {"spec": {}})["spec"].get("mode"))


def serves(cluster: Objects, name: str, wanted: str, activators: int) -> bool:
    """Whether a ServerlessService has a mode and a number of activators."""
    spec = (cluster.sks(name) or {"spec": {}})["spec"]
    return (spec.get("mode"), spec.get("numActivators")) == (wanted, activators)


def is_set_up(cluster: Objects, name: str) -> bool:
    """Whether a ServerlessService has its Services."""
    return "status" in (cluster.sks(name) or {})


def asks_for(cluster: Objects, name: str, pods: int) -> bool:
    """Whether a Deployment asks for so many pods."""
    return cluster.replicas(name) == pods


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
    conditions = [{"type": k, "lastTransitionTime": since} | v for k, v in told.items()]
    status: dict[str, Any] = {
        "conditions": conditions,
        "serviceName": name,
        "metricsServiceName": f"{name}-private",
        "desiredScale": 0,
        "actualScale": 0,
        "observedGeneration": 1,
    }
    cluster.custom.patch_namespaced_custom_object_status(
        AUTOSCALING.split("/")[2],
        "v1alpha1",
        cluster.namespace,
        "podautoscalers",
        name,
        {"status": status},
    )


def test_no_decision_is_a_third_state(
    cluster: Objects, start_seat: StartSeat, world: World
) -> None:
    """Without a statistic nothing is scaled and desiredScale stays; the activator stays as well."""
    name = "still-00001"
    key = f"{cluster.namespace}/{name}"
    world.loads[key].answer = "refuse"
    # With this one the activator leaves the path as soon as a pod is wanted.
    cluster.revision(name, pods=3, annotations={f"{PREFIX}/target-burst-capacity": "0"})
    seat = start_seat()
    wait_until(lambda: cluster.initialized(name), 30, "initialized")
    time.sleep(TICK_S)
    assert cluster.pa(name)["status"]["desiredScale"] == -1
    assert (cluster.replicas(name), mode(cluster, name)) == (3, "Proxy")

    world.loads[key].answer, world.loads[key].in_flight = "stat", 1.0
    wait_until(lambda: cluster.replicas(name) == 1, 30, "one pod")
    wait_until(lambda: mode(cluster, name) == "Serve", 30, "served")
    wait_until(lambda: cluster.pa(name)["status"]["desiredScale"] == 1, 30, "told")
    seat.stop()
    world.loads[key].answer = "refuse"
    start_seat()
    wait_until(lambda: mode(cluster, name) == "Proxy", 30, "proxied")
    time.sleep(TICK_S)
    assert cluster.pa(name)["status"]["desiredScale"] == 1
    assert cluster.condition(name, "Active")["status"] == "True"
    assert cluster.replicas(name) == 1


def test_spare_room_counts_what_pods_take_and_only_those_that_are_ready(
    cluster: Objects, seat: SeatProcess, activator: Activator, world: World
) -> None:
    """Excess burst capacity and activators follow the limit, not the target, of ready pods."""
    cluster.configure("config-autoscaler", QUICK | {"activator-capacity": "5"})
    three = {f"{PREFIX}/min-scale": "3", f"{PREFIX}/max-scale": "3"}
    # name -> TBC, demand, excess burst capacity, mode, activators; three pods of ten requests each
    cases = {
        "room-00001": ("20", 5.0, 5, "Serve", 10),  # by the target of seven it would be -4
        "full-00001": ("20", 11.0, -1, "Proxy", 10),
        "never-00001": ("-1", 5.0, -1, "Proxy", 6),
        "only-zero-00001": ("0", 90.0, 0, "Serve", 2),
        "cold-00001": ("20", 1.0, -21, "Proxy", 4),  # no pod is ready: one would have room for 10
    }
    space = cluster.namespace
    world.kubelet.start_up_s[f"{space}/cold-00001"] = 1000.0
    for name, (burst, demand, *_) in cases.items():
        world.loads[f"{space}/{name}"].in_flight = demand / 3
        said = three | {f"{PREFIX}/target-burst-capacity": burst}
        cluster.revision(name, pods=3, concurrency=10, annotations=said)
    activator.in_flight[f"{space}/cold-00001"] = 1.0
    for name, (_, _, spare, wanted, number) in cases.items():
        key = f"{space}/{name}"
        wait_for(seat, "capacity_excess", key, spare)
        wait_until(partial(serves, cluster, name, wanted, number), 5, f"{name}: {wanted}, {number}")


def test_panic_counts_pods_rounded_up_and_holds_for_a_stable_window(
    cluster: Objects, seat: SeatProcess, activator: Activator
) -> None:
    """Eight requests for pods of seven are twice one pod; after panic no pod goes for a window."""
    name = "rush-00001"
    key = cluster.revision(name, annotations={f"{PREFIX}/target": "10"})
    wait_until(lambda: cluster.initialized(name), 30, "initialized")
    activator.in_flight[key] = 8.0
    wait_until(lambda: cluster.replicas(name) == 2, 30, "two pods")
    wait_for(seat, "panic_mode", key, 1)
    activator.in_flight[key] = 1.0
    held_s = wait_until(lambda: cluster.replicas(name) == 1, 30, "one pod")
    assert WINDOW_S - 1 < held_s < WINDOW_S + 5
    assert gauge(seat, "panic_mode", key) == 0


def test_requests_are_counted_once_whoever_tells_of_them(
    cluster: Objects, seat: SeatProcess, activator: Activator, world: World
) -> None:
    """What passed the activator is told by it, and taken off what queue-proxies tell."""
    space = cluster.namespace
    busy, fast = f"{space}/busy-00001", f"{space}/fast-00001"
    for key in (busy, fast):
        load = world.loads[key]
        load.in_flight, load.requests, load.proxied = 20.0, 23.0, 15.0
    cluster.revision("busy-00001", annotations=ONE_POD)
    cluster.revision("fast-00001", annotations=ONE_POD | {f"{PREFIX}/metric": "rps"})
    second = Activator(seat.stats_port)
    task = world.spawn(second.keep_connected())
    try:
        for each in (activator, second):
            each.in_flight.update({busy: 15.0, fast: 15.0})
        time.sleep(WINDOW_S + 1)
        # One of the six seconds has not yet heard of all of them.
        wait_for(seat, "concurrency_stable", busy, 5 + 15 + 15, off=6)
        wait_for(seat, "rps_stable_per_second", fast, 8 + 15 + 15, off=6)
    finally:
        task.cancel()


def test_an_activators_statistic_is_taken_whole_and_in_its_second(
    cluster: Objects, seat: SeatProcess, activator: Activator, world: World
) -> None:
    """Nothing is taken off it; what is older than the window is dropped."""
    space = cluster.namespace
    told, late = f"{space}/told-00001", f"{space}/late-00001"
    for name in ("told-00001", "late-00001"):
        cluster.revision(name, annotations=ONE_POD)
    for key in (told, late):
        wait_for(seat, "concurrency_stable", key, 0)
    now = int(time.time())  # noqa: TID251
    world.run(activator.socket.send(frame(late, 1e6, second=now - 60)))
    world.run(activator.socket.send(frame(told, 60.0, proxied=60.0, second=now - 1)))
    wait_for(seat, "concurrency_stable", told, 35, off=30)
    assert gauge(seat, "concurrency_stable", late) == 0


def frame(key: str, in_flight: float, *, proxied: float = 0.0, second: int = 0) -> bytes:
    namespace, _, name = key.partition("/")
    stat = Stat(
        pod_name="activator",
        average_concurrent_requests=in_flight,
        average_proxied_concurrent_requests=proxied,
        timestamp=second,
    )
    message = WireStatMessage(namespace=namespace, name=name, stat=stat)
    return bytes(WireStatMessages(messages=[message]).SerializeToString())


def test_an_idle_revision_is_left_as_it_is_when_the_autoscaler_restarts(
    cluster: Objects, start_seat: StartSeat, world: World
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
    first = start_seat()
    wait_until(lambda: all(is_set_up(cluster, name) for name in names), 30, "set up")
    time.sleep(TICK_S)
    first.stop()
    former = {name: (cluster.pa(name), cluster.sks(name)) for name in names}

    second = start_seat()
    idle, burst_only = (f"{cluster.namespace}/{name}" for name in names)
    wait_for(second, "pods_desired", burst_only, 0)
    time.sleep(1)  # for what it would write
    assert gauge(second, "pods_desired", idle) is None
    assert {name: (cluster.pa(name), cluster.sks(name)) for name in names} == former
    for name in names:
        cluster.annotate(name, min_scale="2")
    wait_until(lambda: cluster.replicas("burst-00001") == 2, 30, "min-scale")
    time.sleep(1)  # the same tick decides for both
    assert cluster.replicas("idle-00001") == 0
    activator = Activator(second.stats_port)
    task = world.spawn(activator.keep_connected())
    wait_until(lambda: activator.socket is not None, 30, "a socket")
    world.run(activator.send({idle: (0.0, 0.0)}))
    wait_until(lambda: cluster.replicas("idle-00001") == 2, 30, "min-scale")
    task.cancel()


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
        wait_until(lambda: cluster.initialized("gone-00001"), 30, "initialized")
        wait_until(lambda: cluster.replicas("gone-00001") == 3, 30, "three pods")
        wait_until(lambda: cluster.replicas("there-00001") == 3, 30, "three pods")
        activator.in_flight.clear()
        wait_until(
            lambda: cluster.condition("gone-00001", "Active")["status"] == "False", 30, "inactive"
        )
        key = f"{cluster.namespace}/gone-00001"
        wait_until(lambda: len(world.services.callers(key)) >= 3, 30, "three probes")
        assert cluster.replicas("gone-00001") >= 1
    finally:
        world.services.answers = True
    for name in ("gone-00001", "steep-00001"):
        wait_until(partial(asks_for, cluster, name, 0), 30, "zero")
    versions.stop()
    assert versions.pods("there-00001") == [4, 3]
    # Four pods that are there at once are panic for a window: as long as it has to be active.
    assert versions.pods("steep-00001") in ([4, 1, 0], [4, 0])


def test_bounds_hold_whatever_is_measured(
    cluster: Objects, seat: SeatProcess, activator: Activator, world: World
) -> None:
    """min-scale, max-scale, initial-scale before any statistic, activation-scale from zero."""
    space = cluster.namespace
    cluster.revision("woken-00001", pods=0, annotations={f"{PREFIX}/activation-scale": "3"})
    went_to_zero_long_ago(cluster, "woken-00001")
    cluster.revision("first-00001", annotations={f"{PREFIX}/initial-scale": "3"})
    world.loads[f"{space}/first-00001"].answer = "refuse"
    world.kubelet.start_up_s[f"{space}/first-00001"] = 1.0
    world.loads[f"{space}/capped-00001"].in_flight = 1000.0
    cluster.revision("capped-00001", annotations={f"{PREFIX}/max-scale": "2"})
    cluster.revision("floor-00001", annotations={f"{PREFIX}/min-scale": "2"})

    wait_until(lambda: cluster.replicas("first-00001") == 3, 30, "initial-scale")
    assert not cluster.initialized("first-00001")
    wait_until(lambda: cluster.replicas("floor-00001") == 2, 30, "min-scale")
    wait_until(lambda: cluster.replicas("capped-00001") == 2, 30, "max-scale")
    wait_until(lambda: is_set_up(cluster, "woken-00001"), 30, "set up")
    world.run(activator.poke(f"{space}/woken-00001"))
    wait_until(lambda: cluster.replicas("woken-00001") == 3, 30, "activation-scale")
    wait_until(lambda: cluster.initialized("first-00001"), 30, "initialized")
    ready = [p for p in cluster.core.list_namespaced_pod(space).items if is_ready(p, "first-00001")]
    assert len(ready) == 3
    world.loads[f"{space}/first-00001"].answer = "stat"
    wait_until(lambda: cluster.replicas("first-00001") == 1, 30, "only at first")
    assert cluster.replicas("capped-00001") == cluster.replicas("floor-00001") == 2


def is_ready(pod: Any, revision: str) -> bool:
    ready = any(c.type == "Ready" and c.status == "True" for c in pod.status.conditions or [])
    return ready and pod.metadata.labels["serving.knative.dev/revision"] == revision
