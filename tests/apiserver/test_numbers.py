"""What is promised in numbers, measured on a real API server: small here, in full by the size.

    FLEET=10000 WITH_PODS=500 CALLS=1000 pytest ... tests/apiserver/test_numbers.py -s

Nothing but the API server, etcd and the test's own requests runs beside controller and advisor: no
controllers of Kubernetes, and pods are objects whose address is one queue-proxy.
"""

import asyncio
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from websockets.asyncio.client import connect

from tests.apiserver.activator import Activator
from tests.apiserver.baseline import Bare
from tests.apiserver.fleet import QUEUE_PROXY, SPACE, fill, name_of
from tests.apiserver.install import install
from tests.apiserver.objects import ADVISOR, AUTOSCALING, CONTROLLER, NETWORKING, Objects
from tests.apiserver.plane import ControlPlane, wait_until
from tests.apiserver.processes import Advisor, Controller, Surroundings
from tests.apiserver.queue_proxy import Load, serving

FLEET = int(os.environ.get("FLEET", "200"))  # revisions
WITH_PODS = int(os.environ.get("WITH_PODS", "20"))  # of them have a pod
CALLS = int(os.environ.get("CALLS", "100"))  # revisions that are woken, one after another
FULL = 500  # calls from which on the promise is held to, on a machine that does nothing else
BETWEEN_S = float(os.environ.get("BETWEEN", "0.05"))
STEADY_S = float(os.environ.get("STEADY", "5"))

# Bounds that are, at the sizes of the promise, just what is promised.
LISTENS_S = 2.0
FIRST_PASS_S = 4.5 + 0.0055 * FLEET  # 10 s with 1,000 revisions, 60 s with 10,000
CONTROLLER_MB = 90 + 0.006 * FLEET  # 150 MB with 10,000
TOGETHER_MB = 200 + 0.03 * FLEET  # controller and advisor: 500 MB with 10,000
TICK_S = 0.02 + 8e-6 * FLEET  # 100 ms with 10,000
CALL_S = 0.020
ABOVE_OWN_S = 0.010  # the slowest of a hundred, above the API server's own


@dataclass(frozen=True, kw_only=True)
class Settled:
    """A cluster with a fleet that wants nothing."""

    plane: ControlPlane
    admin: Objects
    folder: Path

    def controller(self, name: str) -> Controller:
        """One that is not started yet."""
        return Controller(self._where(CONTROLLER), self.folder / name)

    def advisor(self, beside: Controller) -> Advisor:
        """One that is not started yet."""
        return Advisor(self._where(ADVISOR), beside)

    def _where(self, account: str) -> Surroundings:
        token = self.admin.token(account)
        return Surroundings(plane=self.plane, account=account, token=token)

    def versions(self) -> dict[str, str]:
        """Of every object that we may write, by kind and name."""
        listed = [
            (kind, self.admin.custom.list_cluster_custom_object(group, "v1alpha1", kind)["items"])
            for group, kind in (
                (AUTOSCALING, "podautoscalers"),
                (NETWORKING, "serverlessservices"),
            )
        ]
        found = {
            f"{kind}/{item['metadata']['name']}": item["metadata"]["resourceVersion"]
            for kind, items in listed
            for item in items
        }
        deployments = self.admin.apps.list_namespaced_deployment(SPACE).items
        return found | {f"d/{d.metadata.name}": d.metadata.resource_version for d in deployments}

    def written(self, since_s: float) -> list[Any]:
        """What we have written since Unix s."""
        return [request for request in self.plane.audited(since_s) if request.writes]

    def is_quiet(self) -> bool:
        """Whether nothing is written for three seconds."""
        since_s = time.time()  # noqa: TID251
        time.sleep(3)
        return not self.written(since_s)


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settled]:
    """The fleet: all at zero but some with a pod; what a controller finds to write is written."""
    plane = ControlPlane(tmp_path_factory.mktemp("quiet") / "run")
    try:
        plane.start(controllers=False)
        admin = install(plane)
        admin.configure("config-autoscaler", {})
        admin.core.create_namespace({"metadata": {"name": SPACE}})
        began_s = time.monotonic()  # noqa: TID251
        fill(plane, FLEET, WITH_PODS)
        print(f"{FLEET} revisions made in {time.monotonic() - began_s:.0f} s")  # noqa: TID251
        made = Settled(plane=plane, admin=admin, folder=tmp_path_factory.mktemp("ours"))
        with serving(Load(in_flight=1.0, requests=1.0), QUEUE_PROXY):
            former = made.controller("former").start()
            try:
                wait_for_a_pass(former)
                wait_until(made.is_quiet, 60 + 2 * FIRST_PASS_S, "quiet")
            finally:
                former.stop()
                print(former.log[-4000:])
            yield made
    finally:
        plane.stop()


def wait_for_a_pass(controller: Controller) -> None:
    """Wait until all was decided once, by who leads."""

    def has_decided() -> bool:
        shown = controller.snapshot()
        return shown is not None and shown.notes["leading"] and len(shown.revision) == FLEET

    wait_until(has_decided, 10 + 2 * FIRST_PASS_S, "a whole pass")


@dataclass(frozen=True, kw_only=True)
class Restarted:
    """The controller after a restart, with an advisor beside it."""

    controller: Controller
    advisor: Advisor
    before: dict[str, str]  # versions
    began_s: float  # Unix s
    first_pass_s: float  # from the start on


