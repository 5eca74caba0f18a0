"""The controller as a process: it lists, ticks, shows, records, and ends as it is told to."""

import asyncio
import gc
import os
import signal
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from autoscaler.exchange.advice import NAME
from autoscaler.exchange.snapshot import NAMES, TICK, read_names, read_tick
from knative.client.api import ApiError
from knative.controller.runtime.process import BROKEN, CLEAN
from knative.controller.runtime.recording import as_json, read
from knative.controller.runtime.ticking import TICKS_FAILED
from knative.controller.state.controller import Controller
from knative.mirror.objects import PODAUTOSCALERS
from knative.settings.network import Mesh, Network
from knative.statistics.scraping.schedule import Scraping
from tests.knative.controller.processes import SCALE, Running, at_zero
from tests.knative.controller.world import KEY, OUTWARD, an_advice
from tests.knative.fast_loop import run_fast
from tests.knative.leadership.leases import FIRST, LeaseStore
from tests.knative.objects import (
    SYSTEM,
    a_configmap,
    a_podautoscaler,
    path_of,
)

T = TypeVar("T")
TWO_PODS = {"autoscaling.knative.dev/min-scale": "2"}


def live(story: Callable[[], Coroutine[Any, Any, T]]) -> T:
    try:
        return run_fast(story())
    finally:
        gc.unfreeze()


# --- life -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_and_hands_the_leases_back(number: signal.Signals) -> None:
    store = LeaseStore()

    async def story() -> int:
        running = Running(store)
        asyncio.get_running_loop().call_later(5.0, os.kill, os.getpid(), number)
        return await running.process.run()

    assert live(story) == CLEAN
    assert store.spec(FIRST)["holderIdentity"] == ""


