"""A learner that is killed goes on where it was, or says why not."""

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest

from autoscaler.bundle.file import load_bundle
from autoscaler.clock import SimulatedClock
from autoscaler.core.prediction.forecasts import ForecastBundle
from autoscaler.errors import PermanentError
from learner.calibration.reliability import log_odds
from learner.demand import Demand
from learner.engine import Learner, MixedExperts
from learner.experts.model import Experts
from learner.models import Exceedance, Model
from learner.publishing.checkpoint import SAVE_S, Checkpoint, WarmStart
from learner.publishing.fitted_file import load_fitted
from learner.publishing.publisher import SETTLE_S, Publisher, PublishSettings
from learner.settings import LearnerSettings
from learner.sources.remembered import Remembered
from learner.state.stepping import MOST_LEFT_OUT

STEP_S = 60.0
START_S = 6_000 * STEP_S
HISTORY = 700  # steps
WINDOWS = (0, 1, 2, 5)
SERVICES = ("shop/a", "shop/b", "till/c")
T = TypeVar("T")
Unbroken = tuple[Path, list[tuple[ForecastBundle, Exceedance]]]


class Calls:
    """Three services, the last of them called long ago; remembers how many steps were asked for."""

    def __init__(self) -> None:
        random = np.random.default_rng(3)
        step = np.arange(9_000)
        self.need = np.stack([(step % 10 == 0) * 2.0, random.poisson(0.2, 9_000), step * 0.0])
        self.need[2, 5_500:5_520] = 1.0
        self.asked: list[int] = []

    def read(self, *, start_s: float, end_s: float, step_s: float) -> Demand:
        begin, end = round(start_s / STEP_S), round(end_s / STEP_S)
        self.asked.append(end - begin)
        rows = np.flatnonzero(self.need[:, begin:end].any(axis=1))
        need = self.need[rows, begin:end].astype(np.float64)
        return Demand(
            services=tuple(SERVICES[row] for row in rows),
            start_s=start_s,
            step_s=step_s,
            arrivals=need,
            peak=need,
            capacity=np.ones(len(rows)),
        )


def at_once(work: Callable[[], T], /) -> "Future[T]":
    future: Future[T] = Future()
    future.set_result(work())
    return future


class Later:
    """Work is done when it is told to."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []

    def begin(self, work: Callable[[], T], /) -> "Future[T]":
        future: Future[T] = Future()
        self.waiting.append(lambda: future.set_result(work()))
        return future


class Process:
    """A learner's process; ``killed`` after some steps by being forgotten."""

    def __init__(
        self,
        folder: Path,
        clock: SimulatedClock,
        beside: Later | None = None,
        windows: tuple[int, ...] = WINDOWS,
        history: int = HISTORY,
    ) -> None:
        self.path, self.clock, self.calls = folder / "forecasts.npz", clock, Calls()
        self.settings = PublishSettings(
            bundle=self.path,
            step_s=STEP_S,
            history_s=history * STEP_S,
            refit_s=200 * STEP_S,
            learner=LearnerSettings(windows=windows, max_rows=2_000, rounds=10),
        )
        self.fits, self.experts = 0, MixedExperts(windows)
        source = Remembered(self.calls, begin=beside.begin if beside else at_once)
        checkpoint = Checkpoint(
            self.path,
            source,
            windows=windows,
            step_s=STEP_S,
            history_s=self.settings.history_s,
            capacity=1.0,
            experts=self.experts,
            begin=at_once,
        )
        self.publisher = Publisher(
            source,
            self.settings,
            clock,
            clock.advance,
            warm=WarmStart(model=self.experts, checkpoint=checkpoint),
            start=self._fit,
        )

    def _fit(self, fit: Callable[[], Learner]) -> "Future[Learner]":
        self.fits += 1
        return at_once(fit)

    def given(self) -> Exceedance:
        """(n_windows, n_experts, n, n_cells) what they gave last, not mixed, nor calibrated."""
        given = self.experts.mixture._given
        last = max(given)[0]
        return np.stack([given[last, window].answers for window in range(len(WINDOWS) - 1)])

    def publish(self, steps: int = 1) -> ForecastBundle:
        for _ in range(steps):
            self.publisher.publish()
            self.clock.advance(STEP_S)
        return load_bundle(self.path)


