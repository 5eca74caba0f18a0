"""The API server is gone, restarts, refuses or is too busy: nothing is lost, and it comes back."""

import contextlib
import itertools
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from threading import Event, Thread
from typing import Any

import pytest
import requests
from kubernetes import client

from tests.apiserver.conftest import SYSTEM, Objects, SeatProcess, StartSeat
from tests.apiserver.history import Scales
from tests.apiserver.plane import Audited, ControlPlane, wait_until
from tests.apiserver.standins import Activator, World

# s; a minute was tried by hand, in which our leases run out as well.
OUTAGE_S = float(os.environ.get("OUTAGE_S", "20"))
LOADED = 1.75  # requests in flight: three pods of 0.7 each, however reports fall into seconds
TARGET = "autoscaling.knative.dev/target"


def three_pods(cluster: Objects, activator: Activator, name: str) -> str:
    """A revision that Knative's rule keeps at three pods, by its own load."""
    key = cluster.revision(name, annotations={TARGET: "1"})
    activator.in_flight[key] = LOADED
    wait_until(lambda: cluster.replicas(name) == 3, 30, "three pods")
    wait_until(lambda: cluster.pa(name)["status"].get("actualScale") == 3, 30, "three ready")
    return key


def degraded(seat: SeatProcess, part: str) -> bool:
    """Whether a part is shown to ail, to people and to machines alike."""
    shown = any(line.startswith(f"{part} ") for line in seat.get("/readyz")["detail"])
    metric = f'kn_ahead_degraded{{part="{part}"}} 1.0' in seat.metrics()
    assert shown == metric
    return shown


def well(seat: SeatProcess) -> bool:
    """Whether all parts are; that Events can be written again is seen with the next one only."""
    parts = re.findall(r'kn_ahead_degraded\{part="(\w+)"\} 1', seat.metrics())
    return not set(parts) - {"events"}


def test_an_outage_changes_nothing_and_who_called_meanwhile_is_served_after_it(
    cluster: Objects,
    seat: SeatProcess,
    activator: Activator,
    world: World,
    plane: ControlPlane,
    scales: Scales,
) -> None:
    cold = cluster.asleep("cold-00001")
    loaded = three_pods(cluster, activator, "loaded-00001")
    scales.forget(loaded)
    plane.kill_api_server()
    try:
        wait_until(lambda: degraded(seat, "pods"), 30, "the outage to show")
        time.sleep(OUTAGE_S / 2)
        world.run(activator.poke(cold))
        activator.in_flight[cold] = 1.0  # it waits
        time.sleep(OUTAGE_S / 2)
        assert activator.connections == 1
        assert seat.listens()
    finally:
        plane.start_api_server()
    took_s = wait_until(lambda: cluster.replicas("cold-00001") == 1, 30, "who called is heard")
    print(f"asked for a pod {took_s:.1f} s after the API server was back")
    wait_until(lambda: bool(world.kubelet.ready[cold]), 30, "who called is served")
    wait_until(lambda: well(seat), 30, "all well again")
    time.sleep(4)  # two ticks
    assert scales.least(loaded) == cluster.replicas("loaded-00001") == 3
    assert activator.connections == 1
    assert seat.log.count(" pods: ") <= 2  # it broke, and is well again


def test_a_watch_that_was_away_too_long_lists_anew(
    cluster: Objects, start_seat: StartSeat, plane: ControlPlane
) -> None:
    """A process that stood still while its watches ended, and the API server was another one when
    it went on, asks for changes that nobody remembers: 410."""
    seat = start_seat(WATCH_S="3")
    cluster.revision("cart-00001")
    wait_until(lambda: cluster.initialized("cart-00001"), 30, "initialized")
    assert seat.process is not None
    seat.process.send_signal(signal.SIGSTOP)
    time.sleep(4)  # all watches have come to their end
    cluster.annotate("cart-00001", min_scale="2")
    plane.kill_api_server()
    plane.start_api_server()
    began_s = time.time()  # noqa: TID251
    seat.process.send_signal(signal.SIGCONT)
    wait_until(lambda: cluster.replicas("cart-00001") == 2, 30, "what was missed")

    asked = [r for r in plane.audited(began_s) if r.resource == "podautoscalers"]
    watched = next(i for i, r in enumerate(asked) if r.verb == "watch")
    assert any(r.verb == "list" for r in asked[watched:])
    assert gone(plane, asked[watched].uri)


def gone(plane: ControlPlane, uri: str) -> bool:
    """Whether a watch that was asked for is answered with 410."""
    answer = requests.get(
        f"{plane.server}{uri}",
        headers={"Authorization": f"Bearer {plane.token}"},
        verify=str(plane.certificate),
        timeout=10,
    )
    return '"code":410' in answer.text


