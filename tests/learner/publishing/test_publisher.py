from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest

from autoscaler.bundle.file import load_bundle
from autoscaler.clock import SimulatedClock
from autoscaler.errors import PermanentError, TransientError
from autoscaler.limits import HISTORY
from autoscaler.refusals import LimitError
from learner.demand import Demand
from learner.engine import Learner
from learner.publishing.publisher import Publisher, PublishSettings, settle_s
from learner.settings import LearnerSettings
from learner.status import LearnerStatus

STEP_S = 60.0
START_S = 600 * STEP_S


class Recorded:
    """A Prometheus that has a service called every ten minutes, and remembers what was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[float, float, float]] = []
        self.fails = False
        self.quarantined: dict[str, str] = {}
        self.clock, self.takes_s = SimulatedClock(), 0.0
        self.most_steps = 1_000_000

    def read(self, *, start_s: float, end_s: float, step_s: float) -> Demand:
        self.asked.append((start_s, end_s, step_s))
        self.clock.advance(self.takes_s)
        if self.fails:
            raise TransientError("Prometheus cannot be reached")
        if (end_s - start_s) / step_s > self.most_steps:
            raise LimitError(HISTORY, "the past of all")
        steps = np.arange(start_s // step_s, end_s // step_s)
        calls = (steps % 10 == 0).astype(np.float64)[None, :]
        return Demand(
            services=("shop/sync",),
            start_s=start_s,
            step_s=step_s,
            arrivals=calls,
            peak=calls,
            capacity=np.ones(1),
            quarantined=self.quarantined,
        )


def at_once(fit: Callable[[], Learner]) -> "Future[Learner]":
    """Fit before the loop goes on."""
    future: Future[Learner] = Future()
    future.set_result(fit())
    return future


class EndedError(Exception):
    """Raised by a clock that has run out."""


def publisher(
    folder: Path,
    source: Recorded,
    clock: SimulatedClock,
    turns: int = 99,
    key: bytes | None = None,
    status: LearnerStatus | None = None,
    history: int = 300,
) -> Publisher:
    left = [turns]

    def sleep(seconds: float) -> None:
        if not left[0]:
            raise EndedError
        left[0] -= 1
        clock.advance(seconds)

    settings = PublishSettings(
        bundle=folder / "forecasts.npz",
        step_s=STEP_S,
        history_s=history * STEP_S,
        refit_s=3 * STEP_S,
        key=key,
        learner=LearnerSettings(windows=(0, 1, 2), max_rows=500, rounds=10),
    )
    return Publisher(source, settings, clock, sleep, status=status, start=at_once)


def test_a_bundle_appears_that_ends_where_the_last_whole_step_ended(tmp_path: Path) -> None:
    clock, source = SimulatedClock(START_S + settle_s(STEP_S) + 1.0), Recorded()
    publisher(tmp_path, source, clock).publish()
    bundle = load_bundle(tmp_path / "forecasts.npz")
    assert (bundle.services, bundle.made_at_s) == (("shop/sync",), START_S)
    assert source.asked == [(START_S - 300 * STEP_S, START_S, STEP_S)]


def test_of_a_past_that_is_more_than_may_be_held_half_is_read(tmp_path: Path) -> None:
    clock, source = SimulatedClock(START_S + settle_s(STEP_S) + 1.0), Recorded()
    source.most_steps = 2_000
    made = publisher(tmp_path, source, clock, history=6_000)
    made.publish()
    clock.advance(STEP_S)
    made.publish()
    steps = [round((end - start) / STEP_S) for start, end, _ in source.asked]
    assert steps == [6_000, 3_000, 1_500, 1_500]
    assert load_bundle(tmp_path / "forecasts.npz").fitted_at_s == START_S
    (fault,) = made._faults.present()
    assert "1.04 days are read" in str(fault)


def test_of_less_than_a_day_nothing_is_published(tmp_path: Path) -> None:
    clock, source = SimulatedClock(START_S + settle_s(STEP_S) + 1.0), Recorded()
    source.most_steps = 1_000
    status = LearnerStatus(clock)
    with pytest.raises(LimitError, match="the past of all has more than"):
        publisher(tmp_path, source, clock, status=status, history=6_000).publish()
    assert status.refusals.counts == {HISTORY.name: 3}  # all, half, and a quarter


def test_a_step_is_read_once_it_has_settled(tmp_path: Path) -> None:
    clock, source = SimulatedClock(START_S + 12.0), Recorded()
    with pytest.raises(EndedError):
        publisher(tmp_path, source, clock, turns=3).run()
    assert clock.now() == START_S + 3 * STEP_S + settle_s(STEP_S)
    assert [end for _, end, _ in source.asked] == [START_S + n * STEP_S for n in (1, 2, 3)]


def test_models_are_fitted_anew_only_now_and_then(tmp_path: Path) -> None:
    clock, source = SimulatedClock(START_S), Recorded()
    made = publisher(tmp_path, source, clock)
    fitted = []
    for _ in range(5):
        made.wait()
        made.publish()
        fitted.append(load_bundle(tmp_path / "forecasts.npz").fitted_at_s)
    assert fitted == [START_S + n * STEP_S for n in (0, 0, 0, 3, 3)]


def test_a_prometheus_that_is_gone_leaves_the_last_bundle_and_is_asked_again(
    tmp_path: Path,
) -> None:
    clock, source = SimulatedClock(START_S), Recorded()
    made = publisher(tmp_path, source, clock, turns=3)
    made.publish()
    before = (tmp_path / "forecasts.npz").read_bytes()
    source.fails = True
    with pytest.raises(EndedError):
        made.run()
    assert len(source.asked) == 4
    assert (tmp_path / "forecasts.npz").read_bytes() == before


def test_forecasts_from_the_state_are_those_from_the_whole_past(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("broken")

    bundles = []
    for state in ("sound", "broken"):
        if state == "broken":
            monkeypatch.setattr("learner.state.carried.CarriedState.newest_rows", broken)
        clock = SimulatedClock(START_S)
        made = publisher(tmp_path, Recorded(), clock)
        for _ in range(9):
            made.wait()
            made.publish()
        bundles.append(load_bundle(tmp_path / "forecasts.npz"))
    from_state, from_past = bundles
    assert from_state.made_at_s == from_past.made_at_s
    np.testing.assert_allclose(from_state.exceedance, from_past.exceedance, rtol=0.02, atol=1e-3)
    assert len([r for r in caplog.records if "unhealthy" in r.message]) == 1


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match="missing"):
        publisher(tmp_path / "missing", Recorded(), SimulatedClock(START_S)).publish()


def test_what_is_published_is_signed_with_the_key(tmp_path: Path) -> None:
    key = bytes(range(32))
    publisher(tmp_path, Recorded(), SimulatedClock(START_S), key=key).publish()
    assert load_bundle(tmp_path / "forecasts.npz", key).services == ("shop/sync",)
    with pytest.raises(PermanentError, match="it is signed"):
        load_bundle(tmp_path / "forecasts.npz")


def test_while_prometheus_is_gone_the_learner_lives(tmp_path: Path) -> None:
    clock, source = SimulatedClock(START_S), Recorded()
    source.fails = True
    status = LearnerStatus(clock, step_s=STEP_S, refit_s=3 * STEP_S)
    with pytest.raises(EndedError):
        publisher(tmp_path, source, clock, turns=200, status=status).run()
    assert (status.liveness_failure(), status.published_s) == ("", None)
    clock.advance(13 * STEP_S + 1.0)
    assert status.liveness_failure().startswith("the loop has not turned for ")


def test_every_stage_of_a_fit_is_a_sign_of_life(tmp_path: Path) -> None:
    clock, beats = SimulatedClock(START_S), []

    class Counting(LearnerStatus):
        def heartbeat(self) -> None:
            beats.append(1)

    publisher(tmp_path, Recorded(), clock, status=Counting(clock)).publish()
    assert len(beats) == 3  # the search for dependencies, the fit, and its end


def test_who_is_quarantined_is_said_once_and_when_it_is_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="learner.publishing.publisher")
    clock, source = SimulatedClock(START_S), Recorded()
    status = LearnerStatus(clock)
    made = publisher(tmp_path, source, clock, status=status)
    source.quarantined = {"shop/sync": "samples that cannot be: 1, such as -1"}
    for _ in range(3):
        made.publish()
    assert status.quarantined == source.quarantined
    source.quarantined = {}
    for _ in range(3):
        made.publish()
    assert (status.quarantined, status.published_s) == ({}, START_S)
    assert [r.message for r in caplog.records if "quarantined" in r.message] == [
        'services quarantined services="shop/sync: samples that cannot be: 1, such as -1"',
        "services no longer quarantined services=shop/sync",
    ]


def test_a_read_that_takes_longer_than_a_step_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    clock, source = SimulatedClock(START_S), Recorded()
    made = publisher(tmp_path, source, clock)
    source.clock, source.takes_s = clock, 95.0
    for _ in range(3):
        made.publish()
    source.takes_s = 1.0
    made.publish()
    assert [r.message for r in caplog.records if "reading" in r.message] == [
        'unhealthy part="reading demand" why="took 95 s; forecasts come every 60 s at best"',
        'healthy again part="reading demand" after_s=191',
    ]
