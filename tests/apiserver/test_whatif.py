"""What a what-if asks a real API server, with the rights of its manifest and no others; and that
what it says to change is understood there.
"""

import asyncio
import json
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from kubernetes import client
from typer.testing import CliRunner, Result

from autoscaler.cli.main import app
from autoscaler.errors import PermanentError
from benchmarks.simulator.arrivals import Requests
from benchmarks.whatif.exporters import GENERATIONS
from benchmarks.whatif.exposition import START_S, backfill_requests
from knative.client.api import Object
from knative.client.kubeconfig import connect
from knative.services.listing import Cluster
from knative.services.pods import Requested
from knative.services.reader import ClusterSettings, read_settings
from tests.apiserver.install import apply, lacking
from tests.apiserver.objects import MANIFEST, PREFIX, SYSTEM, Objects
from tests.apiserver.plane import ControlPlane, wait_until
from tests.conftest import prometheus_server

ROLE: Object = yaml.safe_load((MANIFEST.parent / "whatif.yaml").read_text())
READER = "reader"
RBAC = "rbac.authorization.k8s.io"
SERVING = "serving.knative.dev"
HOURS = 8
END = datetime.fromtimestamp(START_S + HOURS * 3600, UTC).isoformat()


@pytest.fixture(scope="module")
def kubeconfig(plane: ControlPlane, admin: Objects) -> Path:
    """Of somebody who has the rights of the manifest."""
    apply(admin, [ROLE])
    admin.core.create_namespaced_service_account(SYSTEM, {"metadata": {"name": READER}})
    subject = {"kind": "ServiceAccount", "name": READER, "namespace": SYSTEM}
    role = {"apiGroup": RBAC, "kind": "ClusterRole", "name": ROLE["metadata"]["name"]}
    binding: Any = {"metadata": {"name": READER}, "roleRef": role, "subjects": [subject]}
    client.RbacAuthorizationV1Api(admin.api).create_cluster_role_binding(binding)
    return plane.kubeconfig(READER, admin.token(READER))


def read(kubeconfig: Path) -> ClusterSettings:
    return read_settings("plane", kubeconfig, start_up_s=5.0, drain_s=30.0)


def make(cluster: Objects, name: str, **said: str) -> None:
    """A service with one revision, as Knative makes it; annotations with _ for -."""
    marks = {f"{PREFIX}/{key.replace('_', '-')}": value for key, value in said.items()}
    container = {"image": "dev.local/app", "resources": {"requests": {"cpu": "975m"}}}
    template = {"metadata": {"annotations": marks}, "spec": {"containers": [container]}}
    make_serving(cluster, "Service", name, {"template": template})
    make_serving(cluster, "Revision", f"{name}-00001", {"containers": [container]})
    cluster.revision(f"{name}-00001", pods=1, concurrency=3, annotations=marks)


