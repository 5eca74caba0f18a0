"""The learner chooses by what decisions cost, and says so when it has nothing to say."""

from dataclasses import replace

import numpy as np
import pytest

from autoscaler.core.types import FloatArray
from learner.backtest import HeldBack
from learner.demand import Demand
from learner.engine import Learner, LearnerSettings
from learner.losses import decision_cost
from learner.models import Forecast

WINDOWS = (0, 1, 2, 5)
SETTINGS = LearnerSettings(windows=WINDOWS, max_rows=20_000, rounds=15)
N_STEPS = 800


def demand_of(peak: FloatArray) -> Demand:
    return Demand(
        services=tuple(f"shop/service-{row}" for row in range(len(peak))),
        start_s=1_700_000_000.0,
        step_s=60.0,
        arrivals=peak,
        peak=peak,
        capacity=np.ones(len(peak)),
    )


def shop() -> Demand:
    """A timer that only its period gives away, two random callers, one that is never called."""
    random = np.random.default_rng(11)
    step = np.arange(N_STEPS)
    timer = (step % 37 == 5) * 3.0
    return demand_of(
        np.stack(
            [
                timer,
                (random.random(N_STEPS) < 0.1) * 1.0,
                random.poisson(2.0, N_STEPS) * 1.0,
                np.zeros(N_STEPS),
            ]
        )
    )


@pytest.fixture(scope="module")
def learner() -> Learner:
    return Learner(SETTINGS).fit(shop())


def test_a_timer_is_left_to_a_model_that_knows_its_period(learner: Learner) -> None:
    assert learner.bundle(shop()).model[0] in {"timers", "seasonal"}


def test_pods_of_a_timer_are_expected_when_it_is_due_and_not_before(learner: Learner) -> None:
    due = 5 + 37 * 20
    exceedance = learner.predict(shop(), np.array([due - 3, due])).exceedance[0, :, 0]
    assert (exceedance[1, :3] > 0.5).all()
    assert exceedance[0, 0] < 0.2


def test_the_pooled_model_speaks_for_random_callers(learner: Learner) -> None:
    assert learner.bundle(shop()).model[1:3] == ("pooled", "pooled")


def test_a_service_never_seen_gets_an_answer_from_the_pool(learner: Learner) -> None:
    stranger = replace(shop().until(30), services=("new/a", "new/b", "new/c", "new/d"))
    bundle = learner.bundle(stranger)
    assert set(bundle.model) == {"pooled"}
    assert set(bundle.reason) == {""}
    assert not np.isnan(bundle.exceedance).any()


def test_the_bundle_stands_at_the_end_of_the_demand(learner: Learner) -> None:
    later = shop()
    bundle = learner.bundle(later)
    assert bundle.made_at_s == later.end_s == bundle.fitted_at_s
    assert bundle.window_edges_s.tolist() == [0, 60, 120, 300]
    assert bundle.demand_edges.shape[1] == bundle.exceedance.shape[2] + 1
    assert (np.diff(bundle.exceedance, axis=2) <= 0).all()


def test_the_bundle_says_what_predict_says(learner: Learner) -> None:
    forecast = learner.predict(shop(), np.array([N_STEPS]))
    bundle = learner.bundle(shop())
    np.testing.assert_array_equal(bundle.exceedance, forecast.exceedance[:, 0])


def test_what_comes_after_the_origin_changes_nothing(learner: Learner) -> None:
    changed = shop().peak.copy()
    changed[:, 600:] = 1.0
    then = learner.predict(shop(), np.array([600])).exceedance
    now = learner.predict(demand_of(changed), np.array([600])).exceedance
    width = min(then.shape[3], now.shape[3])
    np.testing.assert_array_equal(then[..., :width], now[..., :width])


def test_too_short_a_past_is_a_reason_and_no_error() -> None:
    short = shop().until(40)
    bundle = Learner(SETTINGS).fit(short).bundle(short)
    assert bundle.reason == ("40 steps of history; allowed: >= 60",) * 4
    assert bundle.model == ("",) * 4
    assert np.isnan(bundle.exceedance).all()


def test_a_past_of_gaps_only_is_a_reason_and_no_error() -> None:
    blank = demand_of(np.full((2, 300), np.nan))
    assert Learner(SETTINGS).fit(blank).bundle(blank).reason[0].startswith("0 steps of history")


def test_progress_ends_at_one_and_never_turns_back() -> None:
    heard: list[tuple[str, float]] = []
    quick = LearnerSettings(windows=(0, 1), rounds=2)
    Learner(quick).fit(shop().until(200), progress=lambda what, share: heard.append((what, share)))
    shares = [share for _, share in heard]
    assert shares == sorted(shares)
    assert heard[-1] == ("fitted", 1.0)


def test_a_late_pod_costs_its_price_and_an_idle_one_its_step() -> None:
    need = np.array([[2.0, 0.0, np.nan]])
    certain_of_one = np.tile(np.array([1.0, 0.0], dtype=np.float32), (1, 3, 1))
    assert decision_cost(certain_of_one, need, price=10.0).tolist() == [11.0]


def test_silence_provides_nothing() -> None:
    silent = np.full((1, 2, 2), np.nan, dtype=np.float32)
    assert decision_cost(silent, np.array([[1.0, 0.0]]), price=10.0).tolist() == [10.0]


def test_a_model_with_nothing_to_say_is_never_chosen() -> None:
    held_back = HeldBack.of(shop(), WINDOWS)
    n_origins = len(held_back.origins)
    forecast = Forecast(
        demand_edges=np.tile([0.0, 1.0], (4, 1)),
        exceedance=np.full((4, n_origins, 3, 1), np.nan, dtype=np.float32),
        reason=("no season found", "", "", ""),
    )
    cost = held_back.cost(forecast)
    assert cost[0] == np.inf
    assert np.isfinite(cost[1:]).all()


def test_held_back_time_is_the_last_fifth_and_its_outcomes_come_from_it() -> None:
    held_back = HeldBack.of(shop(), WINDOWS)
    assert held_back.first == 640
    assert held_back.origins[0] == 640
    need = shop().peak[:, held_back.origins]
    np.testing.assert_array_equal(held_back.greatest[:, :, 0], need)
