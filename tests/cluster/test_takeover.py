"""Knative's autoscaler is put back under load, and taken over from again: nothing is lost."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks.live.learning import SYSTEM
from tests.cluster.conftest import Cluster, Deploy

SETTLE_S = 60.0


@pytest.fixture
def stock() -> dict[str, Any]:
    """Knative's own Deployment `autoscaler`."""
    named = os.environ.get("E2E_STOCK")
    assert named, "name Knative's manifest of its Deployment `autoscaler` in E2E_STOCK"
    documents = yaml.safe_load_all(Path(named).read_text())
    return next(dict(d) for d in documents if d and d["kind"] == "Deployment")


def test_knative_is_put_back_and_taken_over_under_load(
    cluster: Cluster, deploy: Deploy, stock: dict[str, Any]
) -> None:
    revision = deploy("e2e-takeover", target="2")
    ours = cluster.apps.read_namespaced_deployment("autoscaler", SYSTEM)
    mine = cluster.apps.api_client.sanitize_for_serialization(ours)
    restarts = activator_restarts(cluster)
    cluster.load(revision, clients=6, seconds=5, work_ms=200)
    with ThreadPoolExecutor(1) as pool:
        load = pool.submit(cluster.load, revision, clients=6, seconds=45, work_ms=200)
        try:
            put(cluster, stock)
            assert who(cluster) != "kn-ahead"
        finally:
            put(cluster, mine)
        assert who(cluster) == "kn-ahead"
        answers = load.result()
    assert {status for status, _, _ in answers} == {200}
    # More load than before, so that whoever sits there now has to act.
    answers = cluster.load(revision, clients=14, seconds=15, work_ms=500)
    assert {status for status, _, _ in answers} == {200}
    assert cluster.replicas(revision) >= 7
    assert activator_restarts(cluster) == restarts


def put(cluster: Cluster, deployment: dict[str, Any]) -> None:
    """Replace the Deployment, and wait until its pod is there and no other."""
    kept = {"name": "autoscaler", "namespace": SYSTEM, "labels": deployment["metadata"]["labels"]}
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": kept}
    cluster.apps.replace_namespaced_deployment(
        "autoscaler", SYSTEM, body | {"spec": deployment["spec"]}
    )

    def settled() -> bool:
        now = cluster.apps.read_namespaced_deployment("autoscaler", SYSTEM)
        status = now.status
        return status.observed_generation == now.metadata.generation and (
            status.updated_replicas,
            status.ready_replicas,
            status.replicas,
        ) == (1, 1, 1)

    cluster.until(settled, SETTLE_S, "one ready autoscaler")


def who(cluster: Cluster) -> str:
    """Whose Deployment it is."""
    found = cluster.apps.read_namespaced_deployment("autoscaler", SYSTEM)
    return str(found.spec.template.metadata.labels.get("app.kubernetes.io/name"))


def activator_restarts(cluster: Cluster) -> int:
    """How often activators were restarted so far."""
    pods = cluster.core.list_namespaced_pod(SYSTEM, label_selector="app=activator").items
    return sum(c.restart_count for pod in pods for c in pod.status.container_statuses)
