"""A fit never keeps forecasts from being made."""

from collections.abc import Callable
from concurrent.futures import Future

import numpy as np
import pytest

from autoscaler.health import Health
from learner.background import in_background
from learner.demand import Demand
from learner.engine import Learner
from learner.models.pooled import Pooled
from learner.publishing.refits import FITTING, Refits, Start
from learner.settings import LearnerSettings

SETTINGS = LearnerSettings(windows=(0, 1), max_rows=100, rounds=2)


def demand(n_steps: int) -> Demand:
    calls = (np.arange(n_steps) % 10 == 0).astype(np.float64)[None, :]
    return Demand(
        services=("shop/sync",),
        start_s=0.0,
        step_s=60.0,
        arrivals=calls,
        peak=calls,
        capacity=np.ones(1),
    )


class Held:
    """Fits end when they are told to."""

    def __init__(self) -> None:
        self.begun: list[tuple[Callable[[], Learner], Future[Learner]]] = []

    def start(self, fit: Callable[[], Learner]) -> "Future[Learner]":
        future: Future[Learner] = Future()
        self.begun.append((fit, future))
        if len(self.begun) == 1:
            self.finish()
        return future

    def finish(self) -> None:
        fit, future = self.begun[-1]
        future.set_result(fit())

    def fail(self) -> None:
        self.begun[-1][1].set_exception(MemoryError("no more"))


def refits(start: Start, faults: Health | None = None) -> Refits:
    return Refits(
        SETTINGS, refit_s=100.0, faults=faults or Health(), heartbeat=lambda: None, start=start
    )


def test_the_former_models_answer_while_a_fit_is_under_way() -> None:
    held = Held()
    made = refits(held.start)
    first, is_new = made.learner(demand(100), 0.0)
    assert is_new
    assert made.learner(demand(101), 100.0) == (first, False)
    assert made.learner(demand(102), 500.0) == (first, False)
    assert len(held.begun) == 2  # no third beside the second
    held.finish()
    second, is_new = made.learner(demand(103), 501.0)
    assert is_new
    assert second.fitted_at_s_ == demand(101).end_s
    assert made.learner(demand(103), 502.0)[0] is second  # the next fit has begun meanwhile
    assert len(held.begun) == 3


def test_until_the_first_fit_is_done_the_prior_answers() -> None:
    begun: list[tuple[Callable[[], Learner], Future[Learner]]] = []

    def start(fit: Callable[[], Learner]) -> "Future[Learner]":
        begun.append((fit, Future()))
        return begun[-1][1]

    prior = Pooled(windows=(0, 1), max_rows=100, rounds=2).fit(demand(50))
    made = Refits(
        SETTINGS, refit_s=100.0, faults=Health(), heartbeat=lambda: None, prior=prior, start=start
    )
    assert made.learner(demand(1439), -60.0)[0].model_ is prior
    assert not begun  # a day is not known yet
    learner, is_new = made.learner(demand(1440), 0.0)
    assert (learner.model_, learner.fitted_at_s_, is_new) == (prior, 0.0, False)
    assert learner.bundle(demand(1)).reason == ("",)
    begun[0][1].set_exception(MemoryError("no more"))
    assert made.learner(demand(1440), 1.0) == (learner, False)
    made.learner(demand(1442), 100.0)
    fit, future = begun[1]
    future.set_result(fit())
    later, is_new = made.learner(demand(1442), 101.0)
    assert is_new
    assert later.fitted_at_s_ == demand(1442).end_s


def test_a_fit_that_fails_leaves_the_former_models_and_is_repeated() -> None:
    held, faults = Held(), Health()
    made = refits(held.start, faults)
    first, _ = made.learner(demand(100), 0.0)
    made.learner(demand(101), 100.0)
    held.fail()
    assert made.learner(demand(102), 110.0) == (first, False)
    assert [fault.part for fault in faults.present()] == [FITTING]
    made.learner(demand(103), 200.0)
    held.finish()
    assert made.learner(demand(104), 210.0)[1]
    assert not faults.present()


def test_what_the_first_fit_raises_is_raised() -> None:
    def broken(_fit: Callable[[], Learner]) -> "Future[Learner]":
        future: Future[Learner] = Future()
        future.set_exception(MemoryError("no more"))
        return future

    with pytest.raises(MemoryError):
        refits(broken).learner(demand(100), 0.0)


def test_a_fit_in_the_background_comes_to_a_result() -> None:
    learner, is_new = refits(in_background).learner(demand(100), 0.0)
    assert is_new
    assert learner.fitted_at_s_ == demand(100).end_s


def test_while_little_is_known_fits_come_sooner() -> None:
    held = Held()
    made = refits(held.start)
    made.learner(demand(10), 0.0)
    made.learner(demand(39), 1.0)
    assert len(held.begun) == 1
    made.learner(demand(40), 2.0)
    assert len(held.begun) == 2