def clock_at(step: int) -> SimulatedClock:
    return SimulatedClock(START_S + step * STEP_S + SETTLE_S + 1.0)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Unbroken:
    """The folder as it was at a kill after 20 steps; forecasts without one, and as given."""
    folder = tmp_path_factory.mktemp("learner")
    process = Process(folder, clock_at(0))
    process.publish(20)
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    bundles = [(process.publish(), process.given()) for _ in range(10)]
    killed = tmp_path_factory.mktemp("killed")
    for name, data in files.items():
        (killed / name).write_bytes(data)
    return killed, bundles


@pytest.fixture
def folder(tmp_path: Path, unbroken: Unbroken) -> Path:
    for path in unbroken[0].iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


@pytest.mark.parametrize("away", [0, 1, 9])
def test_forecasts_after_a_restart_are_those_without_it(
    folder: Path, unbroken: Unbroken, away: int
) -> None:
    process = Process(folder, clock_at(20 + away), beside=Later())
    after, (without, given) = process.publish(), unbroken[1][away]
    assert process.fits == 0
    assert sum(process.calls.asked) < 60  # of 700 steps
    assert (after.services, after.made_at_s) == (without.services, without.made_at_s)
    assert after.fitted_at_s == without.fitted_at_s
    np.testing.assert_array_equal(process.given(), given)


def test_what_is_published_after_a_restart_is_calibrated_as_before(
    folder: Path, unbroken: Unbroken
) -> None:
    after, (without, _) = Process(folder, clock_at(20)).publish(), unbroken[1][0]
    # What came since the last writing is not counted, of twenty steps: the lines differ by that.
    odds, others = (log_odds(one.exceedance) for one in (after, without))
    np.testing.assert_allclose(odds, others, atol=0.5)


def test_what_the_model_gives_is_the_same_to_the_bit(folder: Path) -> None:
    held = load_fitted(folder / "forecasts.model.npz")
    demand = Calls().read(start_s=0.0, end_s=START_S, step_s=STEP_S)
    again = Learner(LearnerSettings(windows=WINDOWS, max_rows=2_000, rounds=10))
    fitted = again.fit(
        Calls().read(start_s=START_S - HISTORY * STEP_S, end_s=START_S, step_s=STEP_S)
    ).model_
    origins = np.array([300, 5_510, 6_000])
    assert isinstance(fitted, Experts)
    models: tuple[Model, ...] = (held.model, held.recency)
    for model, other in zip(models, fitted.models, strict=True):
        np.testing.assert_array_equal(
            model.predict(demand, origins).exceedance, other.predict(demand, origins).exceedance
        )


def test_all_of_the_past_is_read_beside_the_loop_and_then_fits_go_on(folder: Path) -> None:
    beside = Later()
    process = Process(folder, clock_at(20 + 190), beside=beside)
    process.publish(5)
    assert (process.fits, len(beside.waiting)) == (0, 1)  # a fit has been due
    beside.waiting.pop()()
    process.publish(2)
    assert process.fits == 1
    assert process.calls.asked.count(HISTORY) == 1


