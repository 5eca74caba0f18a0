"""kn-ahead scales what Knative scaled: from zero, to many, and back, on a real cluster."""

import time

import pytest

from tests.cluster.conftest import Cluster, Deploy

TO_ZERO_S = 150.0  # stable window, grace, and a queue-proxy's own drain


def test_the_seat_is_ours(cluster: Cluster) -> None:
    seat = cluster.apps.read_namespaced_deployment("autoscaler", "knative-serving")
    assert seat.metadata.labels["app.kubernetes.io/name"] == "kn-ahead"
    assert seat.status.ready_replicas == 1


def test_a_service_at_zero_answers_its_first_request_from_a_new_pod(
    cluster: Cluster, deploy: Deploy
) -> None:
    revision = deploy("e2e-cold", start_ms=1000)
    before = cluster.ready(revision)
    cluster.until(lambda: not cluster.pods(revision), TO_ZERO_S, "no pod")
    status, pod, took = cluster.call(revision)
    assert (status, pod in before) == (200, False)
    # The activator asks pods itself: it may be ahead of the kubelet's word that one is ready.
    assert pod in {found.metadata.name for found in cluster.pods(revision)}
    assert took < 8


def test_load_scales_out_over_many_pods_and_loses_nothing(cluster: Cluster, deploy: Deploy) -> None:
    revision = deploy("e2e-load", target="5", concurrency=10)
    answers = cluster.load(revision, clients=40, seconds=25, work_ms=500)
    assert {status for status, _, _ in answers} == {200}
    assert len({pod for _, pod, _ in answers}) >= 8
    cluster.until(lambda: not cluster.pods(revision), TO_ZERO_S, "back to no pod")


def test_bounds_and_initial_scale_are_kept(cluster: Cluster, deploy: Deploy) -> None:
    revision = deploy("e2e-bounds", min_scale="2", max_scale="3", initial_scale="3", target="1")
    assert cluster.replicas(revision) == 3
    cluster.until(lambda: cluster.replicas(revision) == 2, 120, "down to min-scale")
    answers = cluster.load(revision, clients=12, seconds=10, work_ms=300)
    assert {status for status, _, _ in answers} == {200}
    assert cluster.replicas(revision) == 3


def test_activation_scale_is_what_the_first_request_wakes(cluster: Cluster, deploy: Deploy) -> None:
    revision = deploy("e2e-activation", activation_scale="3")
    cluster.until(lambda: not cluster.pods(revision), TO_ZERO_S, "no pod")
    assert cluster.call(revision)[0] == 200
    cluster.until(lambda: len(cluster.ready(revision)) == 3, 20, "three pods")


def test_requests_per_second_scale_as_well(cluster: Cluster, deploy: Deploy) -> None:
    revision = deploy("e2e-rps", metric="rps", target="10")
    answers = cluster.load(revision, clients=8, seconds=15, work_ms=100)
    assert {status for status, _, _ in answers} == {200}
    assert cluster.replicas(revision) >= 4


@pytest.mark.parametrize("kind", ["predictive.kn-ahead.dev"])
def test_our_own_class_is_scaled_too(cluster: Cluster, deploy: Deploy, kind: str) -> None:
    revision = deploy("e2e-class", **{"class": kind})
    cluster.until(lambda: not cluster.pods(revision), TO_ZERO_S, "no pod")
    assert cluster.call(revision)[0] == 200


def test_a_call_every_few_seconds_is_never_cold(cluster: Cluster, deploy: Deploy) -> None:
    revision = deploy("e2e-steady")
    pods = set()
    for _ in range(6):
        pods.add(cluster.call(revision)[1])
        time.sleep(3)
    assert len(pods) == 1
