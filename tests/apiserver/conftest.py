"""A real API server with stand-ins beside it, and kn-ahead in the seat: a process of its own, under
its own ServiceAccount and the rules of its own manifest. `make test-cluster` gets the programs.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from kubernetes import client, config
from kubernetes.dynamic import DynamicClient

from tests.apiserver.history import Scales
from tests.apiserver.plane import ControlPlane, free_ports, wait_until
from tests.apiserver.standins import Activator, World

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
MANIFEST = ROOT / "knative" / "manifests" / "kn-ahead.yaml"
SYSTEM = "knative-serving"
AUTOSCALING = "autoscaling.internal.knative.dev"
NETWORKING = "networking.internal.knative.dev"
KPA = "kpa.autoscaling.knative.dev"
# Knative's rule with its shortest timers, so that a test need not wait minutes.
QUICK = {
    "stable-window": "6s",
    "panic-window-percentage": "50",
    "scale-to-zero-grace-period": "1s",
    "allow-zero-initial-scale": "true",
}

Object = dict[str, Any]


@dataclass
class Objects:
    """What a test makes in the cluster and reads from it, as an administrator."""

    api: Any
    namespace: str = "default"
    custom: Any = field(init=False)
    apps: Any = field(init=False)
    core: Any = field(init=False)

    def __post_init__(self) -> None:
        self.custom = client.CustomObjectsApi(self.api)
        self.apps = client.AppsV1Api(self.api)
        self.core = client.CoreV1Api(self.api)

    def revision(
        self,
        name: str,
        *,
        pods: int = 1,
        kind: str | None = KPA,
        concurrency: int = 0,
        reachability: str = "Reachable",
        labels: dict[str, str] | None = None,
        annotations: dict[str, str] | None = None,
    ) -> str:
        """Make a Deployment and a PodAutoscaler, as the revision controller does."""
        marks = {
            "app": name,
            "serving.knative.dev/revision": name,
            "serving.knative.dev/revisionUID": f"uid-{name}",
            "serving.knative.dev/service": name.rpartition("-")[0] or name,
            "serving.knative.dev/configuration": name.rpartition("-")[0] or name,
        } | (labels or {})
        container = {"name": "user-container", "image": "dev.local/app"}
        template = {"metadata": {"labels": marks}, "spec": {"containers": [container]}}
        deployment = {
            "metadata": {"name": f"{name}-deployment", "labels": marks},
            "spec": {
                "replicas": pods,
                "selector": {"matchLabels": {"serving.knative.dev/revision": name}},
                "template": template,
            },
        }
        self.apps.create_namespaced_deployment(self.namespace, deployment)
        said = dict(annotations or {})
        if kind is not None:
            said["autoscaling.knative.dev/class"] = kind
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": f"{name}-deployment"}
        body = {
            "apiVersion": f"{AUTOSCALING}/v1alpha1",
            "kind": "PodAutoscaler",
            "metadata": {"name": name, "labels": marks, "annotations": said},
            "spec": {
                "containerConcurrency": concurrency,
                "protocolType": "http1",
                "reachability": reachability,
                "scaleTargetRef": target,
            },
        }
        self._create("podautoscalers", AUTOSCALING, body)
        return f"{self.namespace}/{name}"

    def asleep(self, name: str) -> str:
        """Make a revision that is at zero from the start, and wait until it is known."""
        key = self.revision(
            name, pods=0, annotations={"autoscaling.knative.dev/initial-scale": "0"}
        )
        what = f"{name} at zero"
        wait_until(lambda: self.condition(name, "Active").get("status") == "False", 20, what)
        wait_until(lambda: self.initialized(name), 20, what)
        assert self.replicas(name) == 0
        return key

    def _create(self, plural: str, group: str, body: Object) -> Object:
        made = self.custom.create_namespaced_custom_object(
            group, "v1alpha1", self.namespace, plural, body
        )
        return dict(made)

    def pa(self, name: str) -> Object:
        """A PodAutoscaler."""
        return dict(
            self.custom.get_namespaced_custom_object(
                AUTOSCALING, "v1alpha1", self.namespace, "podautoscalers", name
            )
        )

    def condition(self, name: str, kind: str) -> Object:
        """A condition of its status; empty where there is none."""
        status = self.pa(name).get("status") or {}
        return next((c for c in status.get("conditions", []) if c["type"] == kind), {})

    def sks(self, name: str) -> Object | None:
        """Its ServerlessService."""
        try:
            return dict(
                self.custom.get_namespaced_custom_object(
                    NETWORKING, "v1alpha1", self.namespace, "serverlessservices", name
                )
            )
        except client.ApiException as error:
            if error.status == 404:
                return None
            raise

    def annotate(self, name: str, **said: str | None) -> None:
        """Set annotations of a PodAutoscaler; keys with _ for -, in Knative's prefix."""
        marks = {f"autoscaling.knative.dev/{k.replace('_', '-')}": v for k, v in said.items()}
        self.patch_pa(name, {"metadata": {"annotations": marks}})

    def patch_pa(self, name: str, body: Object) -> None:
        """Merge into a PodAutoscaler."""
        self.custom.patch_namespaced_custom_object(
            AUTOSCALING, "v1alpha1", self.namespace, "podautoscalers", name, body
        )

    def replicas(self, name: str) -> int:
        """What the Deployment of a revision asks for."""
        found = self.apps.read_namespaced_deployment(f"{name}-deployment", self.namespace)
        return int(found.spec.replicas)

    def initialized(self, name: str) -> bool:
        """Whether the scale target of a revision was ready once."""
        return self.condition(name, "ScaleTargetInitialized").get("status") == "True"

    def configure(self, name: str, data: dict[str, str]) -> None:
        """Set a ConfigMap of Knative's."""
        body = {"metadata": {"name": name}, "data": data}
        try:
            self.core.create_namespaced_config_map(SYSTEM, body)
        except client.ApiException as error:
            if error.status != 409:
                raise
            self.core.replace_namespaced_config_map(name, SYSTEM, body)


