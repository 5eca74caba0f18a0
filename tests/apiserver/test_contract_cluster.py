"""Our place in a cluster: socket, leases, whose revisions are ours, config."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
import websockets
from kubernetes import client
from websockets.asyncio.client import connect

from tests.apiserver.activator import Activator, connected
from tests.apiserver.balancer import Balancer
from tests.apiserver.conftest import StartController
from tests.apiserver.objects import CONTROLLER, KPA, PREFIX, QUICK, SYSTEM, Objects
from tests.apiserver.plane import ControlPlane, wait_until
from tests.apiserver.processes import Controller
from tests.apiserver.standins import World

OWN = "predictive.kn-ahead.dev"
LEASE = "autoscaler-bucket-00-of-01"
MICRO_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"
UNKNOWN = "127.0.0.2"  # an address of no pod
LEADER = f"{LEASE}.knative-serving.svc.cluster.local"


def test_the_socket_is_served_before_the_api_server_can_be_reached(
    plane: ControlPlane,
    cluster: Objects,
    world: World,
    token: str,
    start_controller: StartController,
    tmp_path: Path,
) -> None:
    """Activators without it are restarted; it answers kubelet and pings, and closes with 1012."""
    balancer = Balancer(plane)
    kubeconfig = balancer.kubeconfig(CONTROLLER, token, tmp_path)
    cluster.revision("early-00001")
    controller = start_controller(KUBECONFIG=kubeconfig)  # returns when the kubelet is answered
    with connected(world, controller.port) as activator:
        world.run(activator.poke(f"{cluster.namespace}/early-00001"))
        world.run(activator.ping())
        assert "revisions listed" not in controller.log
        assert "status" not in cluster.pa("early-00001")
        world.run(balancer.open())
        wait_until(lambda: cluster.initialized("early-00001"), 40, "initialized")
        assert activator.connections == 1
        controller.stop()
        wait_until(lambda: bool(activator.closed), 30, "the end of the socket")
        assert activator.closed == [1012]
    world.run(balancer.close())


@pytest.fixture
def another_leads(admin: Objects) -> Iterator[None]:
    """Somebody else holds the lease."""
    leases = client.CoordinationV1Api(admin.api)
    now = datetime.now(UTC)  # noqa: TID251
    spec = {
        "holderIdentity": "autoscaler-1_127.99.0.1",
        "leaseDurationSeconds": 60,
        "acquireTime": now.strftime(MICRO_TIME),
        "renewTime": now.strftime(MICRO_TIME),
    }
    with suppress(client.ApiException):
        leases.delete_namespaced_lease(LEASE, SYSTEM)
    lease: Any = {"metadata": {"name": LEASE}, "spec": spec}
    leases.create_namespaced_lease(SYSTEM, lease)
    yield
    leases.delete_namespaced_lease(LEASE, SYSTEM)


@pytest.mark.usefixtures("another_leads")
def test_who_does_not_lead_serves_the_socket_and_writes_nothing(
    cluster: Objects, start_controller: StartController, world: World
) -> None:
    """Only a connection that asks for the leader by its bucket is refused."""
    cluster.revision("led-00001")
    controller = start_controller()
    wait_until(lambda: "revisions listed" in controller.log, 40, "listed")
    with connected(world, controller.port) as activator:
        world.run(activator.ping())
        anybody = "autoscaler.knative-serving.svc.cluster.local"
        assert world.run(upgraded(controller, anybody)) == HTTPStatus.SWITCHING_PROTOCOLS
        assert world.run(upgraded(controller, LEADER)) == HTTPStatus.SERVICE_UNAVAILABLE
        controller.wait_for_ticks()
        assert controller.listens()
        assert not controller.leads
        assert "autoscaler-1_127.99.0.1" in controller.notes["leadership"]
        assert "status" not in cluster.pa("led-00001")
        assert cluster.sks("led-00001") is None


async def upgraded(controller: Controller, host: str, *, source: str = "127.0.0.1") -> int:
    """The status that a WebSocket to a host's name from an address is answered with."""
    uri = f"ws://{host}:{controller.port}/any/path"
    try:
        async with connect(uri, host="127.0.0.1", port=controller.port, local_addr=(source, 0)):
            return HTTPStatus.SWITCHING_PROTOCOLS
    except websockets.InvalidStatus as refusal:
        return refusal.response.status_code


def test_only_activators_report_where_their_addresses_can_be_seen(
    cluster: Objects, controller: Controller, activator: Activator, world: World
) -> None:
    """The pods of activators say which those are; the kubelet's probe is answered all the same."""
    key = cluster.at_zero("cart-00001")
    world.run(activator.ping())

    def refused() -> bool:
        return world.run(upgraded(controller, "127.0.0.1", source=UNKNOWN)) == 403

    wait_until(refused, 30, "strangers to be refused")
    assert controller.listens()
    assert not controller.fault("statistics")
    world.run(activator.poke(key))
    cluster.wait_for_pods("cart-00001", 1)


def test_only_revisions_of_our_classes_are_touched(
    cluster: Objects, activator: Activator, controller: Controller
) -> None:
    """Another class, or none, is somebody else's; an empty metric of ours is concurrency."""
    theirs = {
        "hpa-00001": "hpa.autoscaling.knative.dev",
        "foreign-00001": "keda.example.com",
        "nobody-00001": None,
    }
    for name, kind in theirs.items():
        cluster.revision(name, kind=kind, annotations={f"{PREFIX}/min-scale": "2"})
    former = {name: cluster.pa(name) for name in theirs}
    cluster.revision("kpa-00001", kind=KPA)
    ours = {f"{PREFIX}/metric": "", f"{PREFIX}/target": "10", f"{PREFIX}/maxScale": "2"}
    key = cluster.revision("own-00001", kind=OWN, annotations=ours)
    wait_until(lambda: cluster.initialized("own-00001"), 40, "initialized")
    wait_until(lambda: cluster.initialized("kpa-00001"), 40, "initialized")
    activator.in_flight[key] = 50.0
    cluster.wait_for_pods("own-00001", 2)
    assert {name: cluster.pa(name) for name in theirs} == former
    for name in theirs:
        assert cluster.sks(name) is None
        assert cluster.replicas(name) == 1


@pytest.mark.usefixtures("controller")
def test_the_camel_case_of_an_annotation_counts_where_the_other_is_missing(
    cluster: Objects,
) -> None:
    cluster.revision("camel-00001", annotations={f"{PREFIX}/minScale": "3"})
    both = {f"{PREFIX}/minScale": "3", f"{PREFIX}/min-scale": "2"}
    cluster.revision("both-00001", annotations=both)
    cluster.wait_for_pods("camel-00001", 3)
    cluster.wait_for_pods("both-00001", 2)


def test_config_is_followed_and_a_wrong_one_is_named_and_left(
    cluster: Objects, controller: Controller
) -> None:
    cluster.revision("set-00001")
    cluster.configure("config-autoscaler", QUICK | {"min-scale": "2"})
    cluster.wait_for_pods("set-00001", 2)
    cluster.configure("config-autoscaler", QUICK | {"min-scale": "3", "stable-window": "1s"})
    said = "stable-window is '1s'; allowed: 6s to 1h, whole seconds; the former values stay"
    wait_until(lambda: said in controller.log, 40, "said")
    controller.wait_for_ticks()
    assert said in controller.fault("config-autoscaler")
    assert cluster.replicas("set-00001") == 2
    cluster.configure("config-autoscaler", QUICK | {"min-scale": "3"})
    cluster.wait_for_pods("set-00001", 3)
    controller.wait_for_ticks()
    assert not controller.fault("config-autoscaler")