def test_a_part_that_ends_ends_the_process_with_another_exit_code(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def story() -> int:
        running = Running()
        running.start()
        await asyncio.sleep(5.0)
        running.clock.broken = True
        assert running.task
        return await asyncio.wait_for(running.task, 60.0)

    assert live(story) == BROKEN
    assert (
        "part ended part=ticks error=\"RuntimeError('a clock that stands for nothing')\""
        in caplog.text
    )


def test_it_decides_once_all_is_listed_and_goes_on() -> None:
    async def story() -> list[int]:
        running = Running()
        running.start()
        await asyncio.sleep(10.0)
        written = len(running.api.calls)
        await asyncio.sleep(60.0)
        assert (len(running.api.calls), running.scaled) == (written, [])
        await running.end()
        return running.wanted

    assert live(story) == [-1]


def test_a_fleet_that_fails_every_tick_is_made_anew(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> list[int]:
        running = Running()
        running.start()
        await asyncio.sleep(5.0)
        running.process.controller.fleet.stable = None  # type: ignore[assignment]  # it is spoiled
        await asyncio.sleep(2.0 * TICKS_FAILED + 3.0)
        assert await running.end() == CLEAN
        return running.wanted

    assert live(story) == [-1]
    assert f"ticks failed in a row; the fleet is rebuilt ticks={TICKS_FAILED}" in caplog.text


def test_what_was_listed_is_not_walked_through_by_every_collection() -> None:
    async def story() -> int:
        gc.unfreeze()
        await Running().run(5.0)
        return gc.get_freeze_count()

    assert live(story) > 0


def test_what_changes_between_ticks_is_acted_for_at_once() -> None:
    async def story() -> float:
        running = Running()
        running.start()
        await asyncio.sleep(5.9)
        loop = asyncio.get_running_loop()
        begin_s = loop.time()
        running.api.put(a_podautoscaler("new"))
        while not running.api.calls:
            await asyncio.sleep(0.01)
        await running.end()
        return loop.time() - begin_s

    assert live(story) < 0.5


def test_what_failed_is_tried_when_the_api_server_is_back() -> None:
    async def story() -> None:
        running = Running()
        running.api.put(*at_zero(active="Unknown", annotations=TWO_PODS))
        running.api.refuse(SCALE, 429, retry_after_s=60.0)
        running.start()
        await asyncio.sleep(10.0)
        assert running.scaled == [2]
        running.api.break_watches(PODAUTOSCALERS, ApiError("the API server went", status=0))
        await asyncio.sleep(10.0)
        assert running.scaled == [2, 2]
        await running.end()

    live(story)


# --- files ----------------------------------------------------------------------------------------


def test_advice_is_read_and_what_is_decided_is_shown_each_tick(tmp_path: Path) -> None:
    async def story() -> Running:
        running = Running(advice=tmp_path, snapshots=tmp_path)
        running.api.put(*at_zero(annotations=OUTWARD))
        an_advice({KEY: 250.0}).write(tmp_path / NAME)
        await running.run(10.0)
        return running

    assert live(story).scaled == [3]
    snapshot = read_tick(tmp_path / TICK)
    assert [named.revision for named in read_names(tmp_path / NAMES)] == [KEY]
    assert snapshot.decision.predicted.tolist() == [3]
    notes = snapshot.notes
    assert (notes["leading"], notes["leadership"], notes["writes"] > 0) == (True, "", True)
    assert notes["faults"]["advice"] == notes["faults"]["leases"] == ""
    assert sum(notes["tick_counts"]) >= 4


def test_what_the_clusters_bill_has_left_is_shown_and_kept_over_a_restart(tmp_path: Path) -> None:
    async def story() -> tuple[float, float]:
        running = Running(snapshots=tmp_path)
        running.api.put(*at_zero(annotations=OUTWARD))
        running.api.put(a_configmap("config-autoscaler", kn_ahead_cluster_max_extra="10%"))
        running.start()
        await asyncio.sleep(5.0)
        fleet = running.process.controller.fleet
        fleet.cluster_credit = replace(fleet.cluster_credit, left_s=123.0)
        await asyncio.sleep(5.0)
        await running.end()
        again = Running(snapshots=tmp_path)
        again.api.put(*at_zero(annotations=OUTWARD))
        again.api.put(a_configmap("config-autoscaler", kn_ahead_cluster_max_extra="10%"))
        noted = read_tick(tmp_path / TICK).notes["cluster_bill"]
        await again.run(5.0)
        return noted["left_s"], again.process.controller.fleet.cluster_credit.left_s

    assert live(story) == (123.0, 123.0)


def test_files_that_are_of_no_use_are_faults_and_nothing_else(tmp_path: Path) -> None:
    async def story() -> Running:
        (tmp_path / NAME).write_bytes(b"garbage")
        running = Running(advice=tmp_path, snapshots=tmp_path / "nowhere", record=Path("/dev/full"))
        running.api.put(*at_zero(active="Unknown", annotations=TWO_PODS))
        await running.run(20.0)
        return running

    running = live(story)
    assert running.scaled == [2]
    assert "does not begin with" in running.fault("advice")
    assert "nothing is shown" in running.fault("snapshots")
    assert "No space left" in running.fault("recording")


def test_all_that_happens_may_be_recorded_and_happens_again(tmp_path: Path) -> None:
    async def story() -> None:
        running = Running(record=tmp_path / "run.gz", advice=tmp_path)
        running.api.put(*at_zero(annotations=OUTWARD))
        running.start()
        await asyncio.sleep(5.0)
        an_advice({KEY: 250.0}).write(tmp_path / NAME)
        running.api.put(a_configmap("config-autoscaler", min_scale="4"))
        await asyncio.sleep(5.0)
        running.api.put(a_podautoscaler("new"))
        await asyncio.sleep(5.0)
        await running.end()

    live(story)
    plain, records = read(tmp_path / "run.gz")
    again, planned = Controller(plain=plain), 0
    for record in records:
        assert as_json(again.handle(record.event, record.now)) == record.instructions
        planned += len(record.instructions)
    assert planned > 3


# --- settings -------------------------------------------------------------------------------------


def test_config_network_is_followed_live_and_a_wrong_one_keeps_the_former(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    followed: list[Network] = []
    monkeypatch.setattr(Scraping, "follow", lambda _, network: followed.append(network))

    async def story() -> None:
        running = Running()
        running.start()
        for data in ({"mesh_compatibility_mode": "enabled"}, {"mesh_compatibility_mode": "often"}):
            await asyncio.sleep(2.0)
            running.api.put(a_configmap("config-network", **data))
        await asyncio.sleep(2.0)
        said = "mesh-compatibility-mode is 'often'; allowed: auto, enabled, disabled"
        assert said in running.fault("config-network")
        assert "the former values stay" in running.fault("config-network")
        running.api.put(a_configmap("config-network", enable_mesh_pod_addressability="true"))
        await asyncio.sleep(2.0)
        assert running.fault("config-network") == ""
        running.api.remove(path_of("ConfigMap", "config-network", SYSTEM))
        await asyncio.sleep(2.0)
        await running.end()

    live(story)
    assert followed == [Network(mesh=Mesh.ENABLED), Network(pods_addressable=True), Network()]


def test_the_election_is_followed_live_and_a_wrong_one_changes_nothing() -> None:
    store = LeaseStore()

    async def story() -> None:
        running, leases = Running(store), list[int]()
        running.start()
        for seconds in ("90s", "30s"):
            running.api.put(a_configmap("config-leader-election", lease_duration=seconds))
            await asyncio.sleep(15.0)
            leases.append(store.spec(FIRST)["leaseDurationSeconds"])
        assert "the former values stay" in running.fault("config-leader-election")
        running.api.remove(path_of("ConfigMap", "config-leader-election", SYSTEM))
        await asyncio.sleep(15.0)
        leases.append(store.spec(FIRST)["leaseDurationSeconds"])
        assert leases == [90, 90, 60]
        await running.end()

    live(story)


# --- health ---------------------------------------------------------------------------------------


def test_every_kind_that_is_listed_and_the_leases_are_parts_that_may_fail(tmp_path: Path) -> None:
    async def story() -> None:
        running = Running(snapshots=tmp_path)
        running.start()
        await asyncio.sleep(5.0)
        running.api.break_watches(PODAUTOSCALERS, ApiError("connection refused", status=0))
        await asyncio.sleep(0.1)
        assert "connection refused" in running.fault("podautoscalers")
        await asyncio.sleep(10.0)
        assert running.fault("podautoscalers") == ""
        await running.end()

    live(story)
    kinds = {"podautoscalers", "serverlessservices", "deployments", "pods", "configmaps", "routes"}
    parts = kinds | {"leases", "advice", "snapshots", "recording", "statistics", "scrape"}
    assert parts <= read_tick(tmp_path / TICK).notes["faults"].keys()
