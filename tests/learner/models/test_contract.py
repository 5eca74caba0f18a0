"""What a model owes, whoever it is."""

from collections.abc import Callable
from dataclasses import replace
from typing import cast

import numpy as np
import pytest

from learner.demand import Demand, Steps
from learner.experts.recency import Recency
from learner.models import Forecast, Model
from learner.models.levels import LEVELS, cells_in_reach, pods_needed
from learner.models.pooled import Pooled

WINDOWS = (0, 1, 2, 5, 15)
N_STEPS = 500
ORIGINS = np.array([0, 1, 60, 250, 333, 400, N_STEPS])
HOUR_S = 3600.0

NewModel = Callable[[], Model]


def demand_of(peak: Steps, *, start_s: float = 0.0, capacity: float = 1.0) -> Demand:
    return Demand(
        services=tuple(f"shop/service-{row}" for row in range(len(peak))),
        start_s=start_s,
        step_s=60.0,
        arrivals=peak,
        peak=peak,
        capacity=np.full(len(peak), capacity),
    )


def mixed_demand() -> Demand:
    """A wave, a timer, a sparse caller, a busy one, one with gaps, constants, silence, no data."""
    random = np.random.default_rng(7)
    step = np.arange(N_STEPS)
    wave = np.round(6 + 5 * np.sin(2 * np.pi * step / 40) + random.normal(0, 0.5, N_STEPS))
    timer = (step % 15 == 4) * 2.0
    sparse = (random.random(N_STEPS) < 0.03) * 1.0
    busy = random.poisson(3.0, N_STEPS) * 1.0
    gappy = np.where(random.random(N_STEPS) < 0.2, np.nan, timer)
    gappy[100:180] = np.nan
    constant, silent = np.full(N_STEPS, 2.0), np.zeros(N_STEPS)
    return demand_of(
        np.stack([wave, timer, sparse, busy, gappy, constant, silent, np.full(N_STEPS, np.nan)])
    )


def new_pooled() -> Model:
    return Pooled(windows=WINDOWS, seeds=(0,), rounds=15, max_rows=4000)


def new_recency() -> Model:
    return Recency(WINDOWS)


@pytest.fixture(scope="module", params=[new_pooled, new_recency], ids=["pooled", "recency"])
def new_model(request: pytest.FixtureRequest) -> NewModel:
    return cast(NewModel, request.param)


@pytest.fixture(scope="module")
def fitted(new_model: NewModel) -> Model:
    return new_model().fit(mixed_demand())


def assert_same(one: Forecast, other: Forecast) -> None:
    np.testing.assert_array_equal(one.demand_edges, other.demand_edges)
    np.testing.assert_array_equal(one.exceedance, other.exceedance)
    assert one.reason == other.reason


def test_probabilities_fall_along_the_cells(fitted: Model) -> None:
    exceedance = fitted.predict(mixed_demand(), ORIGINS).exceedance
    said = exceedance[~np.isnan(exceedance).any(axis=3)]
    assert ((said >= 0) & (said <= 1)).all()
    assert (np.diff(said, axis=1) <= 0).all()


def test_a_window_is_silent_in_all_its_cells_or_in_none(fitted: Model) -> None:
    silent = np.isnan(fitted.predict(mixed_demand(), ORIGINS).exceedance)
    assert (silent.all(axis=3) == silent.any(axis=3)).all()


def test_the_reason_is_empty_exactly_where_there_is_a_forecast(fitted: Model) -> None:
    forecast = fitted.predict(mixed_demand(), ORIGINS)
    speaks = ~np.isnan(forecast.exceedance).all(axis=(1, 2, 3))
    assert [reason == "" for reason in forecast.reason] == speaks.tolist()


def test_edges_are_pod_levels_and_reach_past_all_that_was_seen(fitted: Model) -> None:
    demand = replace(mixed_demand(), capacity=np.full(8, 2.5))
    edges = fitted.predict(demand, ORIGINS).demand_edges
    assert (np.diff(edges, axis=1) >= 0).all()
    assert (edges[:, 0] == 0).all()
    assert (edges[:, 1] == 2.5).all()
    assert (edges[:, -1] >= np.nan_to_num(demand.peak).max(axis=1) + 2.5).all()


