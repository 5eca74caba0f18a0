"""What the demo's API shows: the shop goes on, by way of snapshots, advisor and advice."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from threading import Event

import httpx
import numpy as np
import pytest

from autoscaler.advisor.read_model import ReadModel
from autoscaler.api.app import create_app
from autoscaler.clock import SimulatedClock, SystemClock
from autoscaler.core.state.revision import Mode
from autoscaler.exchange.snapshot import Changes
from autoscaler.health import Health
from autoscaler.refusals import Refusals
from benchmarks.demo.live import WARM_UP_S, LiveShop, keep_pace
from benchmarks.replay import Replay
from benchmarks.traces.trace import Trace
from tests.autoscaler.api.conftest import ask
from tests.benchmarks.demo.conftest import LIVE_STEPS

BROWSE, REFUND = "shop/browse", "shop/refund"
TURNS = 31  # five minutes, and the turn that brings the fifth one's forecast


class Went:
    """A live shop that has warmed up and gone on for five minutes."""

    def __init__(self, replay: Replay, whole: Trace, folder: Path) -> None:
        self.model, self.clock = ReadModel(Health()), SimulatedClock()
        self.shop = LiveShop(replay, whole, self.model, self.clock, folder)
        asyncio.run(self._go())

    async def _go(self) -> None:
        self.warmed_up: Changes = await self.shop.warm_up()
        self.warm_s = self.clock.now()
        for _ in range(TURNS):
            await self.shop.turn()


@pytest.fixture(scope="module")
def went(replay: Replay, whole: Trace, tmp_path_factory: pytest.TempPathFactory) -> Went:
    return Went(replay, whole, tmp_path_factory.mktemp("live"))


@pytest.fixture(scope="module")
def client(went: Went) -> Iterator[httpx.Client]:
    with ask(create_app(went.model, went.clock, Refusals())) as client:
        yield client


def test_it_begins_where_the_replay_ended_and_goes_on(went: Went, replay: Replay) -> None:
    assert went.warm_s == replay.demand.end_s
    assert went.clock.now() == went.warm_s + TURNS * 10.0


def test_every_service_has_its_last_decision_under_kn_ahead_full(went: Went) -> None:
    assert went.model.services == (BROWSE, REFUND)
    for service in went.model.services:
        (state,) = went.model.revisions(service)
        assert (state.decision.at_s, state.mode) == (went.clock.now(), Mode.FULL)
        assert state.sentence


def test_every_change_is_shown_newest_first(went: Went) -> None:
    for service in went.model.services:
        changes = went.model.changes(service)
        times = [change.at_s for change in changes]
        assert times == sorted(times, reverse=True)
        for newer, older in pairwise(changes):
            assert newer.before == older.want
        assert changes[0].want == went.model.revisions(service)[0].want


def test_warming_up_gives_every_change_on_the_way(went: Went) -> None:
    at_s = went.warmed_up.decision.at_s
    assert (np.diff(at_s) >= 0).all()
    assert went.warm_s - WARM_UP_S < at_s.min() <= at_s.max() <= went.warm_s


def test_the_newest_forecasts_are_in_force_and_advise(went: Went) -> None:
    assert went.model.forecasts is not None
    assert went.model.forecasts.made_at_s == went.warm_s + 300.0
    predicted = [went.model.revisions(name)[0].decision.predicted for name in went.model.services]
    assert min(predicted) >= 0


def test_no_forecast_sees_what_comes_after_it(
    went: Went, replay: Replay, whole: Trace, tmp_path: Path
) -> None:
    seen = replay.demand.n_steps + 5
    others = whole.counts.copy()
    others[:, seen:] = 50.0
    other = Went(replay, replace(whole, counts=others), tmp_path)
    assert went.model.forecasts is not None
    assert other.model.forecasts is not None
    known = went.model.forecasts.exceedance
    np.testing.assert_array_equal(other.model.forecasts.exceedance[..., : known.shape[-1]], known)


def test_the_api_shows_services_decisions_and_forecasts(client: httpx.Client) -> None:
    assert client.get("/readyz").json() == {"ready": True, "detail": []}
    assert client.get("/v1/services").json()["total"] == 2
    (revision,) = client.get(f"/v1/decisions/{BROWSE}").json()["revisions"]
    assert revision["revision"] == "browse-00001"
    assert client.get(f"/v1/forecasts/{BROWSE}").json()["windows"]
    assert 'service="browse"' in client.get("/metrics").text
    assert REFUND in client.get("/").text


def test_it_keeps_pace_until_its_days_are_over(
    replay: Replay, whole: Trace, tmp_path: Path
) -> None:
    few = LIVE_STEPS - 15
    short = replace(whole, counts=whole.counts[:, :-few], duration_s=whole.duration_s[:, :-few])
    shop = LiveShop(replay, short, ReadModel(Health()), SimulatedClock(), tmp_path)
    asyncio.run(shop.warm_up())
    asyncio.run(keep_pace(shop, SystemClock(), Event(), speed=1e9))
    assert shop.now == shop.end_s


def test_it_ends_when_it_is_told_to(replay: Replay, whole: Trace, tmp_path: Path) -> None:
    shop = LiveShop(replay, whole, ReadModel(Health()), SimulatedClock(), tmp_path)
    ended, began_s = Event(), shop.now
    ended.set()
    asyncio.run(keep_pace(shop, SystemClock(), ended))
    assert shop.now == began_s
