"""What a live benchmark makes on a real API server, with the rights of its manifest and no others,
and that it leaves nothing behind, however it ends.
"""

import asyncio
import os
import signal
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
import yaml
from kubernetes import client

from autoscaler.errors import PermanentError
from benchmarks.live.cluster import Cluster
from benchmarks.live.learning import LEARNER, PROMETHEUS, Learning, learning_objects
from benchmarks.live.run import connected
from benchmarks.live.services import GROUP, LABELS, PLURAL, knative_service
from knative.client.api import Object
from tests.apiserver.install import administrator, apply, lacking
from tests.apiserver.objects import HERE, MANIFEST, SYSTEM, Objects
from tests.apiserver.plane import ControlPlane, wait_until
from tests.programs import HEARING_CTRL_C, kn_ahead

ROLE: Object = yaml.safe_load((MANIFEST.parent / "bench-live.yaml").read_text())
USER = "bencher"
RBAC = "rbac.authorization.k8s.io"
OTHERS = "somebody-s"  # a service that no benchmark has made

T = TypeVar("T")
Ask = Callable[[Cluster], Awaitable[T]]


@pytest.fixture(scope="module")
def kubeconfig(plane: ControlPlane, admin: Objects) -> Path:
    """Of somebody who has the rights of the manifest."""
    apply(admin, [ROLE])
    admin.core.create_namespaced_service_account(SYSTEM, {"metadata": {"name": USER}})
    subject = {"kind": "ServiceAccount", "name": USER, "namespace": SYSTEM}
    role = {"apiGroup": RBAC, "kind": "ClusterRole", "name": ROLE["metadata"]["name"]}
    binding: Any = {"metadata": {"name": USER}, "roleRef": role, "subjects": [subject]}
    client.RbacAuthorizationV1Api(admin.api).create_cluster_role_binding(binding)
    return plane.kubeconfig(USER, admin.token(USER))


def ask(kubeconfig: Path, namespace: str, what: Ask[T]) -> T:
    async def asked() -> T:
        async with connected("plane", kubeconfig, namespace) as cluster:
            return await what(cluster)

    return asyncio.run(asked())


def refusal(kubeconfig: Path, namespace: str, what: Ask[Any]) -> str:
    """Why something cannot be; an empty text where it can."""
    try:
        ask(kubeconfig, namespace, what)
    except PermanentError as error:
        return str(error)
    return ""


async def make_all(cluster: Cluster) -> None:
    made = learning_objects(Learning(), image="kn-ahead", prometheus_image="p", labels=LABELS)
    await cluster.create_in_system(made)
    await cluster.create(cluster.services, body_of("bench-timer-off"))


def body_of(name: str, labels: dict[str, str] | None = LABELS) -> Object:
    return knative_service(name, image="none", start_s=0.0, annotations={}, labels=labels)


def left(cluster: Objects) -> set[str]:
    """Names of services and of Deployments of Knative's namespace."""
    services = cluster.custom.list_namespaced_custom_object(GROUP, "v1", cluster.namespace, PLURAL)[
        "items"
    ]
    deployments = cluster.apps.list_namespaced_deployment(SYSTEM).items
    return {each["metadata"]["name"] for each in services} | {
        each.metadata.name for each in deployments
    }


@pytest.fixture
def somebodys(cluster: Objects) -> Objects:
    """A namespace in which somebody else has a service."""
    cluster.custom.create_namespaced_custom_object(
        GROUP, "v1", cluster.namespace, PLURAL, body_of(OTHERS, None)
    )
    return cluster


def test_all_that_it_made_is_taken_away_and_nothing_else(
    kubeconfig: Path, somebodys: Objects
) -> None:
    namespace, before = somebodys.namespace, left(somebodys)
    assert ask(kubeconfig, namespace, Cluster.check)
    ask(kubeconfig, namespace, make_all)
    assert left(somebodys) - before == {PROMETHEUS, LEARNER, "bench-timer-off"}
    assert "still has 6 objects of a benchmark" in refusal(kubeconfig, namespace, Cluster.check)
    assert ask(kubeconfig, namespace, Cluster.remove) == 6
    assert left(somebodys) == before
    assert OTHERS in before
    assert ask(kubeconfig, namespace, Cluster.remove) == 0
    assert ask(kubeconfig, namespace, Cluster.check)


# --- what is in the way ---------------------------------------------------------------------------

NEEDED = [
    ("pods", "list pods in {}, watch pods in {}"),
    ("deployments", "create deployments.apps in knative-serving, "),
    ("configmaps", "create services in knative-serving, "),
]


@pytest.fixture
def without(admin: Objects, request: pytest.FixtureRequest) -> Iterator[str]:
    """The role lacks one rule while a test runs."""
    with lacking(admin, ROLE, request.param):
        yield request.param


@pytest.mark.parametrize(("without", "part"), NEEDED, indirect=["without"])
def test_rights_that_are_missing_are_named_before_anything_is_made(
    kubeconfig: Path, somebodys: Objects, without: str, part: str
) -> None:
    namespace, before = somebodys.namespace, left(somebodys)

    def why() -> str:
        return refusal(kubeconfig, namespace, Cluster.check)

    wait_until(lambda: bool(why()), 30, f"no right to {without}")
    assert why().startswith(f"context 'plane' may not {part.format(namespace, namespace)}")
    assert why().endswith("the ClusterRole of knative/manifests/bench-live.yaml")
    assert left(somebodys) == before


