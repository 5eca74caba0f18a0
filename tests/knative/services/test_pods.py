import pytest

from knative.client.api import Object
from knative.mirror.objects import Pod, pod
from knative.services.pods import Requested, queue_proxy, requested_by, start_up_of
from tests.knative.objects import NOW_S, a_pod


def started(created_s: float, took_s: float, *, ready: bool = True) -> Pod:
    at = NOW_S + created_s
    return pod(a_pod(created_s=at, ready_s=at + took_s, ready=ready))


@pytest.mark.parametrize(
    ("pods", "expected"),
    [
        ([], None),
        ([(0, 4)], 4.0),
        ([(0, 4), (10, 6), (20, 5)], 5.0),
        # Those that are oldest do not count.
        ([(0, 90), (1, 90), (2, 90), (10, 3), (20, 3), (30, 3), (40, 4), (50, 3)], 3.0),
        # Kubernetes' times are whole seconds.
        ([(0, 0), (1, 0), (2, 1)], 0.5),
        # A pod whose clock cannot be right.
        ([(0, -5), (10, 7)], 7.0),
    ],
)
def test_a_start_takes_as_long_as_the_newest_pods_took(
    pods: list[tuple[float, float]], expected: float | None
) -> None:
    assert start_up_of([started(*each) for each in pods]) == expected


def test_pods_that_are_not_ready_do_not_tell() -> None:
    assert start_up_of([started(0, 90, ready=False)]) is None


def container(kind: str, **asked: str) -> Object:
    return {"resources": {kind: asked}}


def test_requests_are_those_of_all_containers_and_limits_stand_in_for_them() -> None:
    first = {"resources": {"requests": {"cpu": "250m"}, "limits": {"cpu": "2", "memory": "1Gi"}}}
    more = container("requests", cpu="1", memory="512Mi")
    assert requested_by([first, more, {}]) == Requested(cpu=1.25, memory_gib=1.5)
    assert requested_by([]) == Requested(cpu=0.0, memory_gib=0.0)


def test_what_is_no_quantity_counts_as_none() -> None:
    assert requested_by([container("requests", cpu="much")]).cpu == 0.0


@pytest.mark.parametrize(
    ("data", "cpu", "memory_gib"),
    [
        ({}, 0.025, 0.0),
        ({"queue-sidecar-cpu-request": "50m", "queue-sidecar-memory-request": "256Mi"}, 0.05, 0.25),
    ],
)
def test_the_queue_proxy_requests_what_config_deployment_says(
    data: dict[str, str], cpu: float, memory_gib: float
) -> None:
    assert queue_proxy(data) == Requested(cpu=cpu, memory_gib=memory_gib)