class SeatProcess:
    """kn-ahead in the seat, as its own process under its own ServiceAccount."""

    def __init__(self, plane: ControlPlane, world: World | None, token: str, folder: Path) -> None:
        """world: whose Services resolve; None = there are none."""
        self.host = "127.0.0.1"
        self.stats_port, self.api_port = free_ports(2)
        self._kubeconfig = plane.kubeconfig("kn-ahead", token)
        self._router_port = world.router_port if world else 0
        self.folder = folder
        self.log_path = folder / "kn-ahead.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *args: str, ready: bool = True, **env: str) -> "SeatProcess":
        """Start it; and wait until it decides."""
        ports = [
            f"--host={self.host}",
            f"--stats-port={self.stats_port}",
            f"--api-port={self.api_port}",
        ]
        surroundings = os.environ | {
            "KUBECONFIG": str(self._kubeconfig),
            "ROUTER_PORT": str(self._router_port),
            "SYSTEM_NAMESPACE": SYSTEM,
            "POD_NAME": "autoscaler-0",
            "POD_IP": self.host,
            "PYTHONPATH": str(ROOT),
        }
        command = [sys.executable, "-m", "tests.apiserver.seat_process", "autoscale", *ports, *args]
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, env=surroundings | env, cwd=ROOT
            )
        if ready:
            wait_until(self.listens, 30, f"kn-ahead (log: {self.log})")
        return self

    def listens(self) -> bool:
        """Whether it answers the kubelet."""
        assert self.process is not None
        assert self.process.poll() is None, self.log
        url = f"http://{self.host}:{self.stats_port}/"
        try:
            answer = requests.get(url, headers={"User-Agent": "kube-probe/1.36"}, timeout=2)
        except OSError:
            return False
        return answer.status_code == 200

    def get(self, path: str) -> Any:
        """JSON that the REST API answers, whatever the status; None = it does not answer."""
        try:
            return requests.get(f"http://{self.host}:{self.api_port}{path}", timeout=10).json()
        except OSError:
            return None

    def metrics(self) -> str:
        """The page for Prometheus."""
        return requests.get(f"http://{self.host}:{self.api_port}/metrics", timeout=10).text

    @property
    def log(self) -> str:
        """What it has said so far."""
        return self.log_path.read_text()

    def kill(self) -> None:
        """As the kernel does, without a word."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """As the kubelet does."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(20)
        self.process = None


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """The control plane, up for all tests."""
    made = ControlPlane(tmp_path_factory.mktemp("plane") / "run")
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="session")
def admin(plane: ControlPlane) -> Objects:
    """The cluster as its administrator finds it."""
    return install(plane)


