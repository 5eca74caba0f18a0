"""What services share carries over to those that were never fitted."""

import numpy as np
import pytest

from autoscaler.core.types import FloatArray
from learner.demand import Demand
from learner.models.pooled import Pooled


def demand_of(peak: FloatArray, *, step_s: float = 60.0) -> Demand:
    return Demand(
        services=tuple(f"shop/{row}" for row in range(len(peak))),
        start_s=0.0,
        step_s=step_s,
        arrivals=peak,
        peak=peak,
        capacity=np.ones(len(peak)),
    )


def timers(periods: range, *, pods: float) -> FloatArray:
    step = np.arange(700)
    return np.stack([np.where(step % period == 3, pods, 0.0) for period in periods])


@pytest.fixture(scope="module")
def of_timers() -> Pooled:
    return Pooled(windows=(0, 1), seeds=(0,), rounds=60, max_rows=20_000).fit(
        demand_of(timers(range(11, 43, 2), pods=2.0))
    )


def test_a_period_never_fitted_is_expected_from_its_gaps(of_timers: Pooled) -> None:
    unseen = demand_of(timers(range(24, 25), pods=2.0))
    due = 3 + 24 * 25
    exceedance = of_timers.predict(unseen, np.array([due - 5, due])).exceedance[0, :, 0]
    assert (exceedance[1, :2] > 0.7).all()
    assert exceedance[0, 0] < 0.1


def test_levels_carry_over_to_services_with_more_pods_than_were_fitted(of_timers: Pooled) -> None:
    larger = demand_of(timers(range(24, 25), pods=7.0))
    exceedance = of_timers.predict(larger, np.array([3 + 24 * 25])).exceedance[0, 0, 0]
    assert exceedance[6] > 0.5


def test_a_new_service_is_judged_by_the_others_of_its_cluster() -> None:
    newcomer = demand_of(np.zeros((1, 0)))
    chance = []
    for calls_a_step in (5.0, 0.01):
        others = np.random.default_rng(0).poisson(calls_a_step, (10, 400)).astype(np.float64)
        model = Pooled(windows=(0, 1), seeds=(0,), rounds=60, max_rows=20_000)
        model.fit(demand_of(others))
        chance.append(float(model.predict(newcomer, np.array([0])).exceedance[0, 0, 0, 0]))
    assert chance[0] > 4 * chance[1]


def test_steps_of_a_second_work_like_steps_of_a_minute() -> None:
    peak = timers(range(11, 43, 4), pods=1.0)
    origin = np.array([699])
    model = Pooled(windows=(0, 1, 5), seeds=(0,), rounds=10, max_rows=4000)
    exceedance = model.fit(demand_of(peak, step_s=1.0)).predict(demand_of(peak, step_s=1.0), origin)
    assert not np.isnan(exceedance.exceedance).any()


def test_opening_hours_of_working_days_are_foreseen_after_two_weeks() -> None:
    """Each service has hours of its own, so no clock that they share tells them."""
    step_s, day = 300.0, 288
    step = np.arange(22 * day)
    opens = np.array([20, 90, 100, 170, 230, 280])
    into_day = (step - opens[:, None]) % day
    is_open = (into_day < 100) & ((step - opens[:, None]) // day % 7 < 5)
    calls = np.random.default_rng(0).poisson(1.5 * is_open).astype(np.float64)
    demand = demand_of(calls, step_s=step_s)
    model = Pooled(windows=(0, 1, 5), seeds=(0,), rounds=200, max_rows=60_000)
    model.fit(demand.until(14 * day))

    def soon(days: int) -> FloatArray:
        """That of the second window, as the hour comes at which each service opens."""
        exceedance = [
            model.predict(demand, np.array([days * day + hour - 1])).exceedance[row, 0, 1, 0]
            for row, hour in enumerate(opens)
        ]
        return np.array(exceedance)

    monday, saturday = soon(14), soon(19)
    assert np.median(monday) > 0.5
    assert np.median(saturday) < 0.3
