"""What is written for a revision through its life, version by version, on a real API server.

One life is lived and watched; each test reads one rule of Knative's off all that was written.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
import yaml

from tests.apiserver.activator import connected
from tests.apiserver.lifecycle import ALONE, CART, NAMES, SLOW, SPACE, STEADY, Life, Liver
from tests.apiserver.objects import (
    ADVISOR,
    CONTROLLER,
    MANIFEST,
    QUICK,
    SYSTEM,
    Objects,
)
from tests.apiserver.plane import ControlPlane
from tests.apiserver.processes import Advisor, Controller, Surroundings
from tests.apiserver.standins import World
from tests.apiserver.versions import Versions, conditions

QUEUED = ("Queued", "Requests to the target are being buffered as resources are provisioned.")
NO_TRAFFIC = ("NoTraffic", "The target is not receiving traffic.")
NOT_READY = ("NotReady", "K8s Service is not ready")
TEXTS = {
    "Active": {("True", "", ""), ("Unknown", *QUEUED), ("False", *NO_TRAFFIC)},
    "SKSReady": {("True", "", ""), ("Unknown", *NOT_READY)},
    "ScaleTargetInitialized": {("True", "", ""), ("Unknown", "", "")},
}
TEXTS["Ready"] = set().union(*TEXTS.values())

Object = dict[str, Any]


@pytest.fixture(scope="module")
def life(
    plane: ControlPlane,
    admin: Objects,
    world: World,
    token: str,
    advisor_token: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Life]:
    """All of it, lived once."""
    admin.configure("config-autoscaler", QUICK)
    admin.core.create_namespace({"metadata": {"name": SPACE}})
    controller = Controller(
        Surroundings(plane=plane, account=CONTROLLER, token=token, router_port=world.router_port),
        tmp_path_factory.mktemp("life"),
    ).start()
    where = Surroundings(plane=plane, account=ADVISOR, token=advisor_token)
    advisor = Advisor(where, controller).start("--authorize")
    versions = Versions(world, SPACE)
    try:
        with connected(world, controller.port) as activator:
            yield Liver(
                cluster=Objects(admin.api, SPACE),
                world=world,
                controller=controller,
                advisor=advisor,
                activator=activator,
                versions=versions,
                plane=plane,
            ).live()
    finally:
        for process in (advisor, controller):
            process.stop()
            print(process.log[-8000:])
        versions.stop()
        world.services.slow_s, world.services.answers = 0.0, True
        admin.core.delete_namespace(SPACE)


@pytest.mark.parametrize("name", NAMES)
def test_every_status_names_both_services_and_sorts_its_conditions(life: Life, name: str) -> None:
    """Schema and readers need both names, from the first status on."""
    statuses = life.statuses(name)
    assert len(statuses) >= 3
    for o in statuses:
        assert {"serviceName", "metricsServiceName"} <= o["status"].keys()
        assert list(conditions(o)) == sorted(TEXTS)
    assert statuses[-1]["status"]["serviceName"] == name
    assert statuses[-1]["status"]["metricsServiceName"] == f"{name}-private"
    assert statuses[-1]["status"]["observedGeneration"] == statuses[-1]["metadata"]["generation"]


@pytest.mark.parametrize("name", NAMES)
def test_a_condition_that_says_the_same_keeps_its_transition_time(life: Life, name: str) -> None:
    """Knative's timers are read back from it; what it says is a few constant texts."""
    kept = 0
    for before, after in pairwise(map(conditions, life.statuses(name))):
        for kind, now in after.items():
            assert _said(now) in TEXTS[kind]
            if _said(before[kind]) == _said(now):
                assert before[kind] == now
                kept += 1
            else:
                assert before[kind]["lastTransitionTime"] <= now["lastTransitionTime"]
    assert kept >= 3


def _said(condition: Object) -> tuple[str, str, str]:
    return condition["status"], condition.get("reason", ""), condition.get("message", "")


@pytest.mark.parametrize("name", NAMES)
def test_a_serverlessservice_comes_first_as_a_proxy_with_two(life: Life, name: str) -> None:
    """Nothing else is done for a revision before its private Service has a name."""
    first, *rest = life.versions.of("sks", name)
    assert (first["spec"]["mode"], first["spec"]["numActivators"]) == ("Proxy", 2)
    assert "status" not in first
    assert rest[0]["spec"] == first["spec"]
    assert rest[0]["status"]["privateServiceName"] == f"{name}-private"
    unnamed = [o for o in life.statuses(name) if not o["status"]["metricsServiceName"]]
    assert unnamed
    for o in unnamed:
        assert conditions(o)["SKSReady"]["reason"] == "NotReady"
        assert conditions(o)["ScaleTargetInitialized"]["status"] == "Unknown"
        assert o["status"]["desiredScale"] == -1
    named = int(rest[0]["metadata"]["resourceVersion"])
    deployments = life.versions.of("deployment", f"{name}-deployment")
    early = [o for o in deployments if int(o["metadata"]["resourceVersion"]) < named]
    assert {o["spec"]["replicas"] for o in early} == {1}


def test_pods_are_asked_for_once_the_private_service_has_a_name(life: Life) -> None:
    assert life.versions.pods(STEADY) == [1, 2]


