"""What is decided from statistics, on a real API server."""

import math
import time
from functools import partial

from autoscaler.core.prediction.predictive import TICK_S
from tests.apiserver.activator import Activator, connected, frame
from tests.apiserver.conftest import StartController
from tests.apiserver.objects import PREFIX, QUICK, Objects
from tests.apiserver.plane import wait_until
from tests.apiserver.processes import Controller
from tests.apiserver.standins import World

WINDOW_S = 6.0
SPARE = "memory_excess_burst_capacity"
ONE_POD = {f"{PREFIX}/min-scale": "1", f"{PREFIX}/max-scale": "1"}


def wait_for(
    controller: Controller, what: str, key: str, value: float, *, off: float = 0.0
) -> None:
    """Wait until a number of a decision is a value, or no more than so much off."""
    seen: list[float | None] = []

    def shows() -> bool:
        made = controller.decision(key)
        decided = float(getattr(made, what, math.nan))
        seen.append(controller.column(what, key) if what == SPARE else decided)
        return seen[-1] is not None and abs(seen[-1] - value) <= off

    try:
        wait_until(shows, 40, f"{what} of {key} is {value}", every_s=0.25)
    except AssertionError as error:
        raise AssertionError(f"{error}; was {seen}") from error


def test_no_decision_is_a_third_state(
    cluster: Objects, start_controller: StartController, world: World
) -> None:
    """Without a statistic nothing is scaled and desiredScale stays; the activator stays as well."""
    name = "still-00001"
    load = world.loads[f"{cluster.namespace}/{name}"]
    load.answer = "refuse"
    # With this one the activator leaves the path as soon as a pod is wanted.
    cluster.revision(name, pods=3, annotations={f"{PREFIX}/target-burst-capacity": "0"})
    controller = start_controller()
    wait_until(lambda: cluster.initialized(name), 40, "initialized")
    controller.wait_for_ticks()
    assert cluster.pa(name)["status"]["desiredScale"] == -1
    assert (cluster.replicas(name), cluster.serves(name)[0]) == (3, "Proxy")

    load.answer, load.in_flight = "stat", 1.0
    cluster.wait_for_pods(name, 1)
    wait_until(lambda: cluster.serves(name)[0] == "Serve", 40, "served")
    wait_until(lambda: cluster.pa(name)["status"]["desiredScale"] == 1, 40, "told")
    controller.stop()
    load.answer = "refuse"
    restarted = start_controller()
    wait_until(lambda: cluster.serves(name)[0] == "Proxy", 40, "proxied")
    restarted.wait_for_ticks()
    assert cluster.pa(name)["status"]["desiredScale"] == 1
    assert cluster.is_active(name)
    assert cluster.replicas(name) == 1


def test_spare_room_counts_what_pods_take_and_only_those_that_are_ready(
    cluster: Objects, controller: Controller, activator: Activator, world: World
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
    for name, (_, _, spare, mode, activators) in cases.items():
        wait_for(controller, SPARE, f"{space}/{name}", spare)
        wanted = (mode, activators)
        wait_until(partial(serves, cluster, name, wanted), 20, f"{name}: {wanted}")


def serves(cluster: Objects, name: str, wanted: tuple[str, int]) -> bool:
    return cluster.serves(name) == wanted


def test_panic_counts_pods_rounded_up_and_holds_for_a_stable_window(
    cluster: Objects, controller: Controller, activator: Activator
) -> None:
    """Eight requests for pods of seven are twice one pod; after panic no pod goes for a window."""
    name = "rush-00001"
    key = cluster.revision(name, annotations={f"{PREFIX}/target": "10"})
    wait_until(lambda: cluster.initialized(name), 40, "initialized")
    activator.in_flight[key] = 8.0
    cluster.wait_for_pods(name, 2)
    wait_for(controller, "panicking", key, 1)
    activator.in_flight[key] = 1.0
    held_s = cluster.wait_for_pods(name, 1)
    assert WINDOW_S - 1 < held_s < WINDOW_S + 5
    controller.wait_for_ticks(1)
    assert not controller.decision(key).panicking  # type: ignore[union-attr]


def test_requests_are_counted_once_whoever_tells_of_them(
    cluster: Objects, controller: Controller, activator: Activator, world: World
) -> None:
    """What passed the activator is told by it, and taken off what queue-proxies tell."""
    space = cluster.namespace
    busy, fast = f"{space}/busy-00001", f"{space}/fast-00001"
    for key in (busy, fast):
        load = world.loads[key]
        load.in_flight, load.requests, load.proxied = 20.0, 23.0, 15.0
    cluster.revision("busy-00001", annotations=ONE_POD)
    cluster.revision("fast-00001", annotations=ONE_POD | {f"{PREFIX}/metric": "rps"})
    with connected(world, controller.port) as second:
        for each in (activator, second):
            each.in_flight.update({busy: 15.0, fast: 15.0})
        controller.wait_for_ticks(int(WINDOW_S / TICK_S) + 1)  # until all of the window has heard
        # One of the six seconds has not yet heard of all of them.
        for key, queued in ((busy, 5), (fast, 8)):
            wait_for(controller, "stable", key, queued + 15 + 15, off=6)


def test_an_activators_statistic_is_taken_whole_and_in_its_second(
    cluster: Objects, controller: Controller, activator: Activator, world: World
) -> None:
    """Nothing is taken off it; what is older than the window is dropped."""
    space = cluster.namespace
    told, late = f"{space}/told-00001", f"{space}/late-00001"
    for key in (told, late):
        cluster.revision(key.partition("/")[2], annotations=ONE_POD)
    for key in (told, late):
        wait_for(controller, "stable", key, 0)
    now = int(time.time())  # noqa: TID251
    world.run(activator.socket.send(frame({late: (1e6, 0.0, 0.0)}, now - 60)))
    world.run(activator.socket.send(frame({told: (60.0, 0.0, 60.0)}, now - 1)))
    wait_for(controller, "stable", told, 35, off=30)
    assert controller.decision(late).stable == 0  # type: ignore[union-attr]
