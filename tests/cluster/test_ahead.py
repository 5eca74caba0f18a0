"""What is called by a timer is learned from Prometheus, and never cold again.

Takes some twenty minutes: a service that Knative lets go to zero between two calls, its twin that
no forecast may touch, a real Prometheus, and the learner as its manifest has it.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import knative
from tests.cluster.conftest import SYSTEM, Cluster, Deploy

PERIOD_S = 90.0
LEARNING, SHOWN = 14, 5  # calls at most until it is learned; calls that must be warm from then on
WARM_S = 1.0  # a cold call takes the start-up time, two seconds
PROMETHEUS = os.environ.get("E2E_PROMETHEUS_IMAGE", "prom/prometheus")
MANIFEST = Path(knative.__file__).parent / "manifests" / "learner.yaml"
CONFIG = f"""
global: {{scrape_interval: 5s}}
scrape_configs:
  - job_name: kn-ahead
    static_configs: [{{targets: ["autoscaler.{SYSTEM}.svc:9090"]}}]
"""


@pytest.fixture(scope="module")
def learning(cluster: Cluster) -> Iterator[None]:
    """Prometheus, and a learner that reads from it every ten seconds."""
    learner, service = yaml.safe_load_all(MANIFEST.read_text())
    container = learner["spec"]["template"]["spec"]["containers"][0]
    container["image"] = image_in_the_seat(cluster)
    args = container["args"]
    args[args.index("--prometheus") + 1] = f"http://e2e-prometheus.{SYSTEM}.svc:9090"
    args += ["--step", "10", "--history", "2h", "--refit", "3m"]
    cluster.core.create_namespaced_config_map(
        SYSTEM, {"metadata": {"name": "e2e-prometheus"}, "data": {"prometheus.yml": CONFIG}}
    )
    for deployment in (prometheus(), learner):
        cluster.apps.create_namespaced_deployment(SYSTEM, deployment)
    port = {"spec": {"selector": {"app": "e2e-prometheus"}, "ports": [{"port": 9090}]}}
    for made in ({"metadata": {"name": "e2e-prometheus"}} | port, service):
        cluster.core.create_namespaced_service(SYSTEM, made)
    yield
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


def image_in_the_seat(cluster: Cluster) -> str:
    seat = cluster.apps.read_namespaced_deployment("autoscaler", SYSTEM)
    return str(seat.spec.template.spec.containers[0].image)


def test_a_timer_that_was_learned_is_never_cold_again(
    cluster: Cluster, deploy: Deploy, learning: None
) -> None:
    ahead = deploy("e2e-ahead", start_ms=2000, ours={"mode": "outward"})
    twin = deploy("e2e-twin", start_ms=2000, ours={"mode": "off"})
    begin = time.monotonic()  # noqa: TID251
    warm: list[bool] = []
    twin_warm: list[bool] = []
    used: set[str] = set()
    for call in range(1, LEARNING + SHOWN + 1):
        time.sleep(max(0.0, begin + call * PERIOD_S - time.monotonic()))  # noqa: TID251
        ready = cluster.ready(ahead)
        status, pod, took = cluster.call(ahead)
        twin_status, _, twin_took = cluster.call(twin)
        assert (status, twin_status) == (200, 200)
        new = pod not in used
        used.add(pod)
        # Ready before the request came, and not merely kept since the last one.
        warm.append(pod in ready and new and took < WARM_S)
        twin_warm.append(twin_took < WARM_S)
        print(f"call {call}: {took:.2f} s by {pod}, new {new}; twin {twin_took:.2f} s")
        if len(warm) > SHOWN and all(warm[-SHOWN:]):
            break
    assert all(warm[-SHOWN:]), warm
    assert not any(twin_warm[1:]), twin_warm
