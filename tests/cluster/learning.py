"""A real Prometheus that reads from the autoscaler, and the learner as its manifest has it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from kubernetes import utils

from benchmarks.live.learning import LEARNER, PROMETHEUS, SYSTEM, Learning, learning_objects
from tests.cluster.conftest import Cluster

PROMETHEUS_IMAGE = os.environ.get("E2E_PROMETHEUS_IMAGE", "prom/prometheus")


@contextmanager
def learner(cluster: Cluster, *, refit: str) -> Iterator[None]:
    """Prometheus, and a learner that reads from it every ten seconds, without any past.

    refit: how often its models are fitted anew.
    """
    made = learning_objects(
        Learning(refit=refit),
        image=our_image(cluster),
        prometheus_image=PROMETHEUS_IMAGE,
        labels={},
    )
    for body in made:
        utils.create_from_dict(cluster.core.api_client, body)  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        for name in (PROMETHEUS, LEARNER):
            cluster.apps.delete_namespaced_deployment(name, SYSTEM)
            cluster.core.delete_namespaced_service(name, SYSTEM)
        cluster.core.delete_namespaced_config_map(PROMETHEUS, SYSTEM)


def our_image(cluster: Cluster) -> str:
    found = cluster.apps.read_namespaced_deployment("autoscaler", SYSTEM)
    return str(found.spec.template.spec.containers[0].image)