@pytest.fixture(scope="module")
def restarted(settled: Settled) -> Iterator[Restarted]:
    """A controller where another was before, and its advisor."""
    controller, before = settled.controller("restarted"), settled.versions()
    advisor = settled.advisor(controller)
    try:
        began_s, began = time.time(), time.monotonic()  # noqa: TID251
        controller.start(ready=False)
        wait_for_a_pass(controller)
        first_pass_s = time.monotonic() - began  # noqa: TID251
        advisor.start()
        yield Restarted(
            controller=controller,
            advisor=advisor,
            before=before,
            began_s=began_s,
            first_pass_s=first_pass_s,
        )
    finally:
        for program in (advisor, controller):
            program.stop()
            print(program.log[-4000:])


def test_the_socket_is_served_within_two_seconds_after_the_start(settled: Settled) -> None:
    """The best of three: whoever else is busy on a small machine delays some."""
    took_s = []
    for number in range(3):
        controller = settled.controller(f"listens-{number}")
        try:
            controller.start(ready=False)
            took_s.append(wait_until(controller.listens, 30, "to listen", every_s=0.01))
        finally:
            controller.stop()
    print("listens after", *(f"{took:.2f}" for took in took_s), "s")
    assert min(took_s) <= LISTENS_S


def test_a_restart_decides_for_all_within_seconds_and_changes_nothing(
    settled: Settled, restarted: Restarted
) -> None:
    listed = re.search(r"revisions listed revisions=(\d+)", restarted.controller.log)
    assert listed
    assert int(listed[1]) == FLEET
    time.sleep(STEADY_S)
    written = settled.written(restarted.began_s)
    print(f"first pass {restarted.first_pass_s:.1f} s after the start, {len(written)} writes")
    assert not written, written[:3]
    assert settled.versions() == restarted.before
    assert restarted.first_pass_s <= FIRST_PASS_S


def test_ticks_are_short_memory_is_small_and_nothing_is_written(
    settled: Settled, restarted: Restarted
) -> None:
    controller, advisor = restarted.controller, restarted.advisor
    began_s, former = time.time(), ticks(controller)  # noqa: TID251
    time.sleep(STEADY_S)
    count, total_s = (now - then for now, then in zip(ticks(controller), former, strict=True))
    ours_mb, advisor_mb = memory_mb(controller.pid), memory_mb(advisor.pid, *advisor.children)
    print(f"tick {1000 * total_s / count:.1f} ms (mean of {count:.0f})")
    print(f"RSS: controller {ours_mb:.0f} MB, advisor {advisor_mb:.0f} MB")
    assert not settled.written(began_s)
    assert total_s / count <= TICK_S
    assert ours_mb <= CONTROLLER_MB
    assert ours_mb + advisor_mb <= TOGETHER_MB


def ticks(controller: Controller) -> tuple[float, float]:
    """How many there were, and how long they took together, s."""
    notes = controller.notes
    return float(sum(notes["tick_counts"])), float(notes["tick_sum_s"])


def memory_mb(*pids: int) -> float:
    """Resident, of these processes together."""
    found = (
        re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text()) for pid in pids
    )
    return sum(int(match[1]) for match in found if match) / 1000


def test_who_calls_a_revision_at_zero_has_its_pod_asked_for_at_once(
    settled: Settled, restarted: Restarted
) -> None:
    """From the frame that an activator sends to the write's arrival at the API server.

    How much of it is the API server's own is told by bare requests in between: from the moment
    that they are sent to the arrival that it tells of.
    """
    woken = range(WITH_PODS, min(WITH_PODS + CALLS, FLEET))
    calls = [f"{SPACE}/{name_of(number)}" for number in woken]
    bare = Bare(settled.plane, settled.admin.token(CONTROLLER), name_of(0))
    sent = asyncio.run(call(restarted.controller.port, calls, bare))

    def arrived() -> tuple[dict[str, float], list[float]]:
        found: dict[str, float] = {}
        own: list[float] = []
        for request in settled.plane.audited(min(sent.values())):
            if request.resource == "deployments/scale" and request.verb == "patch":
                assert request.code == 200
                if request.uri.endswith(Bare.QUERY):
                    own.append(request.at_s)
                else:
                    found.setdefault(request.key.removesuffix("-deployment"), request.at_s)
        return found, own

    wait_until(lambda: len(arrived()[0]) == len(calls), 20, "all pods asked for", every_s=0.5)
    found, own = arrived()
    took_ms = [1000 * (at - sent[key]) for key, at in found.items()]
    own_ms = [1000 * (at - began) for at, began in zip(sorted(own), bare.sent_s, strict=True)]
    p50, p90, p99, most = np.percentile(took_ms, [50, 90, 99, 100])
    print(f"{len(calls)} calls: p50 {p50:.1f} ms, p90 {p90:.1f}, p99 {p99:.1f}, most {most:.1f}")
    own50, own90, own99, own100 = np.percentile(own_ms, [50, 90, 99, 100])
    print(f"bare: p50 {own50:.1f} ms, p90 {own90:.1f}, p99 {own99:.1f}, most {own100:.1f}")
    assert p50 <= 1000 * CALL_S
    if CALLS >= FULL:
        assert p99 <= 1000 * CALL_S
        assert p99 - own99 <= 1000 * ABOVE_OWN_S
    else:  # whoever else is busy on a small machine delays some
        assert p90 <= 5000 * CALL_S


async def call(port: int, keys: list[str], bare: Bare) -> dict[str, float]:
    """Tell of one request each, and ask a bare one after it; returns when, Unix s."""
    activator = Activator(port)
    sent = {}
    await bare.connect()
    async with connect(f"ws://127.0.0.1:{port}/", compression=None) as activator.socket:
        for key in keys:
            sent[key] = time.time()  # noqa: TID251
            await activator.poke(key)
            await asyncio.sleep(BETWEEN_S / 2)
            await bare.ask()
            await asyncio.sleep(BETWEEN_S / 2)
    return sent
