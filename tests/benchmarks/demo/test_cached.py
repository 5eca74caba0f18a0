"""What is shown before a run has results of its own."""

import asyncio
from importlib.util import find_spec
from pathlib import Path

import pytest

from autoscaler.api.app import create_app
from autoscaler.refusals import Refusals
from benchmarks.demo.cached import SHIPPED, Cached, read_cached, write_cached
from benchmarks.demo.make_cached import last_files
from benchmarks.demo.status import Figures, Origin
from benchmarks.replay import Replay
from benchmarks.traces.trace import Trace
from tests.autoscaler.api.conftest import ask


@pytest.fixture(scope="module")
def shipped() -> Cached:
    """Fails where a layout has changed: `python -m benchmarks.demo.make_cached` makes it anew."""
    return asyncio.run(read_cached())


def test_the_shipped_one_is_small_and_names_the_command_that_made_it(shipped: Cached) -> None:
    assert SHIPPED.stat().st_size < 50_000
    assert find_spec(shipped.origin.command.removeprefix("python -m "))
    assert shipped.origin.made_at.endswith("UTC")


def test_the_shipped_one_shows_decisions_changes_forecasts_and_dependencies(
    shipped: Cached,
) -> None:
    with ask(create_app(shipped.model, shipped.clock, Refusals())) as client:
        assert client.get("/readyz").json() == {"ready": True, "detail": []}
        assert client.get("/v1/forecasts/shop/browse").json()["reason"] is None
        assert len(client.get("/v1/decisions/shop/browse").json()["changes"]) > 1
        edges = client.get("/v1/dependencies?direct=true").json()["dependencies"]
    assert [(edge["upstream"], edge["downstream"]) for edge in edges] == [
        ("shop/browse", "shop/cart"),
        ("shop/cart", "shop/purchase"),
        ("shop/purchase", "shop/mailer"),
    ]


def test_the_shipped_one_is_of_a_morning_at_which_something_is_wanted(shipped: Cached) -> None:
    assert shipped.clock.now() % 86_400 == 9 * 3600
    wanted = [
        state.want for name in shipped.model.services for state in shipped.model.revisions(name)
    ]
    assert sum(wanted) >= 4


def test_what_is_written_is_read(replay: Replay, whole: Trace, tmp_path: Path) -> None:
    figures = Figures(title="Two services", rows=(("Knative (KPA)", "9", "1.0"),))
    origin = Origin(command="python -m somewhere", made_at="then")
    files = asyncio.run(last_files(replay, whole))
    write_cached(tmp_path / "cached.zip", files, figures, origin, replay.demand.end_s)
    read = asyncio.run(read_cached(tmp_path / "cached.zip"))
    assert (read.origin, read.figures) == (origin, figures)
    assert read.clock.now() == replay.demand.end_s
    assert all(read.model.changes(name) for name in read.model.services)
