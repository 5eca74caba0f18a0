"""Experts count for as much as what they said has come true, service by service."""

import numpy as np
import pytest
from scipy.special import expit, logit

from autoscaler.bundle.npz import Arrays
from autoscaler.core.types import FloatArray
from learner.demand import Demand
from learner.experts.mixture import FIRST, Mixture
from learner.models import Forecast
from tests.learner.state.oracle import demand_of

WINDOWS = (0, 1, 5)
STEPS = 400
RANDOM = np.random.default_rng(0)
# The first service is called in every step; the second one now and then.
NEED = np.stack([np.ones(STEPS), RANDOM.random(STEPS) < 0.1]).astype(np.float64)
SURE, UNSURE = 0.95, 0.2  # what two experts say, of every service and window


def until(end: int, need: FloatArray = NEED) -> Demand:
    return demand_of(need[:, :end])


def forecast(n: int, probability: float) -> Forecast:
    return Forecast(
        demand_edges=np.tile([0.0, 1.0], (n, 1)),
        exceedance=np.full((n, 1, len(WINDOWS) - 1, 1), probability, dtype=np.float32),
        reason=("",) * n,
    )


def step(mixture: Mixture, demand: Demand) -> FloatArray:
    """(n, n_windows) what is mixed at the end of demand."""
    n = len(demand.services)
    given = [forecast(n, SURE), forecast(n, UNSURE)]
    mixed = mixture.mixed(demand, np.array([demand.n_steps]), given)
    return np.asarray(mixed.exceedance[:, 0, :, 0], dtype=np.float64)


def after(steps: int, need: FloatArray = NEED) -> Mixture:
    mixture = Mixture(2, WINDOWS)
    for end in range(1, steps + 1):
        step(mixture, until(end, need))
    return mixture


def test_nothing_known_is_the_first_expert_for_the_most_part() -> None:
    weights = Mixture(3, WINDOWS).weights(("a", "b"))
    np.testing.assert_allclose(weights[0], FIRST)
    np.testing.assert_allclose(weights.sum(axis=0), 1.0)
    expected = expit(FIRST * logit(SURE) + (1 - FIRST) * logit(UNSURE))
    np.testing.assert_allclose(step(Mixture(2, WINDOWS), until(1)), expected, rtol=1e-6)


def test_each_service_is_left_to_the_expert_that_is_right_about_it() -> None:
    weights = after(STEPS).weights(until(1).services)
    np.testing.assert_allclose(weights.sum(axis=0), 1.0)
    assert (weights[0, 0] > 0.95).all()  # of the one that is always called
    assert weights[1, 1, 0] > 0.95


def test_the_mixture_loses_next_to_nothing_against_the_best_of_the_experts() -> None:
    mixture, loss = Mixture(2, WINDOWS), np.zeros(3)
    for end in range(1, STEPS):
        mixed = step(mixture, until(end))[:, 0]
        came = NEED[:, end] > 0
        for place, each in enumerate((mixed, np.full(2, SURE), np.full(2, UNSURE))):
            loss[place] -= np.log(np.where(came, each, 1 - each)).sum()
    assert loss[0] < loss[1:].min()  # here better than each: they are right about one service each


def test_what_comes_later_has_no_part_in_it() -> None:
    changed = NEED.copy()
    changed[:, 200:] = 1 - changed[:, 200:]
    one, other = (step(after(199, need), until(200, need)) for need in (NEED, changed))
    np.testing.assert_array_equal(one, other)


def test_gaps_say_nothing_about_an_expert() -> None:
    gaps = NEED.copy()
    gaps[0] = np.nan
    services = until(1).services
    one, other = after(100).weights(services), after(100, gaps).weights(services)
    np.testing.assert_allclose(other[:, 0], Mixture(2, WINDOWS).weights(services)[:, 0])
    np.testing.assert_array_equal(one[:, 1], other[:, 1])


def test_what_was_long_ago_is_forgotten() -> None:
    mixture = after(100)
    quiet = demand_of(np.full((2, 40_000), np.nan))
    step(mixture, quiet)
    step(mixture, demand_of(np.full((2, 40_010), np.nan)))
    weights = mixture.weights(quiet.services)
    np.testing.assert_allclose(weights, Mixture(2, WINDOWS).weights(quiet.services), atol=0.01)


def test_weights_belong_to_names_and_those_of_who_is_gone_are_dropped() -> None:
    mixture = after(100)
    names = until(1).services
    before = mixture.weights(names)
    swapped = until(101).only(np.array([1, 0]))
    step(mixture, swapped)
    np.testing.assert_allclose(mixture.weights(names), before, atol=0.05)
    alone = demand_of(np.ones((8, 110)))
    for end in range(102, 110):
        step(mixture, alone.until(end).only(np.array([0])))
    assert len(mixture._row) <= 2


def test_another_process_goes_on_with_the_weights() -> None:
    mixture, again = after(100), Mixture(2, WINDOWS)
    again.resume(mixture.arrays())
    names = until(1).services
    np.testing.assert_allclose(again.weights(names), mixture.weights(names), rtol=1e-5)


def test_weights_of_other_experts_are_not_taken() -> None:
    again = Mixture(3, WINDOWS)
    again.resume(after(100).arrays())
    assert again.weights(("shop/service-000",))[0, 0, 0] == pytest.approx(FIRST)


@pytest.mark.parametrize(
    "wrong",
    [
        {"gain": np.zeros((2, 1, 2), dtype=np.float32)},
        {"gain": np.full((2, 2, 2), np.nan, dtype=np.float32)},
        {"gain": np.zeros((2, 2, 2), dtype=np.int64)},
        {"weighed_until": np.array(-1)},
        {"weighed_until": np.array(0.5)},
    ],
    ids=["other services", "no number", "counts", "before all", "half a step"],
)
def test_what_cannot_be_is_refused(wrong: Arrays) -> None:
    with pytest.raises(ValueError, match=r"gain is|weighed_until is"):
        Mixture(2, WINDOWS).resume(after(10).arrays() | wrong)
