"""Manifests of a Prometheus that reads from the autoscaler, and of a learner in steps of seconds.

Time is compressed in a benchmark, so that the learner of the cluster, which thinks in minutes,
would learn nothing in it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

import knative

Object = dict[str, Any]

SYSTEM = "knative-serving"
PROMETHEUS, LEARNER = "kn-ahead-benchmark-prometheus", "kn-ahead-learner"
MANIFEST = Path(knative.__file__).parent / "manifests" / "learner.yaml"
CONFIG = f"""
global: {{scrape_interval: 5s}}
scrape_configs:
  - job_name: kn-ahead
    static_configs: [{{targets: ["autoscaler.{SYSTEM}.svc:9090"]}}]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Learning:
    """How a learner learns."""

    step_s: int = 10  # no shorter than from one scrape to the next
    refit: str = "5m"  # how often its models are fitted anew

    def __str__(self) -> str:
        """In words."""
        return f"steps of {self.step_s} s, fits every {self.refit}"


def learning_objects(
    learning: Learning, *, image: str, prometheus_image: str, labels: dict[str, str]
) -> list[Object]:
    """Of namespace knative-serving, in the order in which they are made.

    image: of kn-ahead. labels: added to each.
    """
    deployment, service = yaml.safe_load_all(MANIFEST.read_text())
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    container["image"] = image
    # The last word counts.
    container["args"] += [
        f"--prometheus=http://{PROMETHEUS}.{SYSTEM}.svc:9090",
        *(f"--step={learning.step_s}", "--history=2h", f"--refit={learning.refit}"),
    ]
    made = [*_prometheus(prometheus_image), deployment, service]
    for each in made:
        each["metadata"]["labels"] = each["metadata"].get("labels", {}) | labels
    return made


def _prometheus(image: str) -> list[Object]:
    labels, meta = {"app": PROMETHEUS}, {"name": PROMETHEUS, "namespace": SYSTEM}
    container = {
        "name": "prometheus",
        "image": image,
        "args": ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"],
        "volumeMounts": [
            {"name": "config", "mountPath": "/etc/prometheus"},
            {"name": "data", "mountPath": "/prometheus"},
        ],
    }
    volumes = [
        {"name": "config", "configMap": {"name": PROMETHEUS}},
        {"name": "data", "emptyDir": {}},
    ]
    template = {
        "metadata": {"labels": labels},
        "spec": {"containers": [container], "volumes": volumes},
    }
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": dict(meta),
            "data": {"prometheus.yml": CONFIG},
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": dict(meta),
            "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": dict(meta),
            "spec": {"selector": labels, "ports": [{"port": 9090}]},
        },
    ]
