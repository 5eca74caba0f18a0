"""What was forecast is compared with what came, once it has come and not before."""

import numpy as np
import pytest

from autoscaler.core.types import FloatArray
from learner.calibration.reliability import EDGES
from learner.calibration.rolling import HALF_LIFE_S, RollingCalibration
from learner.demand import Demand
from learner.models import Exceedance

WINDOWS = (0, 1, 5)
N_SERVICES, N_STEPS = 40, 300
STEP_S = 60.0


def demand_of(need: FloatArray, *, first: int = 0) -> Demand:
    return Demand(
        services=tuple(f"shop/{row}" for row in range(len(need))),
        start_s=first * STEP_S,
        step_s=STEP_S,
        arrivals=need,
        peak=need,
        capacity=np.ones(len(need)),
    )


def random_need(share: float = 0.2) -> FloatArray:
    return (np.random.default_rng(0).random((N_SERVICES, N_STEPS)) < share).astype(np.float64)


def given(probability: float, n_origins: int = 1) -> Exceedance:
    return np.full((N_SERVICES, n_origins, len(WINDOWS) - 1, 1), probability, dtype=np.float32)


def rolled(
    need: FloatArray, probability: float, *, until: int = N_STEPS, every: int = 4
) -> RollingCalibration:
    """The calibration after an origin every so many steps, all with the same forecast."""
    calibration = RollingCalibration(WINDOWS)
    for origin in range(1, until, every):
        past = demand_of(need[:, :origin])
        calibration.settle(past, origin)
        calibration.expect(past, np.array([origin]), given(probability))
    return calibration


def test_forecasts_move_to_how_often_they_came_true() -> None:
    calibration = rolled(random_need(), 0.5)
    probability = calibration.apply(given(0.5))[0, 0, :, 0]
    assert probability == pytest.approx([0.2, 1 - 0.8**4], abs=0.03)


def test_nothing_changes_before_all_windows_are_over() -> None:
    calibration = rolled(random_need(), 0.5, until=WINDOWS[-1] + 1, every=1)
    assert not calibration.reliability.number.any()
    calibration = rolled(random_need(), 0.5, until=WINDOWS[-1] + 2, every=1)
    assert calibration.reliability.number.any()


def test_an_origin_handed_over_twice_counts_once() -> None:
    need = random_need()
    calibration = RollingCalibration(WINDOWS)
    for _ in range(2):
        calibration.settle(demand_of(need[:, :10]), 10)
        calibration.expect(demand_of(need[:, :10]), np.array([10]), given(0.5))
    for _ in range(2):
        calibration.settle(demand_of(need[:, :20]), 20)
    assert calibration.reliability.number.sum() == N_SERVICES * (len(WINDOWS) - 1)


def test_gaps_and_services_that_are_gone_teach_nothing() -> None:
    need = random_need()
    calibration = RollingCalibration(WINDOWS)
    calibration.expect(demand_of(need[:, :10]), np.array([10]), given(0.5))
    need[:, 12] = np.nan
    calibration.settle(demand_of(need[:3, :20]), 20)
    assert calibration.reliability.number.sum(axis=(0, 2)).tolist() == [3, 0]


def test_a_history_that_moves_on_keeps_its_steps() -> None:
    need = random_need()
    still, moving = RollingCalibration(WINDOWS), RollingCalibration(WINDOWS)
    for calibration in (still, moving):
        calibration.expect(demand_of(need[:, :50]), np.array([50]), given(0.5))
    still.settle(demand_of(need[:, :60]), 60)
    moving.settle(demand_of(need[:, 40:60], first=40), 20)
    assert still.reliability.number.any()
    np.testing.assert_array_equal(still.reliability.number, moving.reliability.number)


def test_what_came_long_ago_weighs_less() -> None:
    steps = int(HALF_LIFE_S / STEP_S)
    need = np.zeros((N_SERVICES, 2 * steps))
    calibration = RollingCalibration(WINDOWS)
    for origin in (100, 100 + steps):
        calibration.settle(demand_of(need[:, : origin + 5]), origin)
        calibration.expect(demand_of(need[:, : origin + 5]), np.array([origin]), given(0.5))
        calibration.settle(demand_of(need[:, : origin + 5]), origin + 5)
    assert calibration.reliability.number[0, 0].sum() == pytest.approx(1.5 * N_SERVICES, rel=0.01)


@pytest.mark.parametrize("told", [False, True])
def test_models_that_knew_little_do_not_make_later_ones_unsure(told: bool) -> None:
    step = np.arange(N_STEPS)
    timer = np.tile((step % 10 == 0).astype(np.float64), (N_SERVICES, 1))
    calibration = RollingCalibration(WINDOWS)
    for origin in range(1, N_STEPS):
        if told and origin in {1, 20, 50}:
            calibration.succeed(origin)
        past = demand_of(timer[:, :origin])
        calibration.settle(past, origin)
        due = origin % 10 == 0
        sure, at_first = (0.995, 0.02) if due else (0.005, 0.4)
        said = sure if origin >= 20 else at_first
        calibration.expect(past, np.array([origin]), given(said))
    idle, call = (calibration.apply(given(p))[0, 0, 0, 0] for p in (0.005, 0.995))
    assert (idle < 0.005 and call > 0.99) == told


def test_outcomes_of_former_models_that_come_later_weigh_less_too() -> None:
    need = np.zeros((N_SERVICES, N_STEPS))
    calibration = RollingCalibration(WINDOWS)
    calibration.succeed(10)
    calibration.expect(demand_of(need[:, :10]), np.array([10]), given(0.5))
    calibration.succeed(20)
    calibration.settle(demand_of(need[:, :20]), 20)
    assert calibration.reliability.number[0, 0].sum() == pytest.approx(N_SERVICES / 4)
    assert calibration.published.number[0, 0].sum() == pytest.approx(N_SERVICES)
    calibration.succeed(15)  # services are gone: nothing weighs more than it did
    assert calibration.reliability.number[0, 0].sum() == pytest.approx(N_SERVICES / 4)


def test_what_was_published_is_judged_as_it_was_then() -> None:
    number, came = rolled(random_need(0.3), 0.6).published.table()
    at_first, last = (int(EDGES.searchsorted(p)) - 1 for p in (0.6, 0.3))
    assert number[0, at_first] > N_SERVICES
    assert came[0, last] / number[0, last] == pytest.approx(0.3, abs=0.03)
