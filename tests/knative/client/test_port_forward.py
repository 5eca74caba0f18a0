"""`--context`: a port-forward of the command's own, which ends with it, and what may be refused."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web
from fastapi import FastAPI

from autoscaler.api.answers import HealthAnswer
from autoscaler.cli.rest import RestApi
from autoscaler.errors import PermanentError
from knative.client.port_forward import forwarded
from tests.autoscaler.api.serving import serving
from tests.knative.forwarding import forward
from tests.programs import until

SPACE = "knative-serving"
KUBECONFIG = """
current-context: here
clusters: [{{name: here, cluster: {{server: "http://127.0.0.1:{port}"}}}}]
users: [{{name: us, user: {{token: ours}}}}]
contexts: [{{name: here, context: {{cluster: here, user: us}}}}]
"""
Refuse = Callable[[web.Request], web.Response | None]


def pod(name: str, ready: bool = True) -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": str(ready)}]
    return {"metadata": {"name": name}, "status": {"conditions": conditions}}


class Cluster:
    """An API server with the Deployment, its pods, and their port-forwards."""

    def __init__(self, api_port: int) -> None:
        self.api_port = api_port  # where the pods' port leads to
        self.pods = [pod("autoscaler-1")]
        self.holder = ""
        self.refuses: dict[str, int] = {}  # statuses by the end of a path
        self.forwards: list[str] = []  # pods
        self.open = 0

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._refusing()])
        labels = {"matchLabels": {"app": "autoscaler"}}
        deployment = {"spec": {"selector": labels, "template": {}}}
        core, apps = f"/api/v1/namespaces/{SPACE}", f"/apis/apps/v1/namespaces/{SPACE}"
        leases = f"/apis/coordination.k8s.io/v1/namespaces/{SPACE}/leases"
        app.router.add_get(f"{apps}/deployments/autoscaler", self._gives(lambda: deployment))
        app.router.add_get(f"{core}/pods", self._gives(lambda: {"items": self.pods}))
        app.router.add_get(leases, self._gives(self._leases))
        app.router.add_get(f"{core}/pods/{{pod}}/portforward", self._forward)
        return app

    def _leases(self) -> dict[str, Any]:
        return {"items": [{"spec": {"holderIdentity": self.holder}}]}

    def _gives(self, what: Callable[[], object]) -> Any:
        async def give(request: web.Request) -> web.Response:
            return web.json_response(what())

        return give

    def _refusing(self) -> Any:
        @web.middleware
        async def refusing(request: web.Request, handler: Any) -> web.StreamResponse:
            for end, status in self.refuses.items():
                if request.path.endswith(end):
                    return web.json_response({"message": "User us cannot"}, status=status)
            answer: web.StreamResponse = await handler(request)
            return answer

        return refusing

    async def _forward(self, request: web.Request) -> web.StreamResponse:
        self.forwards.append(request.match_info["pod"])
        self.open += 1
        try:
            return await forward(request, self.api_port)
        finally:
            self.open -= 1


@contextmanager
def running(cluster: Cluster, folder: Path) -> Iterator[Path]:
    """Serves in a thread; yields a kubeconfig that leads there."""
    loop, port = asyncio.new_event_loop(), list[int]()
    listens, stop = threading.Event(), asyncio.Event()

    async def serve() -> None:
        runner = web.AppRunner(cluster.app(), shutdown_timeout=0.01)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port.append(runner.addresses[0][1])
        listens.set()
        await stop.wait()
        await runner.cleanup()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert listens.wait(30)
    path = folder / "kubeconfig"
    path.write_text(KUBECONFIG.format(port=port[0]))
    try:
        yield path
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """Its pods answer `/whole` with a megabyte."""
    app = FastAPI()

    @app.get("/whole")
    def whole() -> str:
        return "x" * 1_000_000

    with serving(app) as server:
        yield Cluster(int(httpx.URL(server.url).port or 0))


@pytest.fixture
def kubeconfig(cluster: Cluster, tmp_path: Path) -> Iterator[Path]:
    with running(cluster, tmp_path) as path:
        yield path


def refused(kubeconfig: Path, context: str = "here") -> str:
    with pytest.raises(PermanentError) as caught, forwarded(context, kubeconfig):
        pass
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_requests_reach_the_pod_one_after_the_other_and_side_by_side(
    cluster: Cluster, kubeconfig: Path
) -> None:
    with forwarded("here", kubeconfig) as url, httpx.Client(base_url=url) as client:
        for _ in range(3):
            assert len(client.get("/whole").json()) == 1_000_000
        threads = [threading.Thread(target=httpx.get, args=(f"{url}/whole",)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert cluster.forwards == ["autoscaler-1"] * 5


def test_it_ends_with_the_command(cluster: Cluster, kubeconfig: Path) -> None:
    with forwarded("here", kubeconfig) as url:
        httpx.get(f"{url}/whole")
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/whole")
    until(lambda: not cluster.open, "the connections to the pod end")


def test_the_current_context_is_taken_where_none_is_named(kubeconfig: Path) -> None:
    with forwarded("", kubeconfig) as url:
        assert httpx.get(f"{url}/whole").status_code == 200


def test_of_several_pods_the_one_that_leads_is_asked(cluster: Cluster, kubeconfig: Path) -> None:
    cluster.pods = [pod("autoscaler-0", ready=False), pod("autoscaler-1"), pod("autoscaler-2")]
    cluster.holder = "autoscaler-2_10.0.0.2"
    with forwarded("here", kubeconfig):
        pass
    cluster.refuses = {"/leases": 403}
    with forwarded("here", kubeconfig):
        pass
    assert cluster.forwards == ["autoscaler-2", "autoscaler-1"]


@pytest.mark.parametrize(
    ("path", "right"),
    [
        ("/deployments/autoscaler", "get deployments.apps"),
        ("/pods", "list pods"),
        ("/portforward", "get and create pods/portforward"),
    ],
)
def test_a_right_that_is_missing_is_named(
    cluster: Cluster, kubeconfig: Path, path: str, right: str
) -> None:
    cluster.refuses = {path: 403}
    said = refused(kubeconfig)
    assert f"forbids to {right} in namespace knative-serving (User us cannot)" in said
    assert "allowed: a user who may get deployments.apps, list pods, get and create pods/" in said


def test_a_cluster_without_the_autoscaler_is_named(cluster: Cluster, kubeconfig: Path) -> None:
    cluster.refuses = {"/deployments/autoscaler": 404}
    assert "knows no Deployment knative-serving/autoscaler" in refused(kubeconfig)


def test_without_a_ready_pod_it_says_so(cluster: Cluster, kubeconfig: Path) -> None:
    cluster.pods = [pod("autoscaler-0", ready=False)]
    assert "autoscaler has 1 pods, none of them ready" in refused(kubeconfig)


def test_a_context_that_there_is_not_is_answered_with_those_there_are(kubeconfig: Path) -> None:
    said = refused(kubeconfig, "there")
    assert "no cluster:" in said
    assert "allowed: one of the contexts here" in said


def test_a_kubeconfig_that_there_is_not_is_named(tmp_path: Path) -> None:
    assert "allowed: a kubeconfig, by --kubeconfig" in refused(tmp_path / "none")


def test_an_api_server_that_is_gone_is_named(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        path = tmp_path / "kubeconfig"
        path.write_text(KUBECONFIG.format(port=closed.getsockname()[1]))
        assert "no answer from the API server http://127.0.0.1:" in refused(path)


def test_a_pod_that_does_not_listen_is_told_with_what_the_kubelet_said(
    cluster: Cluster, kubeconfig: Path
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        cluster.api_port = closed.getsockname()[1]
        with pytest.raises(PermanentError, match="ended: connection refused: port 9090"):
            ask(kubeconfig)


def ask(kubeconfig: Path) -> None:
    with forwarded("here", kubeconfig) as url, RestApi(url) as api:
        api.ask("/healthz", HealthAnswer)
