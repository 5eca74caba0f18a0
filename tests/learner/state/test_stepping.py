"""New demand: services that come and go, gaps, corrections, and what cannot be."""

from dataclasses import replace

import numpy as np
import pytest

from autoscaler.errors import PermanentError
from learner.sources.quarantine import sound_demand
from learner.state.features import features
from learner.state.fill import fill
from learner.state.level_state import WINDOW, LevelState, empty_state
from learner.state.periods import FEWEST_STEPS
from learner.state.ring import MOST_NEED, SPARE
from learner.state.stepping import MOST_LEFT_OUT, advance, step
from tests.learner.state.oracle import (
    START_S,
    STEP_S,
    WINDOWS,
    assert_features,
    demand_of,
    mixed_need,
    values_of,
)

N_STEPS = 200
NEED = mixed_need(N_STEPS, seed=5)
DEMAND = demand_of(NEED)


def begun(n_steps: int = N_STEPS) -> LevelState:
    state = empty_state(start_s=START_S, step_s=STEP_S, spread=1)
    return advance(state, DEMAND.until(n_steps))


def same(one: LevelState, other: LevelState) -> bool:
    here, there = values_of(one), values_of(other)
    return one.services == other.services and np.array_equal(here, there, equal_nan=True)


# --- services -----------------------------------------------------------------------------------


def test_a_service_that_is_gone_has_gaps_and_one_that_comes_had_gaps() -> None:
    come, stay = NEED[:1, 150:], NEED[1:, 150:]
    names = ("a/first", *DEMAND.services[1:])
    state = advance(begun(150), demand_of(np.vstack([come, stay]), start=150, names=names))
    gone = np.where(np.arange(N_STEPS) < 150, NEED[:1], np.nan)
    late = np.where(np.arange(N_STEPS) < 150, np.nan, NEED[:1])
    whole = demand_of(np.vstack([late, gone, NEED[1:]]), names=("a/first", *DEMAND.services))
    assert state.services == whole.services
    assert_features(state, whole)


def test_services_in_another_order_are_the_same_services() -> None:
    swapped = np.random.default_rng(0).permutation(len(DEMAND.services))
    state = advance(begun(120), DEMAND.only(swapped))
    assert same(state, begun())


def test_a_service_of_which_nothing_is_known_any_more_is_forgotten() -> None:
    n_steps = FEWEST_STEPS + 9  # one more, and the last known step of the second has left
    need = np.ones((2, n_steps))
    need[1, 10:] = np.nan
    state = fill([demand_of(need)], window=FEWEST_STEPS)
    assert state is not None
    assert state.known[1] == 1
    state = advance(state, demand_of(need[:1, :1], start=state.steps))
    assert state.known[1] == 0
    state = advance(state, demand_of(need[:1, :1], start=state.steps))
    assert state.services == DEMAND.services[:1]
    assert len(state.ring.values) == 1


def test_a_service_does_not_touch_the_others() -> None:
    other = NEED.copy()
    other[4] = np.where(np.arange(N_STEPS) > 100, 100_000.0, 0.0)
    state = advance(begun(100), demand_of(other))
    rows, values = features(state, WINDOWS)
    expected_rows, expected = features(begun(), WINDOWS)
    untouched = values.values[rows.service != 4], expected.values[expected_rows.service != 4]
    np.testing.assert_array_equal(*untouched)


# --- time ---------------------------------------------------------------------------------------


def test_steps_that_are_left_out_are_gaps() -> None:
    state = advance(begun(100), demand_of(NEED[:, 130:], start=130))
    need = NEED.copy()
    need[:, 100:130] = np.nan
    assert_features(state, demand_of(need))


def test_what_is_known_already_is_not_counted_again() -> None:
    state = begun()
    assert same(advance(state, demand_of(NEED[:, 50:], start=50)), state)


def test_filling_too_keeps_what_is_known_already() -> None:
    contrary = demand_of(np.where(np.arange(N_STEPS) < 120, 7.0, NEED))
    filled = fill([DEMAND.until(120), contrary], spread=1)
    assert filled is not None
    assert same(filled, begun())


@pytest.mark.parametrize(
    ("start", "n_steps", "why"),
    [
        (0, N_STEPS - 1, "before what is known"),
        (N_STEPS + MOST_LEFT_OUT + 1, 1, "begins 721 steps after what is known; allowed: <= 720"),
        (0.5, N_STEPS, "multiples of 60.0 s later"),
    ],
)
def test_demand_of_another_time_is_refused(start: int, n_steps: int, why: str) -> None:
    state = begun()
    with pytest.raises(PermanentError, match=why):
        advance(state, demand_of(NEED[:, :n_steps], start=start))
    assert same(state, begun())


def test_demand_of_another_step_is_refused() -> None:
    with pytest.raises(PermanentError, match=r"in steps of 30\.0 s; allowed"):
        advance(begun(), replace(DEMAND, step_s=30.0, start_s=DEMAND.end_s))


def test_a_window_shorter_than_what_is_looked_back_on_is_refused() -> None:
    with pytest.raises(PermanentError, match="window is 100 steps; allowed: >= "):
        empty_state(start_s=START_S, step_s=STEP_S, window=100)


# --- corrections --------------------------------------------------------------------------------


def test_late_samples_are_taken_in_from_a_state_some_steps_back() -> None:
    states = [begun(150)]
    wrong = np.where(np.arange(N_STEPS) % 2 == 0, np.nan, NEED)
    for pods in wrong[:, 150 : 150 + SPARE - 1].T:
        states.append(step(states[-1], pods))
    corrected = advance(states[0], DEMAND.until(150 + SPARE))
    assert same(corrected, begun(150 + SPARE))


def test_a_state_whose_past_the_ring_has_lost_is_refused() -> None:
    state = begun(150)
    advance(state, DEMAND.until(150 + SPARE))
    with pytest.raises(PermanentError, match="the state is of step 150, the newest of 166"):
        step(state, NEED[:, 150])


def test_going_back_twice_does_not_reach_behind_what_was_overwritten() -> None:
    states = [begun(150)]
    for pods in NEED[:, 150:170].T:
        states.append(step(states[-1], pods))
    step(states[10], NEED[:, 160])
    with pytest.raises(PermanentError, match="the newest of 170"):
        step(states[0], NEED[:, 150])


# --- what cannot be -----------------------------------------------------------------------------


def test_a_spike_that_cannot_be_is_a_gap_of_its_service() -> None:
    peak, gap = NEED.copy(), NEED.copy()
    peak[2, 180], gap[2, 180] = 1e9, np.nan
    demand = sound_demand(
        services=DEMAND.services, start_s=START_S, step_s=STEP_S, arrivals=NEED, peak=peak,
        capacity=DEMAND.capacity,
    )  # fmt: skip
    assert list(demand.quarantined) == [DEMAND.services[2]]
    assert_features(advance(begun(100), demand), demand_of(gap))


def test_a_service_takes_a_bounded_number_of_bytes() -> None:
    """Whatever it needs: a flood of all that a cluster holds has 118 levels of 1.2 KB."""
    flood = advance(begun(100), demand_of(np.full((1, 3), 150_000.0), start=100, names=("a/b",)))
    before, after = begun(100).nbytes, flood.nbytes
    assert flood.greatest.max() == MOST_NEED
    assert after - before < 2 * (WINDOW + SPARE) + 30 + 118 * 1_260
    quiet = advance(begun(100), demand_of(np.zeros((1, 3)), start=100, names=("a/b",)))
    assert quiet.nbytes - before < 2 * (WINDOW + SPARE) + 30
