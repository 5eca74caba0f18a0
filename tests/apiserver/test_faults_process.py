"""A controller that is killed, or runs twice, leads to the same pods."""

import os
import random
import signal
import time
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
import requests
from kubernetes import client

from tests.apiserver.activator import connected
from tests.apiserver.conftest import StartController
from tests.apiserver.history import Scales
from tests.apiserver.objects import PREFIX, SYSTEM, Objects
from tests.apiserver.plane import ControlPlane, free_ports, wait_until
from tests.apiserver.processes import Controller
from tests.apiserver.standins import World

LOADED = 1.75  # requests in flight: three pods of 0.7 each, however reports fall into seconds
KILLS = int(os.environ.get("KILLS", "4"))
SEED = 1
LEASE = {"lease-duration": "4s", "renew-deadline": "3s", "retry-period": "1s"}


def test_killed_at_any_moment_we_never_take_a_pod_and_end_where_we_would_have(
    cluster: Objects, controller: Controller, world: World, scales: Scales
) -> None:
    """One revision under load, one that must keep two, one at_zero, and one woken all the time."""
    loaded = cluster.revision("loaded-00001", annotations={f"{PREFIX}/target": "1"})
    kept = cluster.revision("kept-00001", annotations={f"{PREFIX}/min-scale": "2"})
    woken, at_zero = cluster.at_zero("woken-00001"), cluster.at_zero("idle-00001")
    with connected(world, controller.port) as activator:
        activator.in_flight[loaded] = LOADED
        wait_until(lambda: cluster.actual("loaded-00001") == 3, 40, "three pods")
        wait_until(lambda: cluster.actual("kept-00001") == 2, 40, "two pods")
        for key, pods in ((loaded, 3), (kept, 2), (at_zero, 0)):
            scales.forget(key, pods)

        moments = random.Random(SEED)
        for _ in range(KILLS):
            time.sleep(moments.uniform(0.0, 3.0))
            if activator.socket:
                activator.in_flight[woken] = 1.0
            controller.kill()
            controller.start()
        cluster.wait_for_pods("woken-00001", 1)
        wait_until(lambda: cluster.actual("woken-00001") == 1, 40, "its pod")
        controller.wait_for_ticks()
        assert scales.least(loaded) == max(scales.of(loaded)) == 3
        assert scales.least(kept) == max(scales.of(kept)) == 2
        assert max(scales.of(at_zero)) == 0
        if KILLS >= 3:  # whoever crashes so often does without all that is ours
            assert "crashed again and again" in controller.fault("breaker")

        activator.in_flight.clear()
        for name in ("loaded-00001", "woken-00001"):
            cluster.wait_for_pods(name, 0, 60)
    assert cluster.replicas("kept-00001") == 2
    for name in ("loaded-00001", "woken-00001", "idle-00001"):
        assert cluster.serves(name)[0] == "Proxy"
        assert cluster.condition(name, "Active")["reason"] == "NoTraffic"
    assert cluster.condition("kept-00001", "Ready")["status"] == "True"


@pytest.fixture
def two(
    admin: Objects, start_controller: StartController
) -> Iterator[tuple[Controller, Controller]]:
    """Two of us, not yet started: each at its own address, with the port that all have."""
    first, second = start_controller(begin=False), start_controller(begin=False)
    first.host, second.host = "127.0.3.1", "127.0.3.2"
    second.port = first.port
    admin.configure("config-leader-election", LEASE)
    yield first, second
    admin.core.delete_namespaced_config_map("config-leader-election", SYSTEM)


def holder(cluster: Objects) -> str:
    """Whose the lease is."""
    leases: Any = client.CoordinationV1Api(cluster.api)
    lease = leases.read_namespaced_lease("autoscaler-bucket-00-of-01", SYSTEM)
    return str(lease.spec.holder_identity)


def test_two_of_us_by_mistake_write_as_one_and_the_second_takes_over(
    cluster: Objects,
    two: tuple[Controller, Controller],
    world: World,
    plane: ControlPlane,
    scales: Scales,
) -> None:
    first, second = two
    first.start(POD_NAME="first")
    wait_until(lambda: first.leads, 40, "the first to lead")
    second.start(POD_NAME="second")
    with connected(world, second.port, second.host) as activator:
        key = cluster.revision("cart-00001", annotations={f"{PREFIX}/target": "1"})
        activator.in_flight[key] = LOADED  # told to who does not lead, and passed on
        wait_until(lambda: cluster.actual("cart-00001") == 3, 40, "three pods by who leads")
        second.wait_for_ticks(1)  # after which it has shown what it did
        assert first.leads
        assert not second.leads
        assert second.notes["leadership"].startswith("following first_127.0.3.1")
        assert second.notes["forwarded"]["sent"] > 0
        scales.forget(key, 3)

        killed_s = time.time()  # noqa: TID251
        first.kill()
        took_s = wait_until(lambda: holder(cluster) == "second_127.0.3.2", 40, "the takeover")
        print(f"takeover {took_s:.1f} s after the first was killed")
        assert took_s < 4 + 1 + 2  # the lease's duration, a retry period, and a little
        cluster.annotate("cart-00001", min_scale="4")
        cluster.wait_for_pods("cart-00001", 4)  # what the second decides
        assert scales.least(key) == 3
        assert activator.connections == 1
    told = [r for r in plane.audited(killed_s) if r.resource == "leases" and r.code == 409]
    assert not told  # nobody wrote beside it


def test_the_second_of_us_leads_at_once_when_the_first_ends_well(
    cluster: Objects, two: tuple[Controller, Controller]
) -> None:
    first, second = two
    first.start(POD_NAME="first")
    wait_until(lambda: first.leads, 40, "the first to lead")
    second.start(POD_NAME="second")
    second.wait_for_ticks(1)
    assert not second.leads
    first.stop()
    took_s = wait_until(lambda: holder(cluster) == "second_127.0.3.2", 40, "the second to lead")
    assert took_s < 2.5  # its own retry period, and a little
    wait_until(lambda: second.leads, 10, "it to say so")


def test_a_desk_has_both_of_us_by_one_command(
    cluster: Objects, start_controller: StartController, world: World
) -> None:
    """`kn-ahead autoscale` keeps an advisor beside the controller, and takes both along."""
    desk = start_controller(begin=False)
    (api_port,) = free_ports(1)
    desk.begin("autoscale", f"--host={desk.host}", f"--port={desk.port}", f"--api-port={api_port}")
    wait_until(desk.listens, 60, "the controller to listen")
    key, service = cluster.at_zero("cart-00001"), f"{cluster.namespace}/cart"
    with connected(world, desk.port) as activator:
        wait_until(lambda: is_shown(api_port, service), 60, "the advisor to show it")
        controller, advisor = desk.children
        os.kill(advisor, signal.SIGKILL)
        world.run(activator.poke(key))
        cluster.wait_for_pods("cart-00001", 1)
        wait_until(lambda: is_shown(api_port, service), 60, "the advisor to be back")
        assert activator.connections == 1
        assert controller in desk.children
        both = desk.children
        desk.stop()
    assert not [pid for pid in both if Path(f"/proc/{pid}").exists()]


def is_shown(api_port: int, service: str) -> bool:
    """Whether an advisor tells what is decided for "namespace/service"."""
    url = f"http://127.0.0.1:{api_port}/v1/decisions/{service}"
    try:
        return requests.get(url, timeout=5).status_code == HTTPStatus.OK
    except OSError:
        return False