def test_a_past_that_cannot_be_read_is_said_and_asked_for_again(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    begun: list[Future[Any]] = []

    class Failing(Later):
        def begin(self, work: Callable[[], T], /) -> "Future[T]":
            future: Future[T] = Future()
            future.set_exception(PermanentError("too many services"))
            begun.append(future)
            return future

    process = Process(folder, clock_at(20), beside=Failing())
    process.publish(15)
    assert len(begun) == 2
    said = [r.message for r in caplog.records if "too many services" in r.message]
    assert len(said) == 1


def test_both_files_are_written_after_a_fit_and_every_few_minutes(tmp_path: Path) -> None:
    process = Process(tmp_path, clock_at(0))
    process.publish()
    paths = [tmp_path / f"forecasts.{what}.npz" for what in ("state", "model")]
    written = [path.stat().st_ino for path in paths]
    process.publish(round(SAVE_S / STEP_S) - 1)
    assert [path.stat().st_ino for path in paths] == written
    process.publish()
    assert [path.stat().st_ino for path in paths] != written


def cut(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def a_page(path: Path) -> None:
    path.write_text("<html>")


def changed(**arrays: object) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        with np.load(path) as archive:
            held: dict[str, Any] = dict(archive)
        np.savez(path, **held | arrays)

    return change


def with_numbers(**numbers: float) -> Callable[[Path], None]:
    return changed(**{name: np.array(number) for name, number in numbers.items()})


DAMAGES: list[tuple[Callable[[Path], None], str]] = [
    (cut, "damaged"),
    (flipped, "damaged"),
    (empty, "no npz"),
    (a_page, "no npz"),
    (changed(magic="kn-ahead forecast bundle"), "magic is kn-ahead forecast bundle"),
    (changed(version=77), "version is 77"),
    (changed(meaning="something"), "meaning is something"),
    (with_numbers(step_s=30.0), "step_s is 30.0"),
]
OF_MODELS: list[tuple[Callable[[Path], None], str]] = [
    (with_numbers(fitted_at_s=1.0), "age is"),
    (with_numbers(fitted_at_s=9e9), "age is"),
    (with_numbers(fitted_at_s=np.nan), "fitted_at_s is nan"),
    (changed(windows=np.array([0, 1, 2, 6])), "asks for the column"),
    (changed(windows=np.array([0, 1])), "asks for the column"),
    (changed(lawless=np.full(3, np.inf)), "no log odds"),
    (changed(columns=np.array(["one"])), "asks for the column one"),
    (changed(trees=np.zeros(9, dtype=np.uint8)), "tree_bytes"),
    (changed(line=np.zeros((2, 9))), "line is float64"),
    (changed(model_outcomes=np.zeros(3)), "model_outcomes is float64"),
    (changed(lag=np.zeros(2, dtype=np.int64)), "lag is int64 of shape"),
]


@pytest.mark.parametrize(
    ("what", "damage", "why"),
    [(what, *each) for what in ("state", "model") for each in DAMAGES]
    + [("model", *each) for each in OF_MODELS],
)
def test_what_cannot_be_used_is_said_and_begun_anew(
    folder: Path,
    caplog: pytest.LogCaptureFixture,
    what: str,
    damage: Callable[[Path], None],
    why: str,
) -> None:
    path = folder / f"forecasts.{what}.npz"
    damage(path)
    process = Process(folder, clock_at(20))
    process.publish()
    assert process.fits == (what == "model")
    assert (HISTORY in process.calls.asked) == (what == "state" or process.fits == 1)
    (said,) = [r.message for r in caplog.records if "begins anew" in r.message]
    assert str(path) in said
    assert why in said
    assert "\n" not in said


def assert_state_not_used(process: Process, caplog: pytest.LogCaptureFixture, why: str) -> None:
    process.publish()
    said = [r.message for r in caplog.records if "begins anew" in r.message]
    assert any(why in each and "forecasts.state.npz" in each for each in said)
    assert process.calls.asked[0] == HISTORY


def test_a_state_that_is_too_old_is_not_used(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert_state_not_used(Process(folder, clock_at(20 + MOST_LEFT_OUT + 5)), caplog, "age is")


def test_a_state_of_a_longer_past_is_not_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Process(tmp_path, clock_at(0), history=5_000).publish()
    assert_state_not_used(Process(tmp_path, clock_at(1)), caplog, "steps kept")


def test_a_state_of_a_shorter_past_answers_until_all_is_read(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    beside = Later()
    process = Process(folder, clock_at(20), beside=beside, history=5_000)
    process.publish(2)
    assert max(process.calls.asked) < 60
    beside.waiting.pop()()
    process.publish()
    state = process.publisher._carried.oldest
    assert state is not None
    assert state.ring.window == 5_000
    assert "begins anew" not in caplog.text


def test_a_state_of_pods_of_another_size_is_not_used(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    changed(recent_capacity=np.full(3, 100.0))(folder / "forecasts.state.npz")
    Process(folder, clock_at(20)).publish()
    assert "capacity is [100.]; allowed: 1.0" in caplog.text


def test_windows_of_another_kind_are_fitted_anew(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    process = Process(folder, clock_at(20), windows=(0, 1))
    process.publish()
    assert process.fits == 1
    assert "windows is (0, 1, 2, 5); allowed: (0, 1)" in caplog.text


def test_drafts_of_killed_processes_are_removed(folder: Path) -> None:
    draft = folder / ".forecasts.state.npz.0badcafe"
    draft.write_bytes(b"half")
    Process(folder, SimulatedClock(4e9)).publish()
    assert not draft.exists()