def test_a_serverlessservice_bears_name_labels_and_owner(life: Life) -> None:
    """Services and Endpoints inherit its labels, and activators select by them."""
    pa, sks = life.versions.of("pa", STEADY)[0], life.versions.of("sks", STEADY)[0]
    meta = sks["metadata"]
    assert meta["labels"] == pa["metadata"]["labels"]
    assert meta["labels"]["team"] == "shop"
    assert "serving.knative.dev/revisionUID" in meta["labels"]
    copied = {k: v for k, v in pa["metadata"]["annotations"].items() if not k.endswith("/metric")}
    assert meta["annotations"] == copied
    owner = {
        "apiVersion": "autoscaling.internal.knative.dev/v1alpha1",
        "kind": "PodAutoscaler",
        "name": STEADY,
        "uid": pa["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    assert meta["ownerReferences"] == [owner]
    assert sks["spec"]["objectRef"] == pa["spec"]["scaleTargetRef"]
    assert sks["spec"]["protocolType"] == pa["spec"]["protocolType"]


def test_of_a_serverlessservice_only_the_spec_is_updated(life: Life) -> None:
    """Labels and annotations that the PodAutoscaler gets later are not copied."""
    versions = life.versions.of("sks", STEADY)
    assert {o["spec"]["mode"] for o in versions} == {"Proxy", "Serve"}
    metas = [(o["metadata"]["labels"], o["metadata"]["annotations"]) for o in versions]
    assert all(meta == metas[0] for meta in metas)
    assert life.versions.of("pa", STEADY)[-1]["metadata"]["labels"]["team"] == "cellar"
    for before, after in pairwise(versions):
        counted = after["metadata"]["generation"] - before["metadata"]["generation"]
        assert counted == (before["spec"] != after["spec"])


def test_nothing_is_written_while_nothing_changes(life: Life) -> None:
    assert life.quiet == []
    assert life.still


@pytest.mark.parametrize("name", NAMES)
def test_inactive_is_only_said_of_what_was_ready_once(life: Life, name: str) -> None:
    """Before, it would mark the Revision failed; and that it was ready is never taken back."""
    was = False
    for o in life.statuses(name):
        told = conditions(o)
        initialized = told["ScaleTargetInitialized"]["status"] == "True"
        assert initialized or told["Active"]["status"] != "False"
        assert initialized or not was
        assert o["status"]["serviceName"] or not initialized
        was = initialized
    assert was


def test_a_slow_start_is_told_as_unknown(life: Life) -> None:
    active = [conditions(o)["Active"] for o in life.statuses(SLOW)]
    assert _said(active[0]) == ("Unknown", *QUEUED)


def test_an_idle_revision_goes_through_all_states_of_active(life: Life) -> None:
    told = [conditions(o)["Active"]["status"] for o in life.statuses(CART)]
    turns = [s for i, s in enumerate(told) if not i or s != told[i - 1]]
    assert turns == ["Unknown", "True", "False", "Unknown", "True"]
    assert life.versions.pods(CART) == [1, 0, 1]


def test_the_last_pod_stays_until_the_activator_answers_in_its_place(life: Life) -> None:
    """Grace is over after a second; each question is asked over a connection of its own."""
    pods, probes = life.unanswered
    assert pods == 1
    assert probes >= 3
    assert len(set(life.callers)) == len(life.callers) > probes


def test_nobody_is_asked_before_zero_where_the_activator_is_never_in_front(life: Life) -> None:
    """Burst capacity -1; the activator answered for nobody when this one went."""
    assert life.versions.pods(ALONE) == [1, 0]
    assert life.asked_for_alone == 0


def test_a_request_to_a_revision_at_zero_wakes_it_at_once(life: Life) -> None:
    """Not at the next tick, which may be two seconds away."""
    assert life.woken_s < 1


def test_the_rights_of_the_manifest_are_enough(life: Life) -> None:
    assert [request for request in life.audited if request.code == 403] == []
    assert " 403 " not in life.logs


def test_the_rights_of_the_manifest_are_used_by_whom_they_are_given_to(life: Life) -> None:
    """What is granted and not asked for belongs to the usual three ways of reading."""
    used = {(r.user.rpartition(":")[2], r.resource, r.verb) for r in life.audited}
    # A watch is not logged before it ends.
    unused = {right for right in granted() - used if right[2] not in ("get", "watch")}
    # Asked by the API server in our name, where it enforces who may block an owner's deletion.
    assert unused == {(CONTROLLER, "podautoscalers/finalizers", "update")}


def granted() -> set[tuple[str, str, str]]:
    """ServiceAccount, resource and verb; a role is bound to the account of its name."""
    documents = list(yaml.safe_load_all(MANIFEST.read_text()))
    bindings = [o for o in documents if o["kind"].endswith("RoleBinding")]
    for o in bindings:
        assert [(o["roleRef"]["name"], SYSTEM)] == [
            (subject["name"], subject["namespace"]) for subject in o["subjects"]
        ]
    return {
        (role["metadata"]["name"], resource, verb)
        for role in documents
        if role["kind"].endswith("Role")
        for rule in role["rules"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
