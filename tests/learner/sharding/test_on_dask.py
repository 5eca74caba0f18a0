"""What is published is the same, whoever is lost while it is made; and what was lost is said."""

import contextlib
import re
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest

from autoscaler.bundle.file import load_bundle
from autoscaler.clock import SimulatedClock
from autoscaler.core.prediction.forecasts import ForecastBundle
from autoscaler.errors import TransientError
from learner.demand import Demand
from learner.engine import Learner
from learner.publishing.publisher import Publisher, PublishSettings, on_shards, settle_s
from learner.settings import LearnerSettings
from learner.sharding import remote
from learner.sharding.backend import Backend
from learner.sharding.local import Local
from learner.sharding.on_dask import OnDask
from learner.sharding.shards import Shards
from tests.learner.sharding.cluster import Cluster, cluster
from tests.learner.state.oracle import START_S, STEP_S, demand_of, mixed_need

HISTORY, STEPS = 4_700, 6  # more than periods look back
NEED = mixed_need(HISTORY + STEPS, seed=5, copies=2)


class Recorded:
    """A source that holds all of it."""

    def read(self, *, start_s: float, end_s: float, step_s: float) -> Demand:
        first, last = (round((at - START_S) / step_s) for at in (start_s, end_s))
        return demand_of(NEED[:, first:last], start=first)


def at_once(fit: Callable[[], Learner]) -> "Future[Learner]":
    future: Future[Learner] = Future()
    future.set_result(fit())
    return future


class Loop:
    """A publisher of eight shards, step by step."""

    def __init__(self, folder: Path, backend: Backend, refit_steps: int = 3) -> None:
        folder.mkdir()
        self.clock = SimulatedClock(START_S + HISTORY * STEP_S + settle_s(STEP_S))
        self.bundle = folder / "forecasts.npz"
        settings = PublishSettings(
            bundle=self.bundle, step_s=STEP_S, history_s=HISTORY * STEP_S,
            refit_s=refit_steps * STEP_S,
            learner=LearnerSettings(windows=(0, 1, 5), max_rows=3_000, rounds=20, seeds=(0, 1)),
        )  # fmt: skip
        self.publisher = Publisher(
            Recorded(), settings, self.clock, self.clock.advance, start=at_once,
            warm=on_shards(Shards(backend, services_a_shard=4), None, ()),
        )  # fmt: skip

    def step(self) -> ForecastBundle:
        self.publisher.publish()
        self.clock.advance(STEP_S)
        return load_bundle(self.bundle)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[ForecastBundle]:
    loop = Loop(tmp_path_factory.mktemp("local") / "loop", Local())
    return [loop.step() for _ in range(STEPS)]


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(tmp_path_factory.mktemp("cluster")) as made:
        yield made


@pytest.fixture
def four_workers(workers: Cluster) -> Cluster:
    workers.complete()
    return workers


def on(cluster: Cluster, folder: Path) -> Iterator[Loop]:
    on_dask = OnDask(cluster.address, patience_s=5.0)
    yield Loop(folder / "loop", on_dask)
    if on_dask._connected:
        on_dask._connected.close(timeout=2)


@pytest.fixture
def loop(tmp_path: Path, four_workers: Cluster) -> Iterator[Loop]:
    yield from on(four_workers, tmp_path)


def assert_same(one: ForecastBundle, other: ForecastBundle) -> None:
    assert (one.services, one.reason, one.model) == (other.services, other.reason, other.model)
    assert (one.made_at_s, one.fitted_at_s) == (other.made_at_s, other.fitted_at_s)
    np.testing.assert_array_equal(one.demand_edges, other.demand_edges)
    np.testing.assert_array_equal(one.exceedance, other.exceedance)


def said(caplog: pytest.LogCaptureFixture, what: str) -> list[str]:
    return [record.message for record in caplog.records if record.message.startswith(what)]


def assert_one_is_gone(caplog: pytest.LogCaptureFixture) -> None:
    (line,) = said(caplog, "workers are gone")
    assert re.fullmatch(r".*take over their tasks and shards gone=tcp://[\d.:]+ left=3", line)


def test_four_workers_publish_what_one_process_does(
    loop: Loop, undisturbed: list[ForecastBundle], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    for expected in undisturbed:
        assert_same(loop.step(), expected)
    # Each worker goes on with the shards that it has, through two fits.
    assert said(caplog, "states") == ["states are made anew from the past shards=8 of=8"]
    assert not said(caplog, "workers are gone")


def test_a_worker_lost_in_the_middle_of_a_refresh_changes_nothing(
    loop: Loop,
    four_workers: Cluster,
    undisturbed: list[ForecastBundle],
    caplog: pytest.LogCaptureFixture,
) -> None:
    for expected in undisturbed[:2]:
        assert_same(loop.step(), expected)
    caplog.set_level("INFO")
    four_workers.arm("learner.state.carried.features")
    assert_same(loop.step(), undisturbed[2])
    assert_one_is_gone(caplog)
    assert said(caplog, "states") == ["states are made anew from the past shards=2 of=8"]
    four_workers.complete()
    for expected in undisturbed[3:]:
        assert_same(loop.step(), expected)
    assert len(said(caplog, "workers have come")) == 1


def test_a_worker_lost_in_the_middle_of_a_fit_changes_nothing(
    loop: Loop,
    four_workers: Cluster,
    undisturbed: list[ForecastBundle],
    caplog: pytest.LogCaptureFixture,
) -> None:
    four_workers.arm("learner.models.boosting._fitted")
    assert_same(loop.step(), undisturbed[0])
    assert_one_is_gone(caplog)
    caplog.clear()
    four_workers.complete()
    for expected in undisturbed[1:3]:
        assert_same(loop.step(), expected)
    four_workers.arm("learner.models.features.level_features")
    for expected in undisturbed[3:]:
        assert_same(loop.step(), expected)
    assert_one_is_gone(caplog)


def test_without_a_worker_nothing_is_published_and_that_is_said(
    loop: Loop, four_workers: Cluster, undisturbed: list[ForecastBundle]
) -> None:
    loop.step()
    for worker in four_workers.workers:
        worker.kill()
        worker.wait()
    with pytest.raises(TransientError, match="has no worker; allowed: >= 1"):
        loop.step()
    assert_same(load_bundle(loop.bundle), undisturbed[0])
    four_workers.complete(1)
    assert_same(loop.step(), undisturbed[1])


def test_without_a_scheduler_nothing_is_published_and_that_is_said(
    tmp_path: Path, undisturbed: list[ForecastBundle]
) -> None:
    with (
        cluster(tmp_path, n_workers=1) as one_worker,
        contextlib.contextmanager(on)(one_worker, tmp_path) as loop,
    ):
        loop.step()
        one_worker.scheduler.kill()
        one_worker.scheduler.wait()
        for _ in range(2):
            with pytest.raises(TransientError, match=r"scheduler tcp://.* cannot be reached"):
                loop.step()
        assert_same(load_bundle(loop.bundle), undisturbed[0])


def test_a_worker_of_other_code_is_refused(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("learner.sharding.on_dask.code_here", lambda: "kn-ahead 0, Python 2")
    with pytest.raises(TransientError, match=r"a worker runs kn-ahead .*allowed: the learner's"):
        loop.step()
    assert not loop.bundle.exists()


def test_sources_and_libraries_are_what_code_is() -> None:
    assert remote.code_here().startswith("kn-ahead ")
    assert "numpy " in remote.code_here()
