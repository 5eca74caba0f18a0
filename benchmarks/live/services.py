"""Manifests of the services that are called.

Their image is asked for little: that it waits START_DELAY_MS before it listens, takes `?work=` ms
for a request, gets NEXT before it answers, and answers the names of the pods that took part. An
image that does none of this is measured as it is: its own start-up, and its pods seen from outside.
"""

from collections.abc import Mapping
from typing import Any

GROUP, VERSION, PLURAL = "serving.knative.dev", "v1", "services"
LABEL = "kn-ahead.dev/benchmark"  # on all that a benchmark makes, pods among them
PREFIX = "bench-"  # of the services' names
SELECTOR = f"{LABEL}=live"
LABELS = {LABEL: "live"}


def knative_service(
    name: str,
    *,
    image: str,
    start_s: float,
    annotations: Mapping[str, str],
    concurrency: int = 0,
    calls: str = "",
    labels: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """A Knative service. calls: the address that it gets before it answers. labels: on all."""
    env = [{"name": "START_DELAY_MS", "value": f"{1000 * start_s:.0f}"}]
    if calls:
        env.append({"name": "NEXT", "value": calls})
    marks = {"labels": dict(labels)} if labels else {}
    spec = {"containers": [{"image": image, "env": env}], "containerConcurrency": concurrency}
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": "Service",
        "metadata": {"name": name, **marks},
        "spec": {
            "template": {"metadata": {"annotations": dict(annotations), **marks}, "spec": spec}
        },
    }


def revision_of(service: str) -> str:
    """The name of a service's first revision."""
    return f"{service}-00001"


def address_of(revision: str, namespace: str, domain: str) -> str:
    """Where a revision is reached from within the cluster: its pods, or the activator at zero."""
    return f"http://{revision}.{namespace}.svc.{domain}/"
