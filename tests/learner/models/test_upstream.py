"""A service that follows another is forecast from it, unless the other follows it in turn."""

from dataclasses import replace

import numpy as np
import pytest

from autoscaler.core.types import FloatArray
from learner.demand import Demand
from learner.dependencies.count_search import edges_in_counts
from learner.engine import Learner
from learner.models.levels import LEVELS, pods_needed
from learner.models.pooled import Pooled
from learner.models.rows import LevelRows
from learner.models.upstream import COLUMNS, strongest_upstreams, upstream_columns
from learner.settings import LearnerSettings
from learner.sources.quarantine import sound_demand

WINDOWS = (0, 1, 2, 5)
N_STEPS, LAG = 2000, 3
BROWSE, BUY, OTHER = range(3)


def busy(rng: np.random.Generator, mean: float) -> FloatArray:
    """(N_STEPS,) requests whose level changes from step to step."""
    return rng.poisson(mean * np.exp(0.6 * rng.standard_normal(N_STEPS))).astype(float)


def demand_of(*counts: FloatArray) -> Demand:
    arrivals = np.stack(counts)
    return Demand(
        services=("shop/browse", "shop/buy", "shop/other")[: len(counts)],
        start_s=1_700_006_400.0,
        step_s=60.0,
        arrivals=arrivals,
        peak=arrivals,
        capacity=np.full(len(counts), 5.0),
    )


def shop(lag: int = LAG) -> Demand:
    """Buy follows browse; another follows none; seeded."""
    rng = np.random.default_rng(1)
    browse = busy(rng, 30.0)
    buy = rng.poisson(0.5 * np.roll(browse, lag)).astype(float)
    return demand_of(browse, buy, busy(rng, 15.0))


def new_model() -> Pooled:
    return Pooled(windows=WINDOWS, seeds=(0,), max_rows=8_000, rounds=40)


@pytest.fixture(scope="module")
def fitted() -> Pooled:
    return new_model().fit(shop(), edges_in_counts(shop()))


@pytest.fixture(scope="module")
def learner() -> Learner:
    return Learner(LearnerSettings(windows=(0, 1, 5), max_rows=8_000, rounds=40)).fit(shop())


def test_upstreams_are_found_with_their_lag(fitted: Pooled) -> None:
    found = fitted.pairs_
    assert (found.upstream, found.service) == (("shop/browse",), ("shop/buy",))
    assert found.lag.tolist() == [LAG]


def test_upstream_arrivals_are_expected_a_lag_later(fitted: Pooled) -> None:
    demand = shop()
    origin, step = 1500, 1500 - LAG
    quiet, loud = demand.arrivals.copy(), demand.arrivals.copy()
    quiet[BROWSE, step], loud[BROWSE, step] = 5.0, 120.0
    level = 6  # place of seven pods and more; twelve are to be expected
    probability = [
        fitted.predict(replace(demand, arrivals=a), np.array([origin])).exceedance[BUY, 0, 0, level]
        for a in (quiet, loud)
    ]
    assert probability[0] < 0.05
    assert probability[1] > 0.6


def cost(model: Pooled, demand: Demand, *, following: bool) -> FloatArray:
    """(n,) idle pods, and ten for each missing one, over the last fifth, fitted before it."""
    first = N_STEPS * 4 // 5
    past = demand.until(first)
    edges = edges_in_counts(past) if following else None
    forecast = model.fit(past, edges).predict(demand, np.arange(first, N_STEPS))
    pods = np.append(0, LEVELS)[(forecast.exceedance[:, :, 0] > 1 / 11).sum(axis=2)]
    need = pods_needed(demand)[:, first:]
    missing = np.maximum(need - pods, 0) * 10
    return np.asarray((np.maximum(pods - need, 0) + missing).sum(axis=1))


def test_decisions_are_cheaper_than_from_the_own_past_alone() -> None:
    together = cost(new_model(), shop(), following=True)
    alone = cost(new_model(), shop(), following=False)
    assert together[BUY] < 0.6 * alone[BUY]
    others = [BROWSE, OTHER]
    np.testing.assert_allclose(together[others], alone[others], rtol=0.05)


@pytest.mark.parametrize("lag", [1, LAG])
def test_the_future_changes_nothing(lag: int) -> None:
    demand, origins = shop(lag), np.array([0, 1, lag, 700, 1500])
    model = Pooled(windows=WINDOWS, seeds=(0,), max_rows=4_000, rounds=20)
    fitted = model.fit(demand, edges_in_counts(demand))
    before = fitted.predict(demand, origins).exceedance[BUY]
    for i, origin in enumerate(origins.tolist()):
        later = demand.arrivals.copy()
        later[:, origin:] = 500.0
        peak = demand.peak.copy()
        peak[:, origin:] = np.nan
        changed = replace(demand, arrivals=later, peak=peak)
        after = fitted.predict(changed, np.array([origin])).exceedance[BUY, 0]
        n_cells = min(before.shape[-1], after.shape[-1])
        np.testing.assert_array_equal(after[..., :n_cells], before[i][..., :n_cells])


def test_gaps_upstream_are_unknown_and_not_zero(fitted: Pooled) -> None:
    arrivals = shop().arrivals.copy()
    arrivals[BROWSE, 1400:1600] = np.nan
    forecast = fitted.predict(replace(shop(), arrivals=arrivals), np.array([1500])).exceedance[BUY]
    assert not np.isnan(forecast).any()
    assert (
        forecast[0, 0, 0] > 0.5
    )  # it is called in nearly every step, with or without a gap upstream


def test_nothing_is_known_of_who_has_no_upstream(fitted: Pooled) -> None:
    rows = LevelRows(
        service=np.array([BROWSE, BUY, OTHER]), cell=np.zeros(3, int), origin=np.full(3, N_STEPS)
    )
    columns = upstream_columns(fitted.pairs_, shop(), rows)
    assert tuple(columns) == COLUMNS
    for column in columns.values():
        assert np.isnan(column).tolist() == [True, False, True]
    alone = shop().only(np.array([BUY]))
    first = replace(rows, service=np.zeros(3, int))
    without = upstream_columns(fitted.pairs_, alone, first)
    assert all(np.isnan(column).all() for column in without.values())
    assert not np.isnan(fitted.predict(alone, np.array([1500])).exceedance).any()


def test_services_in_a_cycle_have_no_upstream() -> None:
    rng = np.random.default_rng(3)
    a, b = busy(rng, 30.0), busy(rng, 30.0)
    for step in range(2, N_STEPS):
        a[step] += rng.poisson(0.4 * b[step - 2])
        b[step] += rng.poisson(0.4 * a[step - 1])
    other = busy(rng, 30.0)
    demand = demand_of(a, b, other)
    assert strongest_upstreams(demand, edges_in_counts(demand)).service == ()


def test_a_service_whose_upstream_is_quarantined_is_still_forecast(learner: Learner) -> None:
    before = learner.bundle(shop())
    for absurd in (1e9, -1.0, np.nan, 1e300):
        counts = shop().arrivals.copy()
        counts[BROWSE] = absurd
        demand = shop()
        after = learner.bundle(
            sound_demand(
                services=demand.services,
                start_s=demand.start_s,
                step_s=demand.step_s,
                arrivals=counts,
                peak=counts,
                capacity=demand.capacity,
            )
        )
        assert not np.isnan(after.exceedance[[BUY, OTHER]]).any()
        width = min(after.exceedance.shape[2], before.exceedance.shape[2])
        other = [each.exceedance[OTHER, :, :width].tolist() for each in (before, after)]
        assert other[0] == other[1]
