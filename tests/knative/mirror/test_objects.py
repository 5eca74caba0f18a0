from dataclasses import replace
from typing import Any

import pytest

from autoscaler.annotations import UPSTREAMS
from autoscaler.limits import ANNOTATION_CHARS, ANNOTATION_LENGTH, CONFIG_LENGTH, Limit
from autoscaler.refusals import LimitError
from knative.client.api import Object
from knative.mirror.annotation_names import CLASS, NAME_OF
from knative.mirror.conditions import Status
from knative.mirror.fields import kubernetes_time
from knative.mirror.objects import (
    ScaleTarget,
    configmaps,
    deployment,
    pod,
    podautoscaler,
    serverlessservice,
)
from knative.settings.annotations import revision_of
from knative.settings.cluster import ClusterConfig
from tests.knative.objects import (
    KPA,
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
    assert pa.target.name == "cart-deployment"
    assert pa.status == Status(desired=3)


def test_what_the_api_server_leaves_out_has_a_meaning() -> None:
    meta = {"namespace": "shop", "name": "cart", "uid": "u"}
    pa = podautoscaler({"metadata": meta})
    assert (pa.generation, pa.concurrency, pa.protocol, pa.reachability) == (0, 0, "http1", "")
    assert (pa.service, pa.configuration, pa.configuration_generation) == ("shop/cart", "", 0)
    assert (pa.annotations, pa.target, pa.status) == ({}, ScaleTarget(), Status())


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
    assert deployment(a_deployment(pods=asked)).replicas == pods


def test_a_deployment_tells_by_its_label_which_revision_it_is_of() -> None:
    o = a_deployment(revision="cart-00002")
    assert deployment(o).revision == "cart-00002"
    o["metadata"]["labels"] = {}
    assert deployment(o).revision == ""


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


@pytest.mark.parametrize(
    ("metadata", "deleted_s"),
    [
        ({}, 0.0),
        ({"deletionTimestamp": kubernetes_time(NOW_S + 300)}, NOW_S + 300),
        (
            {"deletionTimestamp": kubernetes_time(NOW_S + 300), "deletionGracePeriodSeconds": 300},
            NOW_S,
        ),
    ],
)
def test_a_pod_was_asked_to_go_its_grace_before_it_has_to(
    metadata: dict[str, Any], deleted_s: float
) -> None:
    assert pod(a_pod(**metadata)).deleted_s == deleted_s


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


def test_writes_whole_seconds_of_utc() -> None:
    assert kubernetes_time(NOW_S + 0.9) == "2023-11-14T22:13:20Z"


# --- what is kept of annotations ------------------------------------------------------------------

WINDOW, MIN_SCALE = "autoscaling.knative.dev/window", "autoscaling.knative.dev/min-scale"


def kept_of(annotations: dict[str, str]) -> dict[str, str]:
    """What is kept, but for the class."""
    kept = dict(podautoscaler(a_podautoscaler(annotations=annotations)).annotations)
    del kept[CLASS]
    return kept


def test_only_annotations_that_are_read_are_kept() -> None:
    assert kept_of({WINDOW: "1m", "example.com/owner": "x" * 100_000}) == {WINDOW: "1m"}


def test_both_spellings_have_one_name_and_the_first_counts() -> None:
    alias = "autoscaling.knative.dev/minScale"
    assert kept_of({alias: "3"}) == {MIN_SCALE: "3"}
    assert kept_of({alias: "3", MIN_SCALE: "5"}) == {MIN_SCALE: "5"}
    assert kept_of({MIN_SCALE: "5", alias: "3"}) == {MIN_SCALE: "5"}


def test_a_value_that_is_too_long_counts_as_not_set_and_is_named() -> None:
    refused: list[tuple[Limit, str]] = []
    said = {WINDOW: "1" * 65, MIN_SCALE: "5", UPSTREAMS: "cart," * 12}
    pa = podautoscaler(
        a_podautoscaler(annotations=said), lambda limit, who: refused.append((limit, who))
    )
    assert pa.annotations == {MIN_SCALE: "5", UPSTREAMS: "cart," * 12, CLASS: KPA}
    assert refused == [(ANNOTATION_LENGTH, f"{WINDOW} of shop/cart")]


def test_names_of_others_may_take_more_than_a_number_and_no_more_than_is_read() -> None:
    refused: list[Limit] = []
    longest = "x" * int(ANNOTATION_CHARS.most)
    for text in (longest, longest + "x"):
        o = a_podautoscaler(annotations={UPSTREAMS: text})
        kept = podautoscaler(o, lambda limit, who: refused.append(limit)).annotations
        assert kept.get(UPSTREAMS, "") == (text if text == longest else "")
    assert refused == [ANNOTATION_CHARS]


def test_an_alias_does_not_stand_in_for_a_value_that_is_too_long() -> None:
    assert kept_of({MIN_SCALE: "5" * 65, "autoscaling.knative.dev/minScale": "3"}) == {}


def test_every_annotation_that_a_revision_is_set_up_by_is_kept() -> None:
    """Whatever key is asked for has a name; one that had none would never be seen."""
    asked: set[str] = set()

    class Listening(dict[str, str]):
        def get(self, key: str, default: Any = None) -> Any:
            asked.add(key)
            return default

    pa = replace(podautoscaler(a_podautoscaler()), annotations=Listening())
    revision_of(pa, ClusterConfig(), progress_deadline_s=600.0, lead_s=lambda _: 1.0, drain_s=30.0)
    assert len(asked) > 15
    assert asked <= set(NAME_OF.values())


# --- ConfigMaps -----------------------------------------------------------------------------------


def a_configmap(name: str, **data: str) -> Object:
    return {"metadata": {"namespace": "knative-serving", "name": name}, "data": data}


def test_of_configmaps_only_those_we_read_are_kept_without_their_examples() -> None:
    read = configmaps({"config-autoscaler"})
    said = a_configmap("config-autoscaler", window="1m", _example="x" * 100_000)
    assert read(said) == {"window": "1m"}
    assert read(a_configmap("config-observability", a="b")) is None
    assert read({"metadata": {"name": "config-autoscaler"}}) == {}


def test_a_configmap_that_is_too_large_is_refused() -> None:
    with pytest.raises(LimitError) as over:
        configmaps({"config-autoscaler"})(a_configmap("config-autoscaler", a="x" * 20_000))
    assert over.value.limit is CONFIG_LENGTH
