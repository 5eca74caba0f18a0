"""Pod-seconds from creation to gone, by what a watch of pods hears."""

from datetime import UTC, datetime

import numpy as np
import pytest

from benchmarks.live.pods import PodLog, PodTimes, pod_seconds, started
from knative.client.api import Object

T0 = 1_700_000_000.0


def text(at_s: float) -> str:
    return datetime.fromtimestamp(int(at_s), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def told(
    name: str, *, ready_s: float | None = None, deleted_s: float | None = None, grace_s: int = 0
) -> Object:
    """A pod that was made at T0 + 0.4, as an API server tells it: in whole seconds."""
    meta: Object = {
        "name": name,
        "namespace": "default",
        "uid": f"uid-{name}",
        "labels": {"serving.knative.dev/revision": "shop-00001"},
        "creationTimestamp": text(T0),
    }
    if deleted_s is not None:
        meta |= {"deletionTimestamp": text(deleted_s + grace_s)}
        meta |= {"deletionGracePeriodSeconds": grace_s}
    conditions = []
    if ready_s is not None:
        conditions = [{"type": "Ready", "status": "True", "lastTransitionTime": text(ready_s)}]
    return {"metadata": meta, "status": {"phase": "Running", "conditions": conditions}}


@pytest.fixture
def log() -> PodLog:
    return PodLog()


def only(log: PodLog) -> PodTimes:
    (pod,) = log.pods()
    return pod


def test_a_change_counts_from_when_it_was_heard(log: PodLog) -> None:
    log.put(told("a"), T0 + 0.4)
    log.put(told("a", ready_s=T0 + 2.7), T0 + 2.72)
    log.put(told("a", ready_s=T0 + 2.7, deleted_s=T0 + 20.1, grace_s=30), T0 + 20.15)
    log.drop(told("a", ready_s=T0 + 2.7, deleted_s=T0 + 20.1, grace_s=30), T0 + 50.0)
    pod = only(log)
    found = (pod.created_s, pod.ready_s, pod.deleted_s, pod.gone_s)
    np.testing.assert_allclose(np.array(found) - T0, [0.4, 2.72, 20.15, 50.0], atol=1e-6)
    assert pod.revision == "shop-00001"


def test_after_a_gap_of_the_watch_the_api_server_s_times_count(log: PodLog) -> None:
    log.listed([told("a", ready_s=T0 + 2.7)], T0 + 100.0)
    assert (only(log).created_s, only(log).ready_s) == (T0 + 1.0, T0 + 3.0)


def test_a_pod_that_is_not_listed_any_more_is_gone(log: PodLog) -> None:
    log.put(told("a"), T0 + 0.4)
    log.listed([], T0 + 60.0)
    log.listed([], T0 + 70.0)
    assert (only(log).deleted_s, only(log).gone_s) == (T0 + 60.0, T0 + 60.0)


def test_a_pod_was_ready_when_it_was_first(log: PodLog) -> None:
    log.put(told("a", ready_s=T0 + 2.0), T0 + 2.5)
    log.put(told("a"), T0 + 3.0)
    log.put(told("a", ready_s=T0 + 5.0), T0 + 5.5)
    assert only(log).ready_s == T0 + 2.5


def lived(begin_s: float, end_s: float) -> PodTimes:
    return PodTimes(name="", revision="", created_s=begin_s, gone_s=end_s, parts={})


def test_pod_seconds_are_cut_at_rounds_and_sum_up_to_the_whole() -> None:
    pods = [lived(5.0, 25.0), lived(12.0, np.inf), lived(-10.0, -1.0)]
    edges_s = np.array([0.0, 10.0, 20.0, 30.0])
    np.testing.assert_array_equal(pod_seconds(pods, edges_s), [5.0, 18.0, 15.0])
    assert pod_seconds(pods, np.array([0.0, 30.0])) == [38.0]
    np.testing.assert_array_equal(started(pods, edges_s), [1.0, 1.0, 0.0])


def test_without_pods_there_are_no_pod_seconds() -> None:
    np.testing.assert_array_equal(pod_seconds([], np.array([0.0, 1.0, 2.0])), [0.0, 0.0])