def make_serving(cluster: Objects, kind: str, name: str, spec: Object) -> None:
    body = {"apiVersion": f"{SERVING}/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}
    plural = f"{kind.lower()}s"
    cluster.custom.create_namespaced_custom_object(SERVING, "v1", cluster.namespace, plural, body)


def template_of(cluster: Objects, name: str) -> Object:
    """The annotations of a service's template."""
    found = cluster.custom.get_namespaced_custom_object(
        SERVING, "v1", cluster.namespace, "services", name
    )
    return dict(found["spec"]["template"]["metadata"]["annotations"])


def test_the_manifest_s_rights_are_enough(kubeconfig: Path, cluster: Objects) -> None:
    make(cluster, "cart", min_scale="2", window="45s")
    key = f"{cluster.namespace}/cart"
    wait_until(lambda: read(kubeconfig).services[key].start_up_s is not None, 30, "a ready pod")
    found = read(kubeconfig).services[key]
    assert (found.concurrency, found.revision.min_scale) == (3, 2)
    assert found.revision.stable_window_s == 45
    assert found.requested == Requested(cpu=1.0, memory_gib=0.0)
    assert found.start_up_s is not None
    assert 0 <= found.start_up_s < 30


NEEDED = [
    ("podautoscalers", "list podautoscalers.autoscaling.internal.knative.dev"),
    ("revisions", "list revisions.serving.knative.dev"),
    ("pods", "list pods"),
    ("configmaps", "get configmaps/config-autoscaler in namespace knative-serving"),
]


@pytest.fixture
def without(admin: Objects, request: pytest.FixtureRequest) -> Iterator[str]:
    """The role lacks one right while a test runs."""
    with lacking(admin, ROLE, request.param):
        yield request.param


def refusal(kubeconfig: Path) -> str:
    """Why nothing can be read; an empty text where all can."""
    try:
        read(kubeconfig)
    except PermanentError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(("without", "part"), NEEDED, indirect=["without"])
def test_each_right_is_needed_and_named_where_it_is_missing(
    kubeconfig: Path, without: str, part: str
) -> None:
    wait_until(lambda: bool(refusal(kubeconfig)), 30, f"no right to {without}")
    assert refusal(kubeconfig) == (
        f"context 'plane' may not {part}; allowed: with the ClusterRole of"
        " knative/manifests/whatif.yaml, which only reads"
    )


def test_wrong_credentials_are_said(plane: ControlPlane) -> None:
    said = refusal(plane.kubeconfig("nobody", "wrong"))
    assert said.startswith("the cluster of context 'plane' does not accept its credentials: ")
    assert "401" in said


def test_a_cluster_without_knative_is_said(plane: ControlPlane) -> None:
    """Of a kind that is not there."""

    async def listed() -> None:
        api, name = await connect("plane", plane.kubeconfig("admin", plane.token))
        try:
            await Cluster(api=api, name=name).listed("/apis/none.knative.dev/v1/things", str)
        finally:
            await api.close()

    with pytest.raises(PermanentError) as refused:
        asyncio.run(listed())
    assert str(refused.value) == (
        "the cluster of context 'plane' has no things.none.knative.dev; allowed: one where Knative"
        " Serving is installed"
    )


# --- floors ---------------------------------------------------------------------------------------


@pytest.fixture
def prometheus(cluster: Objects, tmp_path: Path) -> Iterator[str]:
    """Three services, each called every ten minutes; one of them is not in the cluster."""
    names = tuple(f"{cluster.namespace}/{name}" for name in ("cart", "login", "gone"))
    at = START_S + np.arange(300.0, HOURS * 3600, 600.0)
    requests = Requests(
        arrival_s=np.tile(at, len(names)),
        service_s=np.full(len(names) * len(at), 0.2),
        offset=np.arange(len(names) + 1, dtype=np.int64) * len(at),
    )
    backfill_requests(names, requests, GENERATIONS["1.23"], tmp_path / "data")
    with prometheus_server(tmp_path) as url:
        yield url


def run(command: str, url: str, kubeconfig: Path, *more: str) -> Result:
    options = ["--prometheus", url, "--history", f"{HOURS}h", "--end", END, "--score", "2h"]
    options += ["--kubeconfig", str(kubeconfig), "--context", "plane"]
    options += ["--fit-rows", "1000", "--fit-rounds", "5"]
    return CliRunner().invoke(app, [command, *options, *more])


def test_floors_are_answered_and_their_commands_are_understood(
    prometheus: str, kubeconfig: Path, cluster: Objects, tmp_path: Path
) -> None:
    make(cluster, "cart", min_scale="4", window="45s")
    make(cluster, "login")
    prices = tmp_path / "prices.toml"
    prices.write_text('cpu_hour = 0.5\ngib_hour = 0\ncurrency = "EUR"\n')
    result = run("floors", prometheus, kubeconfig, "--output", "json", "--prices", str(prices))
    assert result.exit_code == 0, result.output
    assert "Settings of 2 of 3 services are those of context plane; 1 is not" in result.stderr
    (floor,) = json.loads(result.stdout)["services"]
    assert (floor["service"], floor["min_scale"]) == (f"{cluster.namespace}/cart", 4)
    assert (floor["cold"], floor["cold_without"]) == (0, floor["requests"])
    better: dict[str, Any] = floor["better"]
    assert better["cold"] == 0
    assert better["pod_hours"] < floor["pod_hours"]
    saved = (floor["pod_hours"] - better["pod_hours"]) * 0.5
    assert better["saved_a_month"] == pytest.approx(saved * 30 / json.loads(result.stdout)["days"])
    if kubectl := shutil.which("kubectl"):
        admin = kubeconfig.parent / "admin.kubeconfig"
        _, *words = shlex.split(better["command"].replace(str(kubeconfig), str(admin)))
        subprocess.run([kubectl, *words], check=True)
        assert (
            template_of(cluster, "cart")
            == {
                f"{PREFIX}/min-scale": "4",
                f"{PREFIX}/window": "45s",
            }
            | better["annotations"]
        )


@pytest.fixture
def observability(admin: Objects) -> Iterator[None]:
    """As Knative ships it."""
    name = "config-observability"
    admin.core.create_namespaced_config_map(
        SYSTEM, {"metadata": {"name": name}, "data": {"_example": "request-metrics-protocol: grpc"}}
    )
    yield
    admin.core.delete_namespaced_config_map(name, SYSTEM)


@pytest.mark.usefixtures("observability")
def test_a_what_if_says_whose_settings_it_used_and_who_exports_nothing(
    prometheus: str, kubeconfig: Path, cluster: Objects, tmp_path: Path
) -> None:
    make(cluster, "cart", min_scale="1")
    make(cluster, "login")
    make(cluster, "unused")
    report = tmp_path / "report.html"
    scores = tmp_path / "scores.json"
    result = run("whatif", prometheus, kubeconfig, "--report", str(report), "--json", str(scores))
    assert result.exit_code == 0, result.output
    coverage = json.loads(scores.read_text())["coverage"]
    assert (coverage["counted"], coverage["gaps"]) == (3, {})
    unused = f"{cluster.namespace}/unused"
    assert list(coverage["silent"]) == [unused]
    cost = json.loads(scores.read_text())["cost"]
    assert (cost["example"], cost["currency"]) == (True, "USD")
    assert cost["policies"]["Knative (KPA)"] > 0
    for part in (
        "Settings of 2 of 3 services are those of context plane; 1 is not there any more",
        "3 of 4 services were counted; 1 exports nothing:"
        f" request-metrics-protocol is none, not prometheus ({unused})",
        "To have them counted, which starts all pods anew: kubectl --kubeconfig",
        "1 service has a min-scale",
        "Example prices (set your own with --prices FILE): pods cost 0.04 USD an hour",
        "Cost in USD at example prices",
        f"kubectl --kubeconfig {kubeconfig} --context plane",
    ):
        assert part in result.stdout
        assert part.replace("'", "&#39;") in report.read_text()
    assert "Assumed of every service" not in result.stdout
