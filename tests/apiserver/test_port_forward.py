"""`--context` on a real API server: it carries the connections, and asks for the rights by name."""

import asyncio
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from fastapi import FastAPI
from kubernetes import client
from typer.testing import CliRunner, Result

from autoscaler.advisor.read_model import ReadModel
from autoscaler.api.app import create_app
from autoscaler.cli.main import app as command_line
from autoscaler.clock import SimulatedClock
from autoscaler.health import Health
from autoscaler.refusals import Refusals
from tests.apiserver.objects import SYSTEM, Objects
from tests.apiserver.plane import ControlPlane, wait_until
from tests.autoscaler.api.graph.edges import edges
from tests.autoscaler.api.serving import serving
from tests.certificates import Certificates
from tests.knative.forwarding import forward

NODE = "port-forwards"
ACCOUNT = "on-call"
GRANTED = [
    {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get"]},
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
    {"apiGroups": [""], "resources": ["pods/portforward"], "verbs": ["get"]},
    {"apiGroups": [""], "resources": ["pods/portforward"], "verbs": ["create"]},
]


def api_of_the_pod() -> FastAPI:
    model = ReadModel(Health())
    model.put_edges(edges(("shop/browse", "shop/cart")))
    return create_app(model, SimulatedClock(), Refusals())


@pytest.fixture(scope="module")
def kubelet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a kubelet whose only pod serves a REST API."""
    made = Certificates(tmp_path_factory.mktemp("certificates") / "kubelet")
    secure = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    secure.load_cert_chain(made.cert, made.key)
    loop, port = asyncio.new_event_loop(), list[int]()
    listens, stop = threading.Event(), asyncio.Event()

    async def serve(to: int) -> None:
        async def carry(request: web.Request) -> web.StreamResponse:
            return await forward(request, to)

        app = web.Application()
        app.router.add_get("/portForward/{namespace}/{pod}", carry)
        runner = web.AppRunner(app, shutdown_timeout=0.01)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=secure).start()
        port.append(runner.addresses[0][1])
        listens.set()
        await stop.wait()
        await runner.cleanup()

    with serving(api_of_the_pod()) as server:
        to = int(server.url.rpartition(":")[2])
        thread = threading.Thread(target=loop.run_until_complete, args=(serve(to),))
        thread.start()
        assert listens.wait(30)
        yield port[0]
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


@pytest.fixture(scope="module")
def pod(admin: Objects, kubelet: int) -> Iterator[str]:
    """The Deployment's pod, ready on a node of this kubelet; afterwards there is a new one."""
    core = admin.core
    core.create_node({"metadata": {"name": NODE}})
    address = [{"type": "InternalIP", "address": "127.0.0.1"}]
    status = {"addresses": address, "daemonEndpoints": {"kubeletEndpoint": {"Port": kubelet}}}
    core.patch_node_status(NODE, {"status": status})
    found: list[str] = []

    def made() -> bool:
        pods = core.list_namespaced_pod(SYSTEM, label_selector="app=autoscaler").items
        found[:] = [one.metadata.name for one in pods]
        return bool(found)

    wait_until(made, 30, "the Deployment's pod")
    node = {"apiVersion": "v1", "kind": "Node", "name": NODE}
    binding = {"metadata": {"name": found[0]}, "target": node}
    core.create_namespaced_binding(SYSTEM, binding, _preload_content=False)
    ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    core.patch_namespaced_pod_status(found[0], SYSTEM, {"status": ready})
    yield found[0]
    core.delete_namespaced_pod(found[0], SYSTEM, grace_period_seconds=0)
    core.delete_node(NODE)


@pytest.fixture
def user(plane: ControlPlane, admin: Objects) -> Iterator[Path]:
    """The kubeconfig of somebody who may do nothing."""
    space = Objects(admin.api, SYSTEM)
    admin.core.create_namespaced_service_account(SYSTEM, {"metadata": {"name": ACCOUNT}})
    yield plane.kubeconfig(ACCOUNT, space.token(ACCOUNT))
    admin.core.delete_namespaced_service_account(ACCOUNT, SYSTEM)


def grant(admin: Objects, *rules: object) -> None:
    rights: Any = client.RbacAuthorizationV1Api(admin.api)
    meta = {"name": ACCOUNT}
    role = {"metadata": meta, "rules": list(rules)}
    if len(rules) == 1:
        rights.create_namespaced_role(SYSTEM, role)
        of = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": ACCOUNT}
        who = [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": SYSTEM}]
        bound = {"metadata": meta, "roleRef": of, "subjects": who}
        rights.create_namespaced_role_binding(SYSTEM, bound)
    else:
        rights.replace_namespaced_role(ACCOUNT, SYSTEM, role)


def get(kubeconfig: Path, *args: str) -> Result:
    command = ["get", "dependencies", "--context", "plane", "--kubeconfig", str(kubeconfig), *args]
    return CliRunner().invoke(command_line, command)


def test_it_asks_for_each_right_by_name_and_no_other(admin: Objects, user: Path, pod: str) -> None:
    def until(holds: str, code: int) -> None:
        wait_until(lambda: holds in (it := get(user)).output and it.exit_code == code, 30, holds)

    until("forbids to get deployments.apps in namespace knative-serving", 2)
    grant(admin, GRANTED[0])
    until("forbids to list pods in namespace knative-serving", 2)
    grant(admin, *GRANTED[:2])
    until("forbids to get and create pods/portforward in namespace knative-serving", 2)
    grant(admin, *GRANTED[:3])
    until("is forbidden:)", 2)  # of the server, which does not say that `create` is missing
    grant(admin, *GRANTED)
    until("shop/browse  shop/cart", 0)


def test_a_user_who_is_not_known_is_one_line(plane: ControlPlane) -> None:
    result = get(plane.kubeconfig("nobody", "no-token"))
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert "does not know the user (Unauthorized)" in result.stderr


def test_a_pod_whose_kubelet_is_gone_is_one_line(
    plane: ControlPlane, admin: Objects, pod: str
) -> None:
    status = {"daemonEndpoints": {"kubeletEndpoint": {"Port": 1}}}
    admin.core.patch_node_status(NODE, {"status": status})
    result = get(plane.kubeconfig("admin", plane.token))
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert "fails to get and create pods/portforward: 5" in result.stderr
