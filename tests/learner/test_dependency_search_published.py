"""A chain's starts in a real Prometheus become edges of the published bundle."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from autoscaler.bundle.file import load_bundle
from autoscaler.clock import SimulatedClock
from autoscaler.core.prediction.dependencies import Origin
from autoscaler.core.types import FloatArray
from benchmarks.traces.openmetrics import backfill
from learner.demand import Demand
from learner.dependency_search import dependency_search_of
from learner.publishing.publisher import Publisher, PublishSettings
from learner.settings import LearnerSettings
from learner.sources.demand_reader import PrometheusReader
from learner.sources.queries import PrometheusServer
from tests.conftest import prometheus_server
from tests.learner.exported import Exporter, put

START_S = 1_700_000_040.0  # a whole minute
SPAN_S = 10 * 3600.0
CHAIN = ("shop/front", "shop/cart", "till/pay")


def chain_of_calls() -> dict[str, FloatArray]:
    """Front pulls cart, which pulls pay, 1.5 s later each; another service has its own life."""
    rng = np.random.default_rng(3)
    front = START_S + np.sort(rng.uniform(0.0, SPAN_S, 120))
    calls = {name: front + 1.5 * hop for hop, name in enumerate(CHAIN)}
    return calls | {"shop/other": START_S + np.sort(rng.uniform(0.0, SPAN_S, 120))}


def demand_of(calls: dict[str, FloatArray]) -> Demand:
    edges = START_S + 60.0 * np.arange(SPAN_S / 60.0 + 1)
    arrivals = np.stack([np.histogram(at, edges)[0] for at in calls.values()]).astype(float)
    return Demand(
        services=tuple(calls),
        start_s=START_S,
        step_s=60.0,
        arrivals=arrivals,
        peak=np.minimum(arrivals, 1.0),
        capacity=np.ones(len(calls)),
    )


def edges_in(bundle: Path) -> dict[tuple[str, str], bool]:
    edges = load_bundle(bundle).edges
    ends = zip(edges.upstream, edges.downstream, edges.direct, strict=True)
    return {(edges.services[a], edges.services[b]): bool(direct) for a, b, direct in ends}


EDGES = {(CHAIN[0], CHAIN[1]): True, (CHAIN[1], CHAIN[2]): True, (CHAIN[0], CHAIN[2]): False}
NOBODY = "http://127.0.0.1:1"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Prometheus that has demand and starts."""
    folder = tmp_path_factory.mktemp("prometheus")
    calls = chain_of_calls()
    backfill(demand_of(calls), folder / "data")
    put(Exporter(calls=calls, since_s=START_S, until_s=START_S + SPAN_S).samples(), folder)
    with prometheus_server(folder) as address:
        yield address


class Life:
    """A publisher and its restarts; starts may be asked of an address of their own."""

    def __init__(self, folder: Path, url: str) -> None:
        self.bundle, self.url = folder / "forecasts.npz", url
        self.clock = SimulatedClock(START_S + SPAN_S)

    def begin(self, starts_url: str) -> Publisher:
        settings = PublishSettings(
            bundle=self.bundle,
            history_s=5 * 3600.0,
            learner=LearnerSettings(windows=(0, 1, 2), max_rows=500, rounds=5),
        )
        search = dependency_search_of(PrometheusServer(starts_url, attempts=1), self.bundle)
        reader = PrometheusReader(self.url, capacity=1.0)
        return Publisher(reader, settings, self.clock, self.clock.advance, search)


@pytest.fixture
def life(tmp_path: Path, url: str) -> Life:
    return Life(tmp_path, url)


def test_a_chain_is_published_with_its_lags(life: Life) -> None:
    life.begin(life.url).publish()
    assert edges_in(life.bundle) == EDGES
    edges = load_bundle(life.bundle).edges
    assert set(edges.origin.tolist()) == {int(Origin.LEARNED_STARTS)}
    assert edges.lag_s[edges.direct] == pytest.approx([1.5, 1.5], abs=0.1)


def test_what_was_found_outlives_a_restart_though_starts_cannot_be_read(life: Life) -> None:
    life.begin(life.url).publish()
    life.bundle.unlink()
    life.begin(NOBODY).publish()
    assert edges_in(life.bundle) == EDGES


def test_forecasts_are_published_though_no_search_works_and_each_says_so_once(
    life: Life, caplog: pytest.LogCaptureFixture
) -> None:
    publisher = life.begin(NOBODY)
    for _ in range(3):
        publisher.publish()
    published = load_bundle(life.bundle)
    assert (published.made_at_s, len(published.edges)) == (START_S + SPAN_S - 60.0, 0)
    said = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert len(said) == 2
    assert all("cannot be reached" in each for each in said)
    assert ["by Istio" in said[0], "by starts" in said[1]] == [True, True]


def test_damaged_evidence_is_said_once_and_gathered_anew(
    life: Life, caplog: pytest.LogCaptureFixture
) -> None:
    life.begin(life.url).publish()
    (kept,) = life.bundle.parent.glob("*.evidence.npz")
    kept.write_bytes(kept.read_bytes()[:1000])
    publisher = life.begin(life.url)
    publisher.publish()
    publisher.publish()
    assert edges_in(life.bundle) == EDGES
    said = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert len(said) == 1
    assert str(kept) in said[0]
    life.begin(NOBODY).publish()  # what was gathered anew is whole
    assert edges_in(life.bundle) == EDGES
