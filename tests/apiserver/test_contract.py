"""What is written for a revision through its life, version by version, on a real API server.

One life is lived and watched; each test reads one rule of Knative's off all that was written.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest
import yaml

from autoscaler.core.predictive import TICK_S
from tests.apiserver.conftest import MANIFEST, QUICK, Objects, SeatProcess
from tests.apiserver.plane import Audited, ControlPlane, wait_until
from tests.apiserver.standins import Activator, World
from tests.apiserver.versions import Versions, conditions

SPACE = "life"
CART, STEADY, SLOW, ALONE = "cart-00001", "steady-00001", "slow-00001", "alone-00001"
NAMES = (CART, STEADY, SLOW, ALONE)
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


@dataclass(frozen=True, kw_only=True)
class Life:
    """What was seen of it."""

    versions: Versions
    quiet: list[Audited]  # what was written for STEADY while nothing changed
    still: bool  # whether STEADY's objects stayed the same meanwhile
    unanswered: tuple[int, int]  # CART's pods and probes while the activator did not answer
    callers: list[tuple[str, int]]  # whence the probes for CART came
    asked_for_alone: int  # probes
    woken_s: float  # from the poke to the write of the scale
    audited: list[Audited]
    log: str

    def statuses(self, name: str) -> list[Object]:
        """Every version of a PodAutoscaler that has a status."""
        return [o for o in self.versions.of("pa", name) if o.get("status")]


@pytest.fixture(scope="module")
def life(
    plane: ControlPlane,
    admin: Objects,
    world: World,
    token: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Life]:
    """Made, ready, idle, at zero, woken; beside it a steady, a slow and a lonely one."""
    admin.configure("config-autoscaler", QUICK)
    admin.core.create_namespace({"metadata": {"name": SPACE}})
    seat = SeatProcess(plane, world, token, tmp_path_factory.mktemp("seat")).start()
    activator = Activator(seat.stats_port)
    task, versions = world.spawn(activator.keep_connected()), Versions(world, SPACE)
    try:
        yield _lived(Objects(admin.api, SPACE), world, seat, activator, versions, plane)
    finally:
        seat.stop()
        print(seat.log[-8000:])
        versions.stop()
        task.cancel()
        world.services.slow_s, world.services.answers = 0.0, True
        admin.core.delete_namespace(SPACE)


def _lived(
    cluster: Objects,
    world: World,
    seat: SeatProcess,
    activator: Activator,
    versions: Versions,
    plane: ControlPlane,
) -> Life:
    services, key = world.services, f"{SPACE}/{CART}"
    services.slow_s, services.answers = 0.7, False
    world.kubelet.start_up_s[f"{SPACE}/{SLOW}"] = 4.0
    world.loads[f"{SPACE}/{STEADY}"].in_flight = 5.0
    # Two pods are wanted from the beginning, and one is there: a reason to write at once.
    least = {"autoscaling.knative.dev/min-scale": "2", "autoscaling.knative.dev/metric": "rps"}
    cluster.revision(STEADY, labels={"team": "shop"}, annotations=least)
    cluster.revision(CART)
    cluster.revision(SLOW)
    cluster.revision(ALONE, annotations={"autoscaling.knative.dev/target-burst-capacity": "-1"})
    wait_until(lambda: all(cluster.initialized(name) for name in NAMES), 30, "initialized")
    services.slow_s = 0.0
    wait_until(lambda: _settled(cluster), 30, "settled")
    # What was seen between ticks has its say at the next one, and then in the audit log.
    time.sleep(TICK_S + 1.0)

    former = (cluster.pa(STEADY), cluster.sks(STEADY))
    told = len(plane.audited())
    wait_until(lambda: _inactive(cluster, CART), 30, "inactive")
    wait_until(lambda: len(services.callers(key)) >= 3, 30, "three probes")
    wait_until(lambda: cluster.replicas(ALONE) == 0, 30, "zero")
    unanswered = cluster.replicas(CART), len(services.callers(key))
    quiet = [r for r in plane.audited()[told:] if r.writes and r.key == f"{SPACE}/{STEADY}"]
    still = former == (cluster.pa(STEADY), cluster.sks(STEADY))

    cluster.patch_pa(STEADY, {"metadata": {"labels": {"team": "cellar", "late": "yes"}}})
    cluster.annotate(STEADY, target_burst_capacity="0")
    services.answers = True
    wait_until(lambda: cluster.replicas(CART) == 0, 30, "zero")
    callers = services.callers(key)
    # A status that tells of no pod says that the seat has seen it too.
    wait_until(lambda: cluster.pa(CART)["status"]["actualScale"] == 0, 30, "no pod is ready")
    world.run(activator.poke(key))
    woken_s = wait_until(lambda: cluster.replicas(CART) == 1, 30, "woken", every_s=0.01)
    wait_until(lambda: cluster.condition(CART, "Active")["status"] == "True", 30, "active again")
    wait_until(lambda: (cluster.sks(STEADY) or {})["spec"]["mode"] == "Serve", 30, "served")
    return Life(
        versions=versions,
        quiet=quiet,
        still=still,
        unanswered=unanswered,
        callers=callers,
        asked_for_alone=len(services.callers(f"{SPACE}/{ALONE}")),
        woken_s=woken_s,
        audited=plane.audited(),
        log=seat.log,
    )


def _settled(cluster: Objects) -> bool:
    ready = cluster.condition(STEADY, "Ready")["status"] == "True"
    return bool(ready and cluster.pa(STEADY)["status"]["actualScale"] == 2)


def _inactive(cluster: Objects, name: str) -> bool:
    return bool(cluster.condition(name, "Active")["status"] == "False")


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
    assert "403" not in life.log


def test_the_rights_of_the_manifest_are_used(life: Life) -> None:
    """What is granted and not asked for belongs to the usual three ways of reading."""
    roles = [o for o in yaml.safe_load_all(MANIFEST.read_text()) if o["kind"].endswith("Role")]
    granted = {
        (resource, verb)
        for role in roles
        for rule in role["rules"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    used = {(request.resource, request.verb) for request in life.audited}
    # A watch is not logged before it ends.
    unused = {right for right in granted - used if right[1] not in ("get", "watch")}
    # Asked by the API server in our name, where it enforces who may block an owner's deletion.
    assert unused == {("podautoscalers/finalizers", "update")}
