"""Timers are recognised by their exactness, trusted while they keep their appointments."""

import numpy as np
import pytest

from autoscaler.core.types import BoolArray, FloatArray
from learner.demand import Demand
from learner.models.timers import Timers, timer_of

STEP = np.arange(600)


def called_at(hits: BoolArray, *, pods: float = 1.0) -> FloatArray:
    return np.where(hits, pods, 0.0).astype(np.float64)


EVERY_37 = called_at(STEP % 37 == 5, pods=2.0)


def demand_of(need: FloatArray) -> Demand:
    return Demand(
        services=("shop/cron",),
        start_s=0.0,
        step_s=60.0,
        arrivals=need[None, :],
        peak=need[None, :],
        capacity=np.ones(1),
    )


def chances(need: FloatArray, origins: list[int]) -> FloatArray:
    model = Timers(windows=(0, 1, 2, 5)).fit(demand_of(need[:400]))
    exceedance = model.predict(demand_of(need), np.array(origins)).exceedance
    return np.asarray(exceedance[0], dtype=np.float64)


@pytest.mark.parametrize("period", [5, 37, 60, 97])
def test_finds_an_exact_period(period: int) -> None:
    timer = timer_of(called_at(STEP % period == 3))
    assert timer is not None
    assert timer.period == period


def test_finds_a_period_despite_a_step_of_jitter() -> None:
    due = np.arange(10, 590, 30) + np.random.default_rng(0).integers(0, 2, 20)
    timer = timer_of(called_at(np.isin(STEP, due)))
    assert timer is not None
    assert abs(timer.period - 30) <= 1


def test_tells_two_overlaid_timers_of_one_period() -> None:
    timer = timer_of(called_at(np.isin(STEP % 60, [0, 20])))
    assert timer is not None
    assert (timer.period, timer.overlaid) == (60, 2)


@pytest.mark.parametrize("seed", range(5))
def test_random_callers_are_no_timers(seed: int) -> None:
    random = np.random.default_rng(seed)
    assert timer_of(called_at(random.random(600) < 0.05)) is None


@pytest.mark.parametrize("need", [np.zeros(600), np.ones(600), np.full(600, np.nan), np.zeros(0)])
def test_silence_and_constant_work_are_no_timers(need: FloatArray) -> None:
    assert timer_of(need) is None


def test_expects_the_next_appointment_and_nothing_before_it() -> None:
    due = 5 + 37 * 12
    said = chances(EVERY_37, [due - 10, due - 2, due])
    assert (said[0] < 0.05).all()
    assert (said[1, 2, :2] > 0.8).all()
    assert (said[1, :2] < 0.05).all()
    assert (said[2, 0, :2] > 0.8).all()


def test_two_overlaid_timers_are_each_expected_at_their_time() -> None:
    said = chances(called_at(np.isin(STEP % 60, [0, 20])), [480, 500, 520])
    assert (said[:2, 0, 0] > 0.8).all()
    assert said[2, 0, 0] < 0.05


def test_a_missed_appointment_halves_the_trust() -> None:
    stopped = np.where(STEP < 420, EVERY_37, 0.0)
    due = 5 + 37 * np.array([12, 13])
    first, second = chances(stopped, due.tolist())[:, 0, 0]
    assert second == pytest.approx(first / 2, rel=0.05)
