"""The advisor is killed, stands still, or says nonsense while traffic runs: nobody notices.

What is asked of the controller meanwhile is always the same (`Traffic.assert_goes_on`): who calls a
revision at zero is served at once, load adds pods and takes them away, and no socket is lost.
"""

import os
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import replace as changed
from pathlib import Path

import numpy as np
import pytest

from autoscaler.bundle.file import save_bundle
from autoscaler.exchange.advice import NAME, read_advice
from tests.apiserver.activator import Activator
from tests.apiserver.conftest import StartAdvisor
from tests.apiserver.forecasting import AHEAD_S, a_bundle
from tests.apiserver.history import Scales
from tests.apiserver.neighbour import Neighbour
from tests.apiserver.objects import PREFIX, Objects
from tests.apiserver.plane import wait_until
from tests.apiserver.processes import Advisor, Controller
from tests.apiserver.standins import World

AHEAD = 3  # pods that the forecast asks for
AHEAD_NAME, BUSY_NAME = "ahead-00001", "busy-00001"


@dataclass
class Traffic:
    """A revision that is scaled ahead, one under load, and a neighbour at zero."""

    cluster: Objects
    neighbour: Neighbour
    activator: Activator
    bundle: Path

    def assert_goes_on(self) -> None:
        """Knative's rule is followed, whatever the advisor does."""
        busy = f"{self.cluster.namespace}/{BUSY_NAME}"
        self.neighbour.assert_served()
        self.activator.in_flight[busy] = 1.75  # three pods of 0.7 each
        self.cluster.wait_for_pods(BUSY_NAME, 3)
        self.activator.in_flight[busy] = 0.1
        self.cluster.wait_for_pods(BUSY_NAME, 1)
        assert self.activator.connections == 1

    def assert_ahead(self) -> None:
        """The forecast is in force."""
        self.cluster.wait_for_pods(AHEAD_NAME, AHEAD)


@pytest.fixture
def traffic(
    cluster: Objects, neighbour: Neighbour, activator: Activator, world: World, tmp_path: Path
) -> Traffic:
    """With forecasts that a learner has published."""
    space, bundle = cluster.namespace, tmp_path / "forecasts.npz"
    save_bundle(a_bundle([f"{space}/ahead"], 25.0), bundle)
    outward = {"kn-ahead.dev/mode": "outward"}
    key = cluster.revision(AHEAD_NAME, concurrency=10, annotations=outward)
    world.loads[key].in_flight = 0.1
    cluster.revision(BUSY_NAME, annotations={f"{PREFIX}/target": "1"})
    activator.in_flight[f"{space}/{BUSY_NAME}"] = 0.1
    return Traffic(cluster, neighbour, activator, bundle)


@pytest.fixture
def advisor(controller: Controller, start_advisor: StartAdvisor, traffic: Traffic) -> Advisor:
    """Kept as in its container; its advice is in force."""
    made = start_advisor(controller, "--keep", "--memory=704", f"--bundle={traffic.bundle}")
    traffic.assert_ahead()
    return made


def test_an_advisor_that_is_killed_is_started_again_and_nobody_notices(
    advisor: Advisor, traffic: Traffic
) -> None:
    (killed,) = advisor.children
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: killed not in advisor.children, 20, "its end")
    traffic.assert_goes_on()
    wait_until(advisor.ready, 60, "it to be back", every_s=0.2)
    assert advisor.children != [killed]
    traffic.assert_ahead()


def test_an_advisor_that_stands_still_holds_up_nobody_and_is_not_believed_for_ever(
    cluster: Objects, controller: Controller, advisor: Advisor, traffic: Traffic
) -> None:
    """What it advised last holds for as long as its forecast reaches."""
    service, advice = f"{cluster.namespace}/ahead", controller.advice / NAME
    reaches_s = 15.0
    save_bundle(a_bundle([service], 25.0, age_s=AHEAD_S - reaches_s), traffic.bundle)
    soon_s = time.time() + reaches_s + 1  # noqa: TID251
    wait_until(lambda: read_advice(advice).ends_s.max() < soon_s, 10, "the short forecast")
    (stopped,) = advisor.children
    os.kill(stopped, signal.SIGSTOP)
    assert cluster.replicas(AHEAD_NAME) == AHEAD
    traffic.assert_goes_on()
    cluster.wait_for_pods(AHEAD_NAME, 1)
    assert time.time() > soon_s - 1  # noqa: TID251
    save_bundle(a_bundle([service], 25.0), traffic.bundle)
    os.kill(stopped, signal.SIGCONT)
    traffic.assert_ahead()