@pytest.mark.parametrize("origin", [60, 250, 400])
def test_what_comes_after_the_origin_changes_nothing(fitted: Model, origin: int) -> None:
    demand = mixed_demand()
    peak = demand.peak.copy()
    peak[:, origin:] = np.random.default_rng(1).integers(0, 30, peak[:, origin:].shape)
    then = fitted.predict(demand, np.array([origin])).exceedance
    now = fitted.predict(demand_of(peak), np.array([origin])).exceedance
    width = min(then.shape[3], now.shape[3])
    np.testing.assert_array_equal(then[..., :width], now[..., :width])
    assert not now[..., width:].any() or np.isnan(now[..., width:]).any()


def test_cells_out_of_reach_are_never_expected(fitted: Model) -> None:
    demand = mixed_demand()
    exceedance = fitted.predict(demand, ORIGINS).exceedance
    reach = cells_in_reach(pods_needed(demand))[:, ORIGINS]
    beyond = np.arange(exceedance.shape[3]) >= reach[:, :, None]
    spread = np.broadcast_to(beyond[:, :, None], exceedance.shape)
    assert np.nanmax(exceedance[spread], initial=0.0) == 0


def test_an_origin_is_answered_alike_alone_and_among_others(fitted: Model) -> None:
    demand = mixed_demand()
    together = fitted.predict(demand, ORIGINS).exceedance
    alone = fitted.predict(demand, ORIGINS[3:4]).exceedance
    np.testing.assert_array_equal(together[:, 3:4, :, : alone.shape[3]], alone)


def test_answers_for_more_steps_than_it_was_fitted_on(fitted: Model) -> None:
    longer = demand_of(np.concatenate([mixed_demand().peak] * 2, axis=1))
    forecast = fitted.predict(longer, np.array([2 * N_STEPS]))
    assert forecast.exceedance.shape[:3] == (8, 1, len(WINDOWS) - 1)


def test_says_something_or_why_not_for_services_it_never_saw(fitted: Model) -> None:
    peak = mixed_demand().peak[:2]
    strangers = replace(demand_of(peak), services=("other/a", "other/b"))
    forecast = fitted.predict(strangers, ORIGINS)
    silent = np.isnan(forecast.exceedance).all(axis=(1, 2, 3))
    assert [reason != "" for reason in forecast.reason] == silent.tolist()


def test_a_shift_of_whole_days_changes_nothing(fitted: Model) -> None:
    later = replace(mixed_demand(), start_s=24 * HOUR_S)
    assert_same(fitted.predict(mixed_demand(), ORIGINS), fitted.predict(later, ORIGINS))


def test_twice_the_demand_on_twice_the_capacity_is_the_same(fitted: Model) -> None:
    demand = mixed_demand()
    doubled = demand_of(2 * demand.peak, capacity=2.0)
    one, other = fitted.predict(demand, ORIGINS), fitted.predict(doubled, ORIGINS)
    np.testing.assert_array_equal(one.exceedance, other.exceedance)
    np.testing.assert_array_equal(2 * one.demand_edges, other.demand_edges)


@pytest.mark.parametrize("n_steps", [0, 1, 5])
@pytest.mark.parametrize("value", [0.0, 3.0, np.nan])
def test_survives_a_past_that_is_too_short(
    new_model: NewModel, fitted: Model, n_steps: int, value: float
) -> None:
    short = demand_of(np.full((2, n_steps), value))
    refitted = new_model().fit(short)
    forecast = refitted.predict(short, np.array([n_steps]))
    assert forecast.exceedance.shape[:3] == (2, 1, len(WINDOWS) - 1)


def test_two_fits_on_the_same_past_agree(new_model: NewModel, fitted: Model) -> None:
    again = new_model().fit(mixed_demand().until(200))
    once = new_model().fit(mixed_demand().until(200))
    assert_same(again.predict(mixed_demand(), ORIGINS), once.predict(mixed_demand(), ORIGINS))


def test_levels_stand_one_by_one_and_then_about_eight_per_cent_apart() -> None:
    assert LEVELS[:12].tolist() == list(range(1, 13))
    apart = LEVELS[13:] / LEVELS[12:-1]
    assert apart.max() < 1.16
    assert np.abs(apart[-20:] - 1.08).max() < 0.001
