"""Features of the state on longer pasts, past the first refreshes and past the window."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.core.types import FloatArray
from learner.models.levels import LEVELS, pods_needed
from learner.models.periods import (
    LOOK_BACK,
    REFRESH,
    REFRESH_LATER,
    SHORT_PAST,
    autocorrelation,
    strongest_lag,
)
from learner.state.features import features
from learner.state.fill import fill
from learner.state.level_state import LevelState, empty_state
from learner.state.periods import FEWEST_STEPS, SPREAD, refreshed_until
from learner.state.stepping import advance, step
from tests.learner.state.oracle import (
    START_S,
    STEP_S,
    WINDOWS,
    assert_features,
    demand_of,
    mixed_need,
    values_of,
)


def names() -> tuple[str, ...]:
    return features(empty_state(start_s=START_S, step_s=STEP_S), WINDOWS)[1].names


@pytest.mark.parametrize("n_steps", [30, 240, 1441, 1960])
def test_they_are_those_of_the_whole_past(n_steps: int) -> None:
    demand = demand_of(mixed_need(n_steps, seed=n_steps))
    state = empty_state(start_s=START_S, step_s=STEP_S, spread=1)
    assert_features(advance(state, demand), demand)


def test_weeks_of_longer_steps_are_those_of_the_whole_past() -> None:
    demand = demand_of(mixed_need(1200, seed=3), step_s=600.0)
    state = advance(empty_state(start_s=START_S, step_s=600.0, spread=1), demand)
    assert_features(state, demand)
    week = [name.startswith("week") for name in names()]
    assert np.isfinite(values_of(state)[:, week]).any(axis=0).all()


def test_filling_is_stepping_to_the_bit() -> None:
    demand = demand_of(mixed_need(700, seed=2))
    stepped = advance(empty_state(start_s=START_S, step_s=STEP_S), demand)
    filled = fill([demand])
    assert filled is not None
    np.testing.assert_array_equal(values_of(stepped), values_of(filled))


def test_what_has_left_the_window_is_forgotten() -> None:
    """Past the window they are those of the window alone, but for averages and refreshes."""
    n_steps = FEWEST_STEPS + 130
    need = mixed_need(n_steps, seed=4)
    need[0, 50] = 9_000.0  # the greatest ever, which leaves
    state = fill([demand_of(need[:, :-120])], window=FEWEST_STEPS, spread=1)
    assert state is not None
    former = len(features(state, WINDOWS)[0])
    for pods in need[:, -120:].T:
        state = step(state, pods)
    within = demand_of(need[:, -FEWEST_STEPS:], start=n_steps - FEWEST_STEPS)
    apart = np.array([name.startswith(("period", "smooth")) for name in names()])
    assert 0 < apart.sum() < 20
    assert_features(state, within, ~apart)
    assert len(features(state, WINDOWS)[0]) < former


@pytest.mark.parametrize("begin", [1434, 1910, 2880])
def test_every_service_has_its_periods_refreshed_at_its_turn(begin: int) -> None:
    need = mixed_need(begin + 41, seed=3)
    state = advance(empty_state(start_s=START_S, step_s=STEP_S), demand_of(need[:, :begin]))
    assert len(set(state.turn.tolist())) > 5
    stale = 0
    for pods in need[:, begin:].T:
        state = step(state, pods)
        stale += assert_periods(state, need[:, : state.steps])
    assert stale


@given(st.integers(0, 10_000), st.integers(0, SPREAD - 1))
def test_a_refresh_is_never_undone_and_never_late(now: int, turn: int) -> None:
    turns = np.array([turn])
    until, until_next = refreshed_until(now, turns), refreshed_until(now + 1, turns)
    assert until <= until_next <= now + 1
    assert until > now - (REFRESH if now <= SHORT_PAST else REFRESH_LATER) or now < 2 * REFRESH
    if now - turn > SHORT_PAST:
        assert (until - turn) % REFRESH_LATER == 0
    elif until:
        assert (until - turn) % REFRESH == 0


def assert_periods(state: LevelState, need: FloatArray) -> int:
    """Those of the past up to each service's last refresh; how many are not those of now."""
    needed = pods_needed(demand_of(need))[state.levels.service]
    active = (needed >= LEVELS[state.levels.cell][:, None]).astype(np.float32)
    active[np.isnan(needed)] = np.nan
    until = refreshed_until(state.steps, state.turn)[state.levels.service]
    found = [
        strongest_lag(autocorrelation(one[None, max(0, end - LOOK_BACK) : end])) if end else (0, 0)
        for one, end in zip(active, until.tolist(), strict=True)
    ]
    period, strength = (np.ravel(each) for each in zip(*found, strict=True))
    np.testing.assert_array_equal(state.levels.period, period)
    np.testing.assert_array_equal(state.levels.strength, strength)
    of_now, _ = strongest_lag(autocorrelation(active[:, -LOOK_BACK:]))
    return int((of_now != period).sum())


def test_a_period_is_that_of_the_last_4096_steps_only() -> None:
    step_ = np.arange(4350)
    need = np.where(step_ < 350, step_ % 100 == 0, step_ % 37 < 2).astype(np.float64)[None, :]
    need[:, 300:349] = 1  # so that an older past would tell
    state = fill([demand_of(need)], spread=1)
    assert state is not None
    assert_periods(state, need)
    assert state.levels.period.tolist() == [37]


def test_averages_end_at_zero_before_they_are_denormal() -> None:
    """Arithmetic with denormal numbers takes a hundred times as long."""
    need = np.zeros((1, 1500))
    need[0, 0] = 1
    stepped = advance(empty_state(start_s=START_S, step_s=STEP_S), demand_of(need))
    filled = fill([demand_of(need)])
    assert filled is not None
    for state in (stepped, filled):
        smooth = state.levels.smooth[0]
        assert smooth[0] == 0
        assert (smooth[1:] > 1e-60).all()


def test_pieces_past_the_window_leave_gaps_where_they_lack_a_service() -> None:
    n_steps = FEWEST_STEPS + 300
    need = mixed_need(n_steps, seed=8)
    pieces = [
        demand_of(need[:, :4000]),
        demand_of(need[1:, 4000:4500], start=4000, names=demand_of(need).services[1:]),
        demand_of(need[:, 4700:], start=4700),
    ]
    need[0, 4000:4500] = need[:, 4500:4700] = np.nan
    filled, expected = (
        fill(pieces, window=FEWEST_STEPS),
        fill([demand_of(need)], window=FEWEST_STEPS),
    )
    assert filled is not None
    assert expected is not None
    values = values_of(filled), values_of(expected)
    np.testing.assert_array_equal(*values)


def test_a_state_without_services_has_no_rows() -> None:
    rows, values = features(empty_state(start_s=START_S, step_s=STEP_S), WINDOWS)
    assert len(rows) == 0
    assert values.values.shape == (0, len(names()))
