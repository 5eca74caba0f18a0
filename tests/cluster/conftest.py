"""A real cluster with Knative, by KUBECONFIG, reached from where its Services resolve.

`make e2e` runs these; the plain test run does not collect them. The sample service is `E2E_IMAGE`:
it sleeps START_DELAY_MS before it listens, works `?work=` ms, and answers its pod's name.
"""

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests
from kubernetes import client, config

from benchmarks.live.learning import SYSTEM
from benchmarks.live.services import (
    GROUP,
    PLURAL,
    VERSION,
    address_of,
    knative_service,
    revision_of,
)

NAMESPACE = os.environ.get("E2E_NAMESPACE", "default")
IMAGE = os.environ.get("E2E_IMAGE", "dev.local/app")
DOMAIN = os.environ.get("CLUSTER_DOMAIN", "cluster.local")


@dataclass(frozen=True)
class Cluster:
    """What a test may ask of the cluster."""

    custom: Any = field(default_factory=client.CustomObjectsApi)
    core: Any = field(default_factory=client.CoreV1Api)
    apps: Any = field(default_factory=client.AppsV1Api)

    def pods(self, revision: str) -> list[Any]:
        """Pods of a revision that are not on their way out."""
        return [pod for pod in self.there(revision) if pod.metadata.deletion_timestamp is None]

    def there(self, revision: str) -> list[Any]:
        """All pods of a revision, those on their way out as well."""
        found = self.core.list_namespaced_pod(
            NAMESPACE, label_selector=f"serving.knative.dev/revision={revision}"
        )
        return list(found.items)

    def ready(self, revision: str) -> set[str]:
        """Names of its pods that are ready."""
        return {
            pod.metadata.name
            for pod in self.pods(revision)
            if any(c.type == "Ready" and c.status == "True" for c in pod.status.conditions or [])
        }

    def replicas(self, revision: str) -> int:
        """What its Deployment asks for."""
        found = self.apps.read_namespaced_deployment(f"{revision}-deployment", NAMESPACE)
        return int(found.spec.replicas)

    def call(self, revision: str, work_ms: int = 0) -> tuple[int, str, float]:
        """Status, pod that answered, and s that it took."""
        status, pods, took = self.call_all(revision, work_ms)
        return status, pods[0] if pods else "", took

    def call_all(self, revision: str, work_ms: int = 0) -> tuple[int, list[str], float]:
        """Status, the pod that answered and those that it called, and s that it took."""
        begin = time.monotonic()  # noqa: TID251
        url = f"{address_of(revision, NAMESPACE, DOMAIN)}?work={work_ms}"
        answer = requests.get(url, timeout=60)
        return answer.status_code, answer.text.split(), time.monotonic() - begin  # noqa: TID251

    def load(
        self, revision: str, *, clients: int, seconds: float, work_ms: int
    ) -> list[tuple[int, str, float]]:
        """Answers to so many clients that call one after the other for so long."""
        end = time.monotonic() + seconds  # noqa: TID251

        def one(_: int) -> list[tuple[int, str, float]]:
            answers = []
            while time.monotonic() < end:  # noqa: TID251
                answers.append(self.call(revision, work_ms))
            return answers

        with ThreadPoolExecutor(clients) as pool:
            return [answer for some in pool.map(one, range(clients)) for answer in some]

    def page(self, path: str) -> str:
        """What the autoscaler answers on its port for people and Prometheus."""
        url = f"http://autoscaler.{SYSTEM}.svc.{DOMAIN}:9090{path}"
        return requests.get(url, timeout=10).text

    def until(self, holds: Callable[[], bool], seconds: float, what: str) -> float:
        """Wait until something holds; returns how long it took, s."""
        begin = time.monotonic()  # noqa: TID251
        while time.monotonic() - begin < seconds:  # noqa: TID251
            if holds():
                return time.monotonic() - begin  # noqa: TID251
            time.sleep(0.1)
        raise AssertionError(f"{what}: not within {seconds:g} s")


Deploy = Callable[..., str]


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The cluster of KUBECONFIG."""
    config.load_kube_config()  # type: ignore[no-untyped-call]
    return Cluster()


@pytest.fixture
def deploy(cluster: Cluster) -> Iterator[Deploy]:
    """Makes Knative services that are gone after the test; returns the revision's name."""
    made = []

    def make(
        name: str,
        *,
        start_ms: int = 500,
        concurrency: int = 0,
        ours: dict[str, str] | None = None,
        calls: str = "",
        **annotations: str,
    ) -> str:
        """ours: annotations of ours. calls: a revision that it calls before it answers."""
        said = {f"autoscaling.knative.dev/{k.replace('_', '-')}": v for k, v in annotations.items()}
        said |= {f"kn-ahead.dev/{key}": value for key, value in (ours or {}).items()}
        body = knative_service(
            name,
            image=IMAGE,
            start_s=start_ms / 1000,
            annotations=said,
            concurrency=concurrency,
            calls=address_of(calls, NAMESPACE, DOMAIN) if calls else "",
        )
        cluster.custom.create_namespaced_custom_object(GROUP, VERSION, NAMESPACE, PLURAL, body)
        made.append(name)
        cluster.until(lambda: _is_ready(cluster, name), 60, f"{name} ready")
        return revision_of(name)

    yield make
    for name in made:
        cluster.custom.delete_namespaced_custom_object(GROUP, VERSION, NAMESPACE, PLURAL, name)


def _is_ready(cluster: Cluster, name: str) -> bool:
    found = cluster.custom.get_namespaced_custom_object(GROUP, VERSION, NAMESPACE, PLURAL, name)
    conditions = found.get("status", {}).get("conditions", [])
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
