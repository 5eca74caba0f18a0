"""Forecasts come, go and come back under a whole service: what is decided, and who is told."""

import asyncio
from pathlib import Path

import pytest

from autoscaler.clock import SimulatedClock
from autoscaler.faults import FORECASTS
from knative.api import Object
from knative.service import Service, ServiceSettings
from learner.bundle import load_bundle, save_bundle
from tests.knative.conftest import NOW_S, FakeApi, a_bundle

TURNS = 5  # of the forecasts, in the story
EVENTS = "/api/v1/namespaces/knative-serving/events"


class Watched:
    """A service that reads its bundle and writes Events, and does nothing else."""

    def __init__(self, bundle: Path) -> None:
        self.api, self.clock = FakeApi(), SimulatedClock(NOW_S)
        settings = ServiceSettings(bundle=bundle, pod_name="autoscaler-0", pod_uid="u-1")
        self.service = Service(self.api, settings, self.clock, load_bundle)
        self.board = self.service.seat.board

    async def until(self, well: bool) -> None:
        """Wait until the forecasts are well, or ail."""
        while FORECASTS not in self.board.faults.by_part or well == bool(
            self.board.faults.by_part[FORECASTS]
        ):
            await asyncio.sleep(0.01)

    @property
    def events(self) -> list[Object]:
        return self.api.bodies(EVENTS)


async def story(watched: Watched, path: Path) -> None:
    """Forecasts are missing at first, appear, are damaged, are good again, and grow stale."""
    seat = watched.service.seat
    parts = [watched.service._read_bundles(), watched.service._reports.events.run()]
    tasks = [asyncio.create_task(part) for part in parts]
    await watched.until(well=False)
    assert seat.bundle is None
    save_bundle(a_bundle(9.0), path)
    await watched.until(well=True)
    assert seat.bundle is not None
    assert watched.board.forecasts is seat.bundle
    path.write_bytes(b"garbage")
    await watched.until(well=False)
    assert seat.bundle is None
    assert watched.board.forecasts is None
    assert "no npz archive" in watched.board.readiness(watched.clock.now()).degraded[0]
    save_bundle(a_bundle(9.0), path)
    await watched.until(well=True)
    watched.clock.advance(3600.0)
    await watched.until(well=False)
    assert "ended at" in watched.board.readiness(watched.clock.now()).degraded[0]
    while sum(event["count"] for event in watched.events) < TURNS:
        await asyncio.sleep(0.01)
    for task in tasks:
        assert not task.done()
        task.cancel()
    await asyncio.wait(tasks)


def test_forecasts_that_go_are_told_once_and_are_back_by_themselves(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    path = tmp_path / "forecasts.npz"
    watched = Watched(path)
    asyncio.run(asyncio.wait_for(story(watched, path), 60.0))
    said = [record.levelname for record in caplog.records if record.message.startswith(FORECASTS)]
    assert said == ["WARNING", "INFO", "WARNING", "INFO", "WARNING"]
    assert {(e["reason"], e["type"]) for e in watched.events} == {
        ("ForecastsGone", "Warning"),
        ("ForecastsBack", "Normal"),
    }
    assert sum(event["count"] for event in watched.events) == TURNS
    assert {e["involvedObject"]["uid"] for e in watched.events} == {"u-1"}


def test_every_kind_that_is_cached_is_a_part_that_may_ail(tmp_path: Path) -> None:
    watched = Watched(tmp_path / "forecasts.npz")
    kinds = {"podautoscalers", "serverlessservices", "deployments", "pods", "configmaps"}
    assert kinds < watched.board.faults.by_part.keys()
    watched.service._pas._is("connection refused")
    fault = watched.board.faults.by_part["podautoscalers"]
    assert fault is not None
    assert fault.why == "connection refused"


def test_outside_of_a_pod_there_is_nobody_to_tell_events_of(tmp_path: Path) -> None:
    api = FakeApi()
    service = Service(api, ServiceSettings(), SimulatedClock(NOW_S), load_bundle)
    service._reports.say(FORECASTS, "gone")
    assert not service._reports.events._told
    assert service.seat.board.faults.present()


def test_forecasts_that_stay_away_are_told_of_once(tmp_path: Path) -> None:
    watched = Watched(tmp_path / "forecasts.npz")
    reports = watched.service._reports
    for second in range(3):
        reports.say(FORECASTS, f"gone for {second} s")
    (told,) = reports.events._told.values()
    assert (told.count, told.note.reason) == (1, "ForecastsGone")
