from typing import Any

import pytest

from knative.api import Object
from knative.objects import (
    kubernetes_time,
    pod,
    podautoscaler,
    replicas,
    serverlessservice,
    unix,
)
from tests.knative.conftest import (
    LONG_AGO,
    NOW_S,
    a_condition,
    a_deployment,
    a_pod,
    a_podautoscaler,
    a_serverlessservice,
)


def test_keeps_what_was_asked_for_a_revision() -> None:
    status = {"desiredScale": 3}
    pa = podautoscaler(a_podautoscaler(containerConcurrency=5, protocolType="h2c", status=status))
    assert (pa.namespace, pa.name, pa.uid, pa.generation) == ("shop", "cart", "uid-of-cart", 1)
    assert (pa.concurrency, pa.protocol, pa.reachability) == (5, "h2c", "Reachable")
    assert pa.target["name"] == "cart-deployment"
    assert pa.status == status


def test_what_the_api_server_leaves_out_has_a_meaning() -> None:
    meta = {"namespace": "shop", "name": "cart", "uid": "u"}
    pa = podautoscaler({"metadata": meta})
    assert (pa.generation, pa.concurrency, pa.protocol, pa.reachability) == (0, 0, "http1", "")
    assert (pa.labels, pa.annotations, pa.target, pa.status) == ({}, {}, {}, {})


def test_a_revision_belongs_to_its_service_or_to_itself() -> None:
    labelled = a_podautoscaler()
    assert podautoscaler(labelled).service == "shop/cart-service"
    labelled["metadata"]["labels"] = {}
    assert podautoscaler(labelled).service == "shop/cart"


def test_a_serverlessservice_that_is_set_up() -> None:
    sks = serverlessservice(a_serverlessservice())
    assert (sks.owner, sks.service, sks.private) == ("uid-of-cart", "cart", "cart-private")
    assert sks.ready
    assert sks.proxied_since_s == NOW_S - 1000


def test_a_serverlessservice_that_is_new_is_not_set_up() -> None:
    sks = serverlessservice({"metadata": {"generation": 1}, "spec": {"mode": "Proxy"}})
    assert (sks.owner, sks.service, sks.private, sks.ready) == ("", "", "", False)
    assert sks.proxied_since_s is None


def test_a_serverlessservice_is_ready_only_while_its_status_is_current() -> None:
    o = a_serverlessservice()
    o["metadata"]["generation"] = 2
    assert not serverlessservice(o).ready


def test_only_a_controller_owns() -> None:
    o = a_serverlessservice()
    o["metadata"]["ownerReferences"] = [{"uid": "a"}, {"uid": "b", "controller": True}]
    assert serverlessservice(o).owner == "b"
    o["metadata"]["ownerReferences"] = [{"uid": "a"}]
    assert serverlessservice(o).owner == ""


def test_a_serverlessservice_that_serves_has_no_activator_in_the_path() -> None:
    assert serverlessservice(a_serverlessservice(mode="Serve")).proxied_since_s is None


@pytest.mark.parametrize(("asked", "pods"), [(None, 1), (0, 0), (3, 3)])
def test_a_deployment_that_says_nothing_asks_for_one(asked: int | None, pods: int) -> None:
    assert replicas(a_deployment(pods=asked)) == pods


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({}, "ready"),
        ({"ready": False}, "unready"),
        ({"phase": "Pending", "ready": False}, "pending"),
        ({"deletionTimestamp": LONG_AGO}, "terminating"),
        ({"phase": "Succeeded"}, "other"),
        ({"phase": "Failed", "ready": False}, "other"),
    ],
)
def test_states_of_pods(fields: dict[str, Any], state: str) -> None:
    assert pod(a_pod(**fields)).state == state


def test_times_of_a_pod() -> None:
    got = pod(a_pod(created_s=NOW_S - 20, ready_s=NOW_S - 12))
    assert (got.created_s, got.started_s, got.ready_s) == (NOW_S - 20, NOW_S - 20, NOW_S - 12)
    assert pod(a_pod(ready=False)).ready_s == 0.0


def test_a_pod_that_was_not_scheduled_yet() -> None:
    o = a_pod(phase="Pending")
    o["status"] = {"phase": "Pending"}
    got = pod(o)
    assert (got.state, got.address, got.started_s, got.ready_s) == ("pending", "", 0.0, 0.0)


def test_a_pod_names_its_revision() -> None:
    assert pod(a_pod(revision="cart-00002")).revision == "shop/cart-00002"


def test_conditions_that_are_not_about_readiness_are_passed_over() -> None:
    o: Object = a_pod()
    o["status"]["conditions"].insert(0, a_condition("PodScheduled", "False"))
    assert pod(o).state == "ready"


@pytest.mark.parametrize("text", ["2023-11-14T22:13:20Z", "2023-11-14T22:13:20.000000Z"])
def test_reads_kubernetes_times(text: str) -> None:
    assert unix(text) == NOW_S


@pytest.mark.parametrize("text", [None, ""])
def test_a_time_that_is_missing_is_none(text: str | None) -> None:
    assert unix(text) is None


def test_writes_whole_seconds_of_utc() -> None:
    assert kubernetes_time(NOW_S + 0.9) == "2023-11-14T22:13:20Z"
