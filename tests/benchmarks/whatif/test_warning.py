"""Calls at random come without warning, whatever their rate; those of a timer do not."""

import numpy as np
import pytest

from autoscaler.core.types import FloatArray
from benchmarks.whatif.warning import without_warning
from learner.demand import Demand
from learner.engine import Learner
from learner.models.levels import pods_needed
from learner.settings import LearnerSettings

DAY = 1440


def test_a_start_with_less_than_a_bit_of_news_is_one_without_warning() -> None:
    need = np.zeros((1, 100))
    need[0, 10::10] = 1.0  # nine starts, in the other steps after a pause
    usual = (9 + 1) / (100 - 2 - 2 * 9 + 1)
    for chance, expected in ((usual, 9), (1.9 * usual, 9), (2.1 * usual, 0), (1.0, 0)):
        assert without_warning(need, np.full((1, 100), chance)) == (expected, 9)


def test_a_call_soon_after_another_is_no_start() -> None:
    need = np.array([[0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, np.nan, 0.0, 1.0]])
    assert without_warning(need, np.zeros((1, 10))) == (1, 1)


def test_without_a_forecast_nothing_is_counted() -> None:
    need = np.array([[0.0, 0.0, 1.0, 0.0, 0.0, 1.0]])
    given = np.array([[0.0, 0.0, np.nan, 0.0, 0.0, 0.0]])
    assert without_warning(need, given) == (1, 1)


@pytest.mark.parametrize(("kind", "least", "most"), [("poisson", 0.9, 1.0), ("timer", 0.0, 0.1)])
def test_forecasts_of_real_models_tell_chance_from_clockwork(
    kind: str, least: float, most: float
) -> None:
    rng = np.random.default_rng(5)
    periods = np.array([20, 31, 45, 60, 90, 120])
    step = np.arange(4 * DAY)
    need: FloatArray = (
        (rng.random((6, 4 * DAY)) < 1 / periods[:, None])
        if kind == "poisson"
        else (step % periods[:, None] == periods[:, None] - 1)
    ).astype(float)
    demand = Demand(
        services=tuple(f"shop/{period}" for period in periods),
        start_s=0.0, step_s=60.0, arrivals=need, peak=need, capacity=np.ones(6),
    )  # fmt: skip
    learner = Learner(LearnerSettings(max_rows=5_000, rounds=40)).fit(demand.until(3 * DAY))
    origins = np.arange(3 * DAY, 4 * DAY)
    given = learner.predict(demand, origins).exceedance[:, :, 0, 0].astype(float)
    surprises, starts = without_warning(pods_needed(demand)[:, 3 * DAY :], given)
    assert starts > 100
    assert least <= surprises / starts <= most
