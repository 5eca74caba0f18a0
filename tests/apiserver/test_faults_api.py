"""Faults of the API server: gone, restarted, refusing or overloaded; the controller recovers."""

import itertools
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from kubernetes import client

from tests.apiserver.activator import Activator
from tests.apiserver.balancer import Balancer
from tests.apiserver.conftest import StartController
from tests.apiserver.history import Scales
from tests.apiserver.neighbour import NAME, Neighbour
from tests.apiserver.objects import CONTROLLER, PREFIX, SYSTEM, Objects
from tests.apiserver.overloaded import Busy
from tests.apiserver.plane import Audited, ControlPlane, wait_until
from tests.apiserver.processes import Controller
from tests.apiserver.standins import World

# s; a minute was tried by hand, in which our leases run out as well.
OUTAGE_S = float(os.environ.get("OUTAGE_S", "20"))
LOADED = 1.75  # requests in flight: three pods of 0.7 each, however reports fall into seconds
LONG = "<" * 1_000_000


def three_pods(cluster: Objects, activator: Activator, name: str) -> str:
    """A revision that Knative's rule keeps at three pods, by its own load."""
    key = cluster.revision(name, annotations={f"{PREFIX}/target": "1"})
    activator.in_flight[key] = LOADED
    cluster.wait_for_pods(name, 3)
    wait_until(lambda: cluster.actual(name) == 3, 40, "three ready")
    return key


def is_well(controller: Controller) -> bool:
    """Whether all parts are."""
    return bool(controller.ticks()) and not controller.faults


def test_an_outage_changes_nothing_and_who_called_meanwhile_is_served_after_it(
    cluster: Objects,
    controller: Controller,
    activator: Activator,
    world: World,
    plane: ControlPlane,
    scales: Scales,
) -> None:
    cold = cluster.at_zero("cold-00001")
    loaded = three_pods(cluster, activator, "loaded-00001")
    scales.forget(loaded, 3)
    plane.kill_api_server()
    try:
        wait_until(lambda: bool(controller.fault("pods")), 40, "the outage to show")
        time.sleep(OUTAGE_S / 2)
        world.run(activator.poke(cold))
        activator.in_flight[cold] = 1.0  # it waits
        time.sleep(OUTAGE_S / 2)
        assert activator.connections == 1
        assert controller.listens()
    finally:
        plane.start_api_server()
    took_s = cluster.wait_for_pods("cold-00001", 1)
    print(f"asked for a pod {took_s:.1f} s after the API server was back")
    wait_until(lambda: bool(world.kubelet.ready[cold]), 40, "who called is served")
    wait_until(lambda: is_well(controller), 40, "all well again")
    controller.wait_for_ticks()
    assert scales.least(loaded) == cluster.replicas("loaded-00001") == 3
    assert activator.connections == 1
    assert controller.log.count("part=pods ") <= 2  # it broke, and is well again


def test_a_watch_that_was_away_too_long_lists_anew(
    cluster: Objects,
    start_controller: StartController,
    plane: ControlPlane,
    world: World,
    token: str,
    tmp_path: Path,
) -> None:
    """A process that stood still while its watches ended, and the API server was another one when
    it went on, asks for changes that nobody remembers: 410."""
    balancer = Balancer(plane)
    world.run(balancer.open())
    controller = start_controller(KUBECONFIG=balancer.kubeconfig(CONTROLLER, token, tmp_path))
    cluster.revision("cart-00001")
    wait_until(lambda: cluster.initialized("cart-00001"), 40, "initialized")
    controller.pause()
    wait_until(lambda: balancer.watches == 0, 40, "the end of all watches")
    cluster.annotate("cart-00001", min_scale="2")
    plane.kill_api_server()
    plane.start_api_server()
    began_s = time.time()  # noqa: TID251
    controller.go_on()
    cluster.wait_for_pods("cart-00001", 2)  # what was missed

    asked = [r for r in plane.audited(began_s) if r.resource == "podautoscalers"]
    watched = next(i for i, r in enumerate(asked) if r.verb == "watch")
    assert any(r.verb == "list" for r in asked[watched:])
    assert gone(plane, asked[watched].uri)
    controller.wait_for_ticks()
    assert not controller.fault("podautoscalers")
    controller.stop()
    world.run(balancer.close())


def gone(plane: ControlPlane, uri: str) -> bool:
    """Whether a watch that was asked for is answered with 410."""
    headers = {"Authorization": f"Bearer {plane.token}"}
    url, verify = f"{plane.server}{uri}", str(plane.certificate)
    return '"code":410' in requests.get(url, headers=headers, verify=verify, timeout=10).text


