"""What the demo's API shows: the last hour of a replay, by way of snapshots and the advisor."""

import socket
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import httpx
import numpy as np
import pytest
from typer.testing import CliRunner

from autoscaler.advisor.read_model import ReadModel
from autoscaler.api.app import create_app
from autoscaler.cli.main import app
from autoscaler.clock import SimulatedClock
from autoscaler.core.state.revision import Mode
from autoscaler.health import Health
from autoscaler.refusals import Refusals
from benchmarks.demo import SHOWN_S, show
from benchmarks.replay import Replay
from tests.autoscaler.api.conftest import ask
from tests.benchmarks.finished import Finished

BROWSE, REFUND = "shop/browse", "shop/refund"
Shown = tuple[Replay, ReadModel, SimulatedClock]


@pytest.fixture(scope="module")
def shown(finished: Finished) -> Shown:
    replay, _ = finished
    model, clock = ReadModel(Health()), SimulatedClock()
    show(replay, model, clock)
    return replay, model, clock


@pytest.fixture(scope="module")
def client(shown: Shown) -> Iterator[httpx.Client]:
    _, model, clock = shown
    with ask(create_app(model, clock, Refusals())) as client:
        yield client


def test_the_clock_stands_at_the_end_of_the_replay(shown: Shown) -> None:
    replay, _, clock = shown
    assert clock.now() == replay.demand.end_s
    assert replay.simulation.now - SHOWN_S < replay.table.made_at_s[0]  # before any forecast


def test_every_service_has_its_last_decision_under_kn_ahead_outward(shown: Shown) -> None:
    _, model, clock = shown
    assert model.services == (BROWSE, REFUND)
    for service in model.services:
        (state,) = model.revisions(service)
        assert (state.decision.at_s, state.mode) == (clock.now(), Mode.OUTWARD)
        assert state.sentence


def test_every_change_of_the_last_hour_is_shown_newest_first(shown: Shown) -> None:
    _, model, clock = shown
    for service in model.services:
        changes = model.changes(service)
        times = [change.decision.at_s for change in changes]
        assert times == sorted(times, reverse=True)
        assert clock.now() - SHOWN_S < times[-1]
        assert changes[-1].before is None  # the first decision of all
        for later, earlier in pairwise(changes):
            assert later.before == earlier.decision.want
        assert changes[0].decision.want == model.revisions(service)[0].want


def test_the_last_forecasts_are_in_force(shown: Shown) -> None:
    replay, model, clock = shown
    assert model.forecasts is not None
    assert model.forecasts.made_at_s == clock.now() - 60.0
    np.testing.assert_array_equal(model.forecasts.exceedance, replay.last_bundle().exceedance)


def test_the_api_is_ready_and_shows_services_decisions_forecasts_and_edges(
    shown: Shown, client: httpx.Client
) -> None:
    _, model, _ = shown
    assert client.get("/readyz").json() == {"ready": True, "detail": []}
    assert client.get("/v1/services").json()["total"] == 2
    (revision,) = client.get(f"/v1/decisions/{BROWSE}").json()["revisions"]
    assert revision["revision"] == "browse-00001"
    assert client.get(f"/v1/forecasts/{BROWSE}").json()["windows"]
    dependencies = client.get("/v1/dependencies").json()
    assert dependencies["total"] == len(model.known_edges.edges)
    assert REFUND in client.get("/").text
    assert 'service="browse"' in client.get("/metrics").text


@pytest.mark.parametrize("what", ["port", "report"])
def test_what_cannot_be_written_or_served_is_refused_before_the_work(
    tmp_path: Path, what: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        report = tmp_path / ("missing/page.html" if what == "report" else "page.html")
        options = ["--serve", f"--port={port}", f"--report={report}"]
        result = CliRunner().invoke(app, ["demo", *options])
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert {"port": f"127.0.0.1:{port} cannot be listened on", "report": f"{report} cannot"}[
        what
    ] in result.stderr