@pytest.fixture
def write_only_in(admin: Objects) -> Iterator[Callable[[str], None]]:
    """Takes the right to write away, and gives it back for single namespaces."""
    rbac: Any = client.RbacAuthorizationV1Api(admin.api)
    role = rbac.read_cluster_role("kn-ahead")
    read = [
        {"apiGroups": r.api_groups, "resources": r.resources, "verbs": ["get", "list", "watch"]}
        for r in role.rules
    ]
    write = [
        {"apiGroups": r.api_groups, "resources": r.resources, "verbs": list(r.verbs)}
        for r in role.rules
    ]
    rbac.create_cluster_role({"metadata": {"name": "kn-ahead-write"}, "rules": write})
    rbac.patch_cluster_role("kn-ahead", {"rules": read})

    def allow(namespace: str) -> None:
        group = "rbac.authorization.k8s.io"
        account = {"kind": "ServiceAccount", "name": "kn-ahead", "namespace": SYSTEM}
        body = {
            "metadata": {"name": "kn-ahead"},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "kn-ahead-write"},
            "subjects": [account],
        }
        rbac.create_namespaced_role_binding(namespace, body)

    yield allow
    rbac.patch_cluster_role("kn-ahead", {"rules": write})
    rbac.delete_cluster_role("kn-ahead-write")


def test_a_namespace_that_we_may_not_write_to_delays_no_other(
    cluster: Objects,
    other_namespace: Objects,
    write_only_in: Callable[[str], None],
    seat: SeatProcess,
    activator: Activator,
    world: World,
) -> None:
    write_only_in(cluster.namespace)
    refused = other_namespace.revision("cart-00001")
    wait_until(lambda: f"{refused}: " in seat.log, 30, "the refusal to be said")
    key = cluster.asleep("cart-00001")
    world.run(activator.poke(key))
    took_s = wait_until(lambda: cluster.replicas("cart-00001") == 1, 30, "woken")
    assert took_s < 1
    assert degraded(seat, "writes")
    said = [line for line in seat.log.splitlines() if f"WARNING {refused}: " in line]
    assert len(said) == 1
    write_only_in(other_namespace.namespace)
    wait_until(lambda: other_namespace.initialized("cart-00001"), 40, "allowed again")
    wait_until(lambda: not degraded(seat, "writes"), 40, "well again")


class Busy:
    """The API server has one place for our ServiceAccount, and others hold it.

    One, because a request that finds no other under way is served even where the shares are none.
    """

    def __init__(self, admin: Objects, plane: ControlPlane, token: str) -> None:
        self._flow: Any = client.FlowcontrolApiserverV1Api(admin.api)
        self._plane, self._token, self._ended = plane, token, Event()
        self._holders = [Thread(target=self._hold, daemon=True) for _ in range(4)]

    def begin(self) -> None:
        none = {"nominalConcurrencyShares": 0, "borrowingLimitPercent": 0, "lendablePercent": 0}
        limited = none | {"limitResponse": {"type": "Reject"}}
        self._flow.create_priority_level_configuration(
            {"metadata": {"name": "none"}, "spec": {"type": "Limited", "limited": limited}}
        )
        account = {"name": "kn-ahead", "namespace": SYSTEM}
        everything = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
        rule = {
            "subjects": [{"kind": "ServiceAccount", "serviceAccount": account}],
            "resourceRules": [everything | {"clusterScope": True, "namespaces": ["*"]}],
        }
        spec = {"priorityLevelConfiguration": {"name": "none"}, "matchingPrecedence": 2}
        self._flow.create_flow_schema(
            {"metadata": {"name": "kn-ahead-busy"}, "spec": spec | {"rules": [rule]}}
        )
        for holder in self._holders:
            holder.start()

    def _hold(self) -> None:
        headers = {"Authorization": f"Bearer {self._token}"}
        url, verify = f"{self._plane.server}/api/v1/pods", str(self._plane.certificate)
        with requests.Session() as session:
            while not self._ended.is_set():
                session.get(url, headers=headers, verify=verify, timeout=10)

    def end(self) -> None:
        if self._ended.is_set():
            return
        self._ended.set()
        for holder in self._holders:
            if holder.ident:
                holder.join()
        with contextlib.suppress(client.ApiException):  # it may not have begun
            self._flow.delete_flow_schema("kn-ahead-busy")
            self._flow.delete_priority_level_configuration("none")


@pytest.fixture
def busy(admin: Objects, plane: ControlPlane, token: str) -> Iterator[Busy]:
    """Not yet begun."""
    made = Busy(admin, plane, token)
    yield made
    made.end()


def test_too_many_requests_are_tried_again_and_nothing_goes_down(
    cluster: Objects,
    seat: SeatProcess,
    activator: Activator,
    world: World,
    plane: ControlPlane,
    scales: Scales,
    busy: Busy,
) -> None:
    cold = cluster.asleep("cold-00001")
    loaded = three_pods(cluster, activator, "loaded-00001")
    scales.forget(loaded)
    began_s = time.time()  # noqa: TID251
    busy.begin()
    world.run(activator.poke(cold))
    activator.in_flight[cold] = 1.0

    def refused() -> list[Audited]:
        return [r for r in plane.audited(began_s) if r.code == 429 and r.writes]

    least = itertools.cycle("1234")

    def met() -> bool:
        cluster.annotate("cold-00001", min_scale=next(least))  # something to write
        return bool(refused())

    wait_until(met, 30, "a refusal", every_s=0.5)
    time.sleep(5)
    assert len(refused()) < 40  # the server's Retry-After is kept to
    busy.end()
    assert "429" in seat.log
    wait_until(lambda: cluster.replicas("cold-00001") >= 1, 30, "who called is served")
    wait_until(lambda: well(seat), 30, "all well again")
    assert scales.least(loaded) == 3
