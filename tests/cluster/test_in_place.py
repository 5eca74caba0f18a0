"""kn-ahead scales what Knative scaled: from zero, to many, and back, on a real cluster."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from benchmarks.live.services import GROUP, PLURAL, VERSION
from tests.cluster.conftest import IMAGE, NAMESPACE, Cluster, Deploy

TO_ZERO_S = 150.0  # stable window, grace, and a queue-proxy's own drain


def test_knatives_place_is_ours(cluster: Cluster) -> None:
    found = cluster.apps.read_namespaced_deployment("autoscaler", "knative-serving")
    assert found.metadata.labels["app.kubernetes.io/name"] == "kn-ahead"
    assert found.status.ready_replicas == 1


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


def test_a_burst_is_met_by_panic_and_its_pods_stay_for_a_stable_window(
    cluster: Cluster, deploy: Deploy
) -> None:
    revision = deploy("e2e-panic", target="1", window="30s")
    cluster.load(revision, clients=1, seconds=8, work_ms=200)
    begin = cluster.replicas(revision)
    answers = cluster.load(revision, clients=10, seconds=12, work_ms=500)
    reached = cluster.replicas(revision)
    assert {status for status, _, _ in answers} == {200}
    assert (begin <= 2, reached >= 10) == (True, True)
    mark = f'kn_revision_name="{revision}"'
    lines = cluster.page("/metrics").splitlines()
    (panic,) = [
        line for line in lines if line.startswith("kn_revision_panic_mode{") and mark in line
    ]
    assert float(panic.rpartition(" ")[2]) == 1
    time.sleep(10)
    assert cluster.replicas(revision) >= reached


def test_one_request_a_pod_means_one_pod_a_request(cluster: Cluster, deploy: Deploy) -> None:
    revision = deploy("e2e-single", concurrency=1)
    answers = cluster.load(revision, clients=6, seconds=15, work_ms=800)
    assert {status for status, _, _ in answers} == {200}
    assert len({pod for _, pod, _ in answers}) >= 6


def test_a_new_revision_under_load_loses_nothing_and_the_old_one_goes(
    cluster: Cluster, deploy: Deploy
) -> None:
    old = deploy("e2e-change", target="2")
    answers = cluster.load(old, clients=6, seconds=8, work_ms=300)
    container = {"image": IMAGE, "env": [{"name": "START_DELAY_MS", "value": "700"}]}
    change = {"spec": {"template": {"spec": {"containers": [container]}}}}
    with ThreadPoolExecutor(1) as pool:
        load = pool.submit(cluster.load, old, clients=6, seconds=12, work_ms=300)
        cluster.custom.patch_namespaced_custom_object(
            GROUP, VERSION, NAMESPACE, PLURAL, "e2e-change", change
        )
        new = "e2e-change-00002"
        cluster.until(lambda: bool(cluster.ready(new)), 60, "the new revision's pod")
        answers += load.result()
    answers += cluster.load(new, clients=6, seconds=10, work_ms=300)
    assert {status for status, _, _ in answers} == {200}
    assert cluster.replicas(new) >= 3
    cluster.until(lambda: cluster.replicas(old) == 0, TO_ZERO_S, "the old revision at zero")
