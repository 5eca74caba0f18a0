"""A real Prometheus that reads from the autoscaler, and the learner as its manifest has it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

import knative
from tests.cluster.conftest import SYSTEM, Cluster

PROMETHEUS = os.environ.get("E2E_PROMETHEUS_IMAGE", "prom/prometheus")
MANIFEST = Path(knative.__file__).parent / "manifests" / "learner.yaml"
CONFIG = f"""
global: {{scrape_interval: 5s}}
scrape_configs:
  - job_name: kn-ahead
    static_configs: [{{targets: ["autoscaler.{SYSTEM}.svc:9090"]}}]
"""


@contextmanager
def learner(cluster: Cluster, *, refit: str) -> Iterator[None]:
    """Prometheus, and a learner that reads from it every ten seconds, without any past.

    refit: how often its models are fitted anew.
    """
    deployment, service = yaml.safe_load_all(MANIFEST.read_text())
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    container["image"] = our_image(cluster)
    # The last word counts.
    container["args"] += [
        f"--prometheus=http://e2e-prometheus.{SYSTEM}.svc:9090",
        *("--step=10", "--history=2h", f"--refit={refit}"),
    ]
    cluster.core.create_namespaced_config_map(
        SYSTEM, {"metadata": {"name": "e2e-prometheus"}, "data": {"prometheus.yml": CONFIG}}
    )
    for made in (prometheus(), deployment):
        cluster.apps.create_namespaced_deployment(SYSTEM, made)
    port = {"spec": {"selector": {"app": "e2e-prometheus"}, "ports": [{"port": 9090}]}}
    for made in ({"metadata": {"name": "e2e-prometheus"}} | port, service):
        cluster.core.create_namespaced_service(SYSTEM, made)
    try:
        yield
    finally:
        for name in ("e2e-prometheus", "kn-ahead-learner"):
            cluster.apps.delete_namespaced_deployment(name, SYSTEM)
            cluster.core.delete_namespaced_service(name, SYSTEM)
        cluster.core.delete_namespaced_config_map("e2e-prometheus", SYSTEM)


def prometheus() -> dict[str, Any]:
    labels = {"app": "e2e-prometheus"}
    container = {
        "name": "prometheus",
        "image": PROMETHEUS,
        "args": ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"],
        "volumeMounts": [
            {"name": "config", "mountPath": "/etc/prometheus"},
            {"name": "data", "mountPath": "/prometheus"},
        ],
    }
    volumes = [
        {"name": "config", "configMap": {"name": "e2e-prometheus"}},
        {"name": "data", "emptyDir": {}},
    ]
    spec = {"containers": [container], "volumes": volumes}
    template = {"metadata": {"labels": labels}, "spec": spec}
    return {
        "metadata": {"name": "e2e-prometheus", "labels": labels},
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template},
    }


def our_image(cluster: Cluster) -> str:
    found = cluster.apps.read_namespaced_deployment("autoscaler", SYSTEM)
    return str(found.spec.template.spec.containers[0].image)
