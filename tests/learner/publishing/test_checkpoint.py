"""A learner that is killed goes on where it was."""

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autoscaler.clock import SimulatedClock
from autoscaler.errors import PermanentError
from learner.calibration.reliability import log_odds
from learner.engine import Learner
from learner.experts.model import Experts
from learner.models import Model
from learner.publishing.checkpoint import SAVE_S
from learner.publishing.fitted_file import load_fitted
from learner.settings import LearnerSettings
from tests.learner.publishing.restarts import (
    HISTORY,
    START_S,
    STEP_S,
    WINDOWS,
    Calls,
    Later,
    Process,
    T,
    Unbroken,
    clock_at,
)


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


def test_drafts_of_killed_processes_are_removed(folder: Path) -> None:
    draft = folder / ".forecasts.state.npz.0badcafe"
    draft.write_bytes(b"half")
    Process(folder, SimulatedClock(4e9)).publish()
    assert not draft.exists()