Spoil = Callable[[Path], None]


def random_bytes(path: Path) -> None:
    path.write_bytes(np.random.default_rng(1).bytes(10_000))


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-8])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def huge(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(2**34)  # bytes, of which hardly any are on the disk


def sizes_that_cannot_be(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[16:24] = b"\xff" * 8
    path.write_bytes(data)


def a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def a_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def gone(path: Path) -> None:
    path.unlink()


def absurd(path: Path) -> None:
    """Well formed, and every number of it what nobody may believe."""
    table = read_advice(path)
    changed(table, worth_starting=np.full_like(table.worth_starting, 1e30)).write(path)


def endless(path: Path) -> None:
    table = read_advice(path)
    changed(table, ends_s=np.full_like(table.ends_s, 1e300)).write(path)


GARBAGE = (
    random_bytes, cut_short, empty, huge, sizes_that_cannot_be, a_pipe, a_folder, a_link, gone,
    absurd, endless,
)  # fmt: skip
NO_FAULT = {gone, absurd}  # there is no advice, or it is in order but for its numbers


def test_garbage_in_the_place_of_advice_leaves_knatives_rule(
    cluster: Objects,
    controller: Controller,
    start_advisor: StartAdvisor,
    traffic: Traffic,
    scales: Scales,
) -> None:
    """Whoever took the advisor over can do no more than that; and good advice is taken again."""
    advisor = start_advisor(controller, f"--bundle={traffic.bundle}")
    traffic.assert_ahead()
    advisor.stop()
    advice, draft = controller.advice / NAME, controller.advice / "draft"
    good = advice.read_bytes()
    advice.unlink()
    cluster.wait_for_pods(AHEAD_NAME, 1)
    ahead = f"{cluster.namespace}/{AHEAD_NAME}"
    scales.forget(ahead, 1)
    for spoil in GARBAGE:
        draft.write_bytes(good)
        spoil(draft)
        remove(advice)
        if spoil is not gone:
            draft.rename(advice)
        controller.wait_for_ticks(2)  # the first may have looked before
        assert bool(controller.fault("advice")) == (spoil not in NO_FAULT), spoil
        assert (controller.notes["advice_refused"] > 0) == (spoil is absurd), spoil
    traffic.assert_goes_on()
    assert set(scales.of(ahead)) == {1}
    remove(advice)
    advice.write_bytes(good)
    traffic.assert_ahead()
    wait_until(lambda: not controller.fault("advice"), 10, "advice to be taken again")
    assert "Traceback" not in controller.log


def remove(path: Path) -> None:
    """Whatever it is."""
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)


def damaged(path: Path, service: str) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def removed(path: Path, service: str) -> None:
    path.unlink()


def stale(path: Path, service: str) -> None:
    save_bundle(a_bundle([service], 25.0, age_s=7200.0), path)


def test_forecasts_that_go_leave_knatives_rule_and_are_in_force_when_they_are_back(
    cluster: Objects, controller: Controller, advisor: Advisor, traffic: Traffic
) -> None:
    service, good = f"{cluster.namespace}/ahead", traffic.bundle.with_name("good.npz")
    shutil.copy(traffic.bundle, good)
    assert not advisor.degraded("forecasts")
    for times, spoil in enumerate((removed, damaged, stale), 1):
        spoil(traffic.bundle, service)
        wait_until(lambda: advisor.degraded("forecasts"), 40, "the loss to show", every_s=0.2)
        assert advisor.ready()
        assert any(line.startswith("forecasts ") for line in advisor.ails())
        cluster.wait_for_pods(AHEAD_NAME, 1)  # Knative's own answer
        assert advisor.log.count("WARNING autoscaler.health: unhealthy part=forecasts ") == times
        assert advisor.log.count("deciding as Knative alone would") == times
        shutil.copy(good, traffic.bundle)
        wait_until(lambda: not advisor.degraded("forecasts"), 40, "them to be back", every_s=0.2)
        traffic.assert_ahead()
    assert traffic.activator.connections == 1