def test_a_deployment_that_is_too_large_to_read_delays_no_other(
    cluster: Objects, controller: Controller, neighbour: Neighbour, plane: ControlPlane
) -> None:
    """Anybody who may make a Deployment can make one of 6 MB: each < is written as \\u003c."""
    began_s = time.time()  # noqa: TID251
    marks = {"serving.knative.dev/revision": "huge"}
    container = {"name": "c", "image": "dev.local/app", "env": [{"name": "A", "value": LONG}]}
    template = {"metadata": {"labels": marks}, "spec": {"containers": [container]}}
    spec = {"replicas": 0, "selector": {"matchLabels": marks}, "template": template}
    body = {"metadata": {"name": "huge", "labels": marks}, "spec": spec}
    cluster.apps.create_namespaced_deployment(cluster.namespace, body)
    said = f'who="deployments {cluster.namespace}/huge" more_than="2,097,152 bytes an object"'
    wait_until(lambda: said in controller.log, 40, "the refusal to be said")
    neighbour.assert_served()
    listed = [r for r in plane.audited(began_s) if r.resource == "deployments"]
    assert [r for r in listed if r.verb in ("list", "watch")] == []  # the watch goes on

    controller.stop()
    controller.start()
    wait_until(lambda: controller.log.count(said) == 2, 40, "the refusal to be said of the list")
    wait_until(lambda: is_well(controller), 40, "all well")
    cluster.apps.delete_namespaced_deployment("huge", cluster.namespace)


@pytest.fixture
def write_only_in(admin: Objects) -> Iterator[Callable[[str], None]]:
    """Takes the right to write away, and gives it back for single namespaces."""
    rbac: Any = client.RbacAuthorizationV1Api(admin.api)
    role = rbac.read_cluster_role(CONTROLLER)
    read, write = (
        [{"apiGroups": r.api_groups, "resources": r.resources, "verbs": verbs} for r in role.rules]
        for verbs in (["get", "list", "watch"], ["*"])
    )
    former = [
        {"apiGroups": r.api_groups, "resources": r.resources, "verbs": r.verbs} for r in role.rules
    ]
    rbac.create_cluster_role({"metadata": {"name": "kn-ahead-write"}, "rules": write})
    rbac.patch_cluster_role(CONTROLLER, {"rules": read})

    def allow(namespace: str) -> None:
        group = "rbac.authorization.k8s.io"
        account = {"kind": "ServiceAccount", "name": CONTROLLER, "namespace": SYSTEM}
        body = {
            "metadata": {"name": CONTROLLER},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "kn-ahead-write"},
            "subjects": [account],
        }
        rbac.create_namespaced_role_binding(namespace, body)

    yield allow
    rbac.patch_cluster_role(CONTROLLER, {"rules": former})
    rbac.delete_cluster_role("kn-ahead-write")


def test_a_namespace_that_we_may_not_write_to_delays_no_other(
    cluster: Objects,
    other_namespace: Objects,
    write_only_in: Callable[[str], None],
    controller: Controller,
    activator: Activator,
    world: World,
) -> None:
    write_only_in(cluster.namespace)
    refused = other_namespace.revision("cart-00001")
    wait_until(lambda: f"revision={refused} why=" in controller.log, 40, "the refusal to be said")
    Neighbour(cluster, world, activator).assert_served()
    wait_until(lambda: refused in controller.fault("writes"), 20, "the refusal to be shown")
    said = f"failed_plans: plan failed; trying again revision={refused} why="
    assert controller.log.count(said) == 1
    write_only_in(other_namespace.namespace)
    wait_until(lambda: other_namespace.initialized("cart-00001"), 60, "allowed again")
    wait_until(lambda: not controller.fault("writes"), 60, "well again")


@pytest.fixture
def busy(admin: Objects, plane: ControlPlane, token: str) -> Iterator[Busy]:
    """Not yet begun."""
    made = Busy(admin, plane, token)
    yield made
    made.end()


def test_too_many_requests_are_tried_again_and_nothing_goes_down(
    cluster: Objects,
    controller: Controller,
    activator: Activator,
    neighbour: Neighbour,
    plane: ControlPlane,
    world: World,
    scales: Scales,
    busy: Busy,
) -> None:
    loaded = three_pods(cluster, activator, "loaded-00001")
    scales.forget(loaded, 3)
    began_s = time.time()  # noqa: TID251
    busy.begin()
    world.run(activator.poke(neighbour.key))
    activator.in_flight[neighbour.key] = 1.0

    def refused() -> list[Audited]:
        return [r for r in plane.audited(began_s) if r.code == 429 and r.writes]

    least = itertools.cycle("1234")

    def met() -> bool:
        cluster.annotate(NAME, min_scale=next(least))  # something to write
        return bool(refused())

    wait_until(met, 40, "a refusal", every_s=0.5)
    time.sleep(5)
    assert len(refused()) < 40  # the server's Retry-After is kept to
    busy.end()
    assert " 429 " in controller.log
    wait_until(lambda: cluster.replicas(NAME) >= 1, 40, "who called is served")
    wait_until(lambda: is_well(controller), 40, "all well again")
    assert scales.least(loaded) == 3
