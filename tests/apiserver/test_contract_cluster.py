"""Our place in a cluster: socket, leases, whose revisions are ours, rights, config."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
import requests
import websockets
import yaml
from kubernetes import client
from websockets.asyncio.client import connect

from tests.apiserver.conftest import KPA, MANIFEST, QUICK, SYSTEM, Objects, SeatProcess, StartSeat
from tests.apiserver.plane import ControlPlane, free_ports, wait_until
from tests.apiserver.standins import Activator, World

PREFIX = "autoscaling.knative.dev"
OWN = "predictive.kn-ahead.dev"
TICK_S = 3.0  # a tick and a bit
LEASE = "autoscaler-bucket-00-of-01"
MICRO_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"
MANIFESTS = sorted(MANIFEST.parent.glob("*.yaml"))


class Relay:
    """A way to the API server that opens when it is told to."""

    def __init__(self, port: int, target: int) -> None:
        self.port, self._target = port, target
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._pass, "127.0.0.1", self.port)

    async def close(self) -> None:
        if self._server:
            self._server.close()

    async def _pass(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        far, there = await asyncio.open_connection("127.0.0.1", self._target)
        await asyncio.gather(_copy(near, there), _copy(far, back))


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    sink.close()


async def pinged(activator: Activator) -> None:
    """An activator's ping is answered. Raises TimeoutError."""
    async with asyncio.timeout(3):
        await (await activator.socket.ping())


def test_the_socket_is_served_before_the_api_server_can_be_reached(
    plane: ControlPlane,
    cluster: Objects,
    world: World,
    token: str,
    start_seat: StartSeat,
    tmp_path: Path,
) -> None:
    """Activators without it are restarted; it answers kubelet and pings, and closes with 1012."""
    relay = Relay(free_ports(1)[0], plane.port)
    text = plane.kubeconfig("kn-ahead", token).read_text()
    kubeconfig = tmp_path / "relayed.kubeconfig"
    kubeconfig.write_text(text.replace(f":{plane.port}", f":{relay.port}"))
    cluster.revision("early-00001")
    seat = start_seat(KUBECONFIG=str(kubeconfig))  # returns when the kubelet is answered
    activator = Activator(seat.stats_port)
    task = world.spawn(activator.keep_connected())
    try:
        wait_until(lambda: activator.socket is not None, 30, "the activator's socket")
        world.run(activator.poke(f"{cluster.namespace}/early-00001"))
        world.run(pinged(activator))
        assert "revisions are ours" not in seat.log
        assert "status" not in cluster.pa("early-00001")
        world.run(relay.open())
        wait_until(lambda: cluster.initialized("early-00001"), 30, "initialized")
        assert activator.connections == 1
        seat.stop()
        wait_until(lambda: bool(activator.closed), 30, "the end of the socket")
        assert activator.closed == [1012]
    finally:
        task.cancel()
        world.run(relay.close())


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
    cluster: Objects, start_seat: StartSeat, world: World
) -> None:
    """Only a connection that asks for the leader by its bucket is refused."""
    cluster.revision("led-00001")
    seat = start_seat()
    wait_until(lambda: "revisions are ours" in seat.log, 30, "listed")
    activator = Activator(seat.stats_port)
    task = world.spawn(activator.keep_connected())
    wait_until(lambda: activator.socket is not None, 30, "the activator's socket")
    world.run(pinged(activator))
    assert world.run(upgraded(seat, "autoscaler.knative-serving.svc.cluster.local"))
    assert not world.run(upgraded(seat, f"{LEASE}.knative-serving.svc.cluster.local"))
    time.sleep(TICK_S)
    assert seat.listens()
    assert "status" not in cluster.pa("led-00001")
    assert cluster.sks("led-00001") is None
    task.cancel()


async def upgraded(seat: SeatProcess, host: str) -> bool:
    """Whether a WebSocket to a host's name is accepted."""
    uri = f"ws://{host}:{seat.stats_port}/any/path"
    try:
        async with connect(uri, host="127.0.0.1", port=seat.stats_port):
            return True
    except websockets.InvalidHandshake:
        return False