def test_wrong_credentials_are_said(plane: ControlPlane) -> None:
    why = refusal(plane.kubeconfig("nobody", "wrong"), "default", Cluster.check)
    assert why.startswith("the cluster of context 'plane' does not accept its credentials: ")


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A cluster without Knative."""
    made = ControlPlane(tmp_path_factory.mktemp("bare") / "run")
    try:
        made.start(controllers=False)
        yield made
    finally:
        made.stop()


def test_a_cluster_without_knative_or_with_its_own_autoscaler_is_refused(
    bare: ControlPlane,
) -> None:
    kubeconfig = bare.kubeconfig("admin", bare.token)

    def why() -> str:
        return refusal(kubeconfig, "default", Cluster.check)

    assert why() == (
        "the cluster of context 'plane' has no Knative Serving; allowed: one where it is installed"
    )
    apply(administrator(bare), yaml.safe_load_all((HERE / "crds.yaml").read_text()))
    wait_until(lambda: "no Knative Serving" not in why(), 30, "Knative's kinds")
    assert why().startswith(
        "the cluster of context 'plane' does not have kn-ahead as its autoscaler; allowed: after"
    )


def test_a_service_whose_image_cannot_be_had_is_said_with_the_cluster_s_reason(
    kubeconfig: Path, cluster: Objects
) -> None:
    said = 'Revision "x-00001" failed:\n Unable to fetch image "none": not found'
    failed = {"type": "ConfigurationsReady", "status": "False", "message": said}
    waiting = {"type": "Ready", "status": "False"}

    async def wait(found: Cluster) -> None:
        await found.create(found.services, body_of("bench-timer-off"))
        status = {"status": {"conditions": [waiting, failed]}}
        cluster.custom.patch_namespaced_custom_object_status(
            GROUP, "v1", cluster.namespace, PLURAL, "bench-timer-off", status
        )
        await found.until_ready(["bench-timer-off"])

    why = refusal(kubeconfig, cluster.namespace, wait)
    assert "\n" not in why
    assert why.startswith(f"service {cluster.namespace}/bench-timer-off does not become ready: ")
    assert 'failed: Unable to fetch image "none": not found; allowed: an image' in why
    assert ask(kubeconfig, cluster.namespace, Cluster.remove) == 1


def test_a_refusal_of_several_lines_is_said_in_one(kubeconfig: Path, cluster: Objects) -> None:
    body = body_of("bench-timer-off")
    body["spec"]["template"]["metadata"]["annotations"] = {"a": 1, "b": 2}

    async def make(found: Cluster) -> None:
        await found.create(found.services, body)

    why = refusal(kubeconfig, cluster.namespace, make)
    assert "\n" not in why
    assert why.startswith(
        "the cluster of context 'plane' refused to create services.serving.knative.dev in namespace"
        f" {cluster.namespace} bench-timer-off: "
    )


# --- the command ----------------------------------------------------------------------------------


def command(kubeconfig: Path, namespace: str, folder: Path, *more: str) -> list[str]:
    program = [*HEARING_CTRL_C, *kn_ahead("bench", "live")]
    where = ["--kubeconfig", str(kubeconfig), "--context", "plane", "--namespace", namespace]
    return [*program, *where, "--report", str(folder / "report.html"), *more]


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_a_benchmark_that_is_cut_off_leaves_nothing_behind(
    kubeconfig: Path, somebodys: Objects, tmp_path: Path, by: signal.Signals
) -> None:
    before = left(somebodys)
    line = command(kubeconfig, somebodys.namespace, tmp_path, "--image", "none")
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        wait_until(lambda: PROMETHEUS in left(somebodys), 60, "something made")
        process.send_signal(by)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.decode() == "kn-ahead: interrupted; nothing of the benchmark is left\n"
    assert left(somebodys) == before
    assert os.listdir(tmp_path) == []  # noqa: PTH208


def test_what_an_earlier_run_has_left_is_found(
    kubeconfig: Path, somebodys: Objects, tmp_path: Path
) -> None:
    before = left(somebodys)
    ask(kubeconfig, somebodys.namespace, make_all)
    line = command(kubeconfig, somebodys.namespace, tmp_path, "--cleanup")
    result = subprocess.run(line, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, "Taken away: 6 objects\n")
    assert left(somebodys) == before


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ((), "image is missing; allowed: that of a service, by --image"),
        (("--image", "x", "--policy", "kpa"), "policy 'kpa' is not known; allowed: off"),
        (("--image", "x", "--kind", "weekly"), "kind 'weekly' is not known; allowed: timer"),
        (("--image", "x", "--refit", "soon"), "time 'soon' is not understood; allowed: 10d"),
        (("--image", "x", "--report", "/nope/x.html"), "/nope/x.html cannot be written: "),
        # Which writes no report.
        (("--image", "x", "--starts", "a", "--report", "/nope/x.html"), "starts 'a' are no rates"),
    ],
)
def test_bad_input_is_one_line(
    kubeconfig: Path, tmp_path: Path, more: tuple[str, ...], why: str
) -> None:
    line = command(kubeconfig, "default", tmp_path, *more)
    result = subprocess.run(line, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert result.stderr.startswith(f"kn-ahead: {why}")
    assert result.stderr.count("\n") == 1