def install(plane: ControlPlane) -> Objects:
    """Bring our kinds, Knative's namespace and our manifest into a cluster."""
    settings = client.Configuration()
    config.load_kube_config(  # type: ignore[no-untyped-call]
        str(plane.kubeconfig("admin", plane.token)), client_configuration=settings
    )
    objects = Objects(client.ApiClient(settings))
    apply(objects, yaml.safe_load_all((HERE / "crds.yaml").read_text()))
    enforced = {"pod-security.kubernetes.io/enforce": "restricted"}
    space = {"metadata": {"name": SYSTEM, "labels": enforced}}
    objects.core.create_namespace(space)
    objects.configure("config-autoscaler", QUICK)
    apply(objects, yaml.safe_load_all(MANIFEST.read_text()))
    return objects


def apply(objects: Objects, documents: Iterable[Object]) -> None:
    """Server-side apply, in this order."""
    for document in documents:
        meta = document["metadata"]
        dynamic = DynamicClient(objects.api)  # type: ignore[no-untyped-call]
        kind = dynamic.resources.get(api_version=document["apiVersion"], kind=document["kind"])
        kind.server_side_apply(
            body=document,
            name=meta["name"],
            namespace=meta.get("namespace"),
            field_manager="tests",
            force_conflicts=True,
        )


@pytest.fixture(scope="session")
def world(plane: ControlPlane, admin: Objects) -> Iterator[World]:
    """The stand-ins."""
    wait_until(lambda: _kinds_served(admin), 30, "the kinds")
    made = World(plane.kubeconfig("admin", plane.token))
    yield made
    made.stop()


def _kinds_served(admin: Objects) -> bool:
    try:
        for group, plural in ((AUTOSCALING, "podautoscalers"), (NETWORKING, "serverlessservices")):
            admin.custom.list_cluster_custom_object(group, "v1alpha1", plural)
    except client.ApiException:
        return False
    return True


@pytest.fixture(scope="session")
def token(admin: Objects) -> str:
    """Of the ServiceAccount that the manifest gives us."""
    spec = {"spec": {"expirationSeconds": 86_400}}
    made = admin.core.create_namespaced_service_account_token("kn-ahead", SYSTEM, spec)
    return str(made.status.token)


_numbers = iter(range(1, 10_000))


@pytest.fixture
def cluster(admin: Objects, world: World) -> Iterator[Objects]:
    """A namespace of the test's own."""
    admin.configure("config-autoscaler", QUICK)
    yield from _namespace(admin, world)


@pytest.fixture
def other_namespace(admin: Objects, world: World) -> Iterator[Objects]:
    """A second one."""
    yield from _namespace(admin, world)


def _namespace(admin: Objects, world: World) -> Iterator[Objects]:
    name = f"test-{next(_numbers)}"
    admin.core.create_namespace({"metadata": {"name": name}})
    yield Objects(admin.api, name)
    for key in [key for key in world.loads if key.startswith(f"{name}/")]:
        del world.loads[key]
    admin.core.delete_namespace(name)


def pytest_configure(config: pytest.Config) -> None:
    """A process or a connection that a test cuts off leaves its own ends open: that is the test."""
    # For the session and not for each test: such ends may be collected after the last one.
    for kind in ("ResourceWarning", "pytest.PytestUnraisableExceptionWarning"):
        config.addinivalue_line("filterwarnings", f"ignore::{kind}")


@pytest.fixture
def scales(world: World) -> Iterator[Scales]:
    """Every number of pods that is asked for while the test runs."""
    made = Scales(world)
    yield made
    made.stop()


StartSeat = Callable[..., SeatProcess]


@pytest.fixture
def start_seat(
    plane: ControlPlane, world: World, token: str, admin: Objects, tmp_path: Path
) -> Iterator[StartSeat]:
    """Starts kn-ahead; ends it with the test, and shows what it said where the test fails."""
    made: list[SeatProcess] = []

    def start(*args: str, ready: bool = True, begin: bool = True, **env: str) -> SeatProcess:
        folder = tmp_path / f"seat-{len(made)}"
        folder.mkdir()
        seat = SeatProcess(plane, world, token, folder)
        made.append(seat)
        return seat.start(*args, ready=ready, **env) if begin else seat

    yield start
    for seat in made:
        seat.stop()
        print(seat.log[-8000:])


@pytest.fixture
def seat(start_seat: StartSeat) -> SeatProcess:
    """kn-ahead in the seat."""
    return start_seat()


@pytest.fixture
def activator(seat: SeatProcess, world: World) -> Iterator[Activator]:
    """An activator that is connected to it."""
    made = Activator(seat.stats_port)
    task = world.spawn(made.keep_connected())
    wait_until(lambda: made.socket is not None, 10, "the activator's socket")
    yield made
    task.cancel()