def test_only_revisions_of_our_classes_are_touched(
    cluster: Objects, activator: Activator, seat: SeatProcess
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
    wait_until(lambda: cluster.initialized("own-00001"), 30, "initialized")
    wait_until(lambda: cluster.initialized("kpa-00001"), 30, "initialized")
    activator.in_flight[key] = 50.0
    wait_until(lambda: cluster.replicas("own-00001") == 2, 30, "two pods")
    assert {name: cluster.pa(name) for name in theirs} == former
    for name in theirs:
        assert cluster.sks(name) is None
        assert cluster.replicas(name) == 1


@pytest.mark.usefixtures("seat")
def test_the_camel_case_of_an_annotation_counts_where_the_other_is_missing(
    cluster: Objects,
) -> None:
    cluster.revision("camel-00001", annotations={f"{PREFIX}/minScale": "3"})
    both = {f"{PREFIX}/minScale": "3", f"{PREFIX}/min-scale": "2"}
    cluster.revision("both-00001", annotations=both)
    wait_until(lambda: cluster.replicas("camel-00001") == 3, 30, "three pods")
    wait_until(lambda: cluster.replicas("both-00001") == 2, 30, "two pods")


def test_config_is_followed_and_a_wrong_one_is_named_and_left(
    cluster: Objects, seat: SeatProcess
) -> None:
    cluster.revision("set-00001")
    cluster.configure("config-autoscaler", QUICK | {"min-scale": "2"})
    wait_until(lambda: cluster.replicas("set-00001") == 2, 30, "two pods")
    cluster.configure("config-autoscaler", QUICK | {"min-scale": "3", "stable-window": "1s"})
    said = "stable-window is '1s'; allowed: 6s to 1h, whole seconds; the former values stay"
    wait_until(lambda: said in seat.log, 30, "said")
    time.sleep(TICK_S)
    assert cluster.replicas("set-00001") == 2
    cluster.configure("config-autoscaler", QUICK | {"min-scale": "3"})
    wait_until(lambda: cluster.replicas("set-00001") == 3, 30, "three pods")


# What an autoscaler has no business with: method, path, body.
REFUSED: list[tuple[str, str, Any]] = [
    ("GET", "/api/v1/secrets", None),
    ("GET", f"/api/v1/namespaces/{SYSTEM}/secrets", None),
    ("GET", "/api/v1/namespaces/default/configmaps", None),
    ("PATCH", f"/api/v1/namespaces/{SYSTEM}/configmaps/config-autoscaler", {"data": {}}),
    ("GET", "/api/v1/nodes", None),
    ("POST", "/api/v1/namespaces/default/pods", {}),
    ("DELETE", "/api/v1/namespaces/default/pods/any", None),
    ("DELETE", "/api/v1/namespaces/default/pods", None),
    ("GET", "/api/v1/namespaces/default/events", None),
    ("PATCH", "/apis/apps/v1/namespaces/default/deployments/any", {}),
    ("DELETE", "/apis/apps/v1/namespaces/default/deployments/any", None),
    ("PATCH", f"/apis/{PREFIX.replace('autoscaling.', 'autoscaling.internal.')}/v1alpha1"
     "/namespaces/default/podautoscalers/any", {}),
    ("DELETE", "/apis/networking.internal.knative.dev/v1alpha1"
     "/namespaces/default/serverlessservices/any", None),
    ("DELETE", f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM}/leases/{LEASE}", None),
    ("GET", "/apis/coordination.k8s.io/v1/namespaces/default/leases/any", None),
    ("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {}),
]  # fmt: skip


def answered(plane: ControlPlane, token: str, method: str, path: str, body: Any) -> int:
    kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
    headers = {"Authorization": f"Bearer {token}", "Content-Type": kind}
    verify, url = str(plane.certificate), f"{plane.server}{path}?dryRun=All"
    return requests.request(
        method, url, headers=headers, json=body, verify=verify, timeout=10
    ).status_code


@pytest.mark.parametrize(("method", "path", "body"), REFUSED)
def test_what_the_manifest_does_not_grant_is_refused(
    plane: ControlPlane, token: str, method: str, path: str, body: Any
) -> None:
    """To us, and not to an administrator."""
    assert answered(plane, token, method, path, body) == HTTPStatus.FORBIDDEN
    assert answered(plane, plane.token, method, path, body) != HTTPStatus.FORBIDDEN


def templates() -> Iterator[Any]:
    """The pods of all our manifests."""
    for manifest in MANIFESTS:
        for o in yaml.safe_load_all(manifest.read_text()):
            if template := (o or {}).get("spec", {}).get("template"):
                yield pytest.param(template, id=f"{manifest.stem}: {o['metadata']['name']}")


@pytest.mark.parametrize("template", list(templates()))
def test_our_pods_are_admitted_where_pod_security_is_restricted(
    admin: Objects, token: str, template: dict[str, Any]
) -> None:
    """And one that does not say what it gives up is not."""
    spec = template["spec"]
    name = {"metadata": {"name": "tried", "labels": template["metadata"]["labels"]}}
    pod = {"apiVersion": "v1", "kind": "Pod"} | name | {"spec": spec | {"serviceAccountName": None}}
    admin.core.create_namespaced_pod(SYSTEM, pod, dry_run="All")
    bare = [{"name": c["name"], "image": c["image"]} for c in spec["containers"]]
    with pytest.raises(client.ApiException, match="violates PodSecurity"):
        admin.core.create_namespaced_pod(
            SYSTEM, pod | {"spec": {"containers": bare}}, dry_run="All"
        )


def test_the_pod_of_our_deployment_exists(admin: Objects) -> None:
    """Under the ServiceAccount of the manifest."""

    def pods() -> list[Any]:
        found = admin.core.list_namespaced_pod(SYSTEM, label_selector="app=autoscaler")
        return list(found.items)

    wait_until(lambda: bool(pods()), 30, "a pod")
    assert pods()[0].spec.service_account_name == "kn-ahead"
