"""From sample to forecast, what is wrong with one service concerns that service alone."""

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autoscaler.core.prediction.forecasts import ForecastBundle
from autoscaler.core.types import FloatArray
from learner.demand import Demand
from learner.engine import Learner
from learner.settings import LearnerSettings
from learner.sources.quarantine import sound_demand
from tests.examples import examples

N_STEPS = 400
SETTINGS = LearnerSettings(windows=(0, 1, 3), max_rows=2_000, rounds=4)
NAMES = ("shop/timer", "shop/wave", "shop/random", "shop/busy", "shop/silent", "shop/other")
CHANGED = len(NAMES) - 1

Raw = npt.NDArray[Any]


def raw() -> FloatArray:
    """A timer, a wave, a random caller, a busy one, silence, and the one that is changed."""
    random = np.random.default_rng(5)
    step = np.arange(N_STEPS)
    series = [
        (step % 31 == 4) * 2.0,
        np.round(5 + 4 * np.sin(2 * np.pi * step / 40) + random.normal(0, 0.5, N_STEPS)),
        (random.random(N_STEPS) < 0.1) * 1.0,
        random.poisson(2.0, N_STEPS) * 1.0,
        np.zeros(N_STEPS),
        random.poisson(0.5, N_STEPS) * 1.0,
    ]
    return np.stack(series)


def demand_of(peak: Raw, arrivals: Raw | None = None) -> Demand:
    return sound_demand(
        services=NAMES,
        start_s=1_700_000_000.0,
        step_s=60.0,
        arrivals=peak if arrivals is None else arrivals,
        peak=peak,
        capacity=np.ones(len(peak)),
    )


@cache
def fitted() -> Learner:
    return Learner(SETTINGS).fit(demand_of(raw()))


@cache
def before() -> ForecastBundle:
    return fitted().bundle(demand_of(raw()))


ABSURD = st.sampled_from(
    [np.nan, np.inf, -np.inf, 1e300, -1e300, 1e9, 150_000.0, 150_001.0, -1.0, 1e-300, 5e-324, 0.0]
)
VALUES = ABSURD | st.floats(allow_nan=True, allow_infinity=True) | st.floats(0, 50)


@st.composite
def histories(draw: st.DrawFn) -> FloatArray:
    """Anything: some spikes in what was there, a few values in turn, or one value throughout."""
    kind = draw(st.sampled_from(["spikes", "cycle", "constant", "blocks"]))
    history: FloatArray = raw()[CHANGED].copy()
    if kind == "constant":
        history[:] = draw(VALUES)
    elif kind == "cycle":
        few = draw(st.lists(VALUES, min_size=1, max_size=7))
        history[:] = np.resize(np.array(few), N_STEPS)
    else:
        width = 1 if kind == "spikes" else 60
        for at in draw(st.lists(st.integers(0, N_STEPS - 1), min_size=1, max_size=8)):
            history[at : at + width] = draw(VALUES)
    return history


def others_are_as_before(after: ForecastBundle) -> None:
    """Bit for bit, and published."""
    sound = before()
    assert after.services == sound.services
    width = min(after.exceedance.shape[2], sound.exceedance.shape[2])
    for row in range(CHANGED):
        then, now = sound.exceedance[row], after.exceedance[row]
        assert not np.isnan(now).any()
        assert then[:, :width].tobytes() == now[:, :width].tobytes()
        assert not then[:, width:].any()
        assert not now[:, width:].any()
        edges = after.demand_edges[row]
        assert edges[: width + 1].tolist() == sound.demand_edges[row][: width + 1].tolist()
        assert (after.model[row], after.reason[row]) == (sound.model[row], "")


def is_published_or_says_why(after: ForecastBundle) -> None:
    curve = after.exceedance[CHANGED]
    if after.reason[CHANGED]:
        assert after.reason[CHANGED].startswith("quarantined: ")
        assert np.isnan(curve).all()
    else:
        assert ((curve >= 0) & (curve <= 1)).all()


@settings(
    max_examples=examples(50, many=150), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
@given(peak=histories(), arrivals=histories())
def test_whatever_one_service_is_said_to_have_done_all_others_are_forecast_the_same(
    peak: FloatArray, arrivals: FloatArray
) -> None:
    peaks, requests = raw(), raw()
    peaks[CHANGED], requests[CHANGED] = peak, arrivals
    after = fitted().bundle(demand_of(peaks, requests))
    others_are_as_before(after)
    is_published_or_says_why(after)


@settings(
    max_examples=examples(3, many=8), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
@given(history=histories())
def test_a_fit_that_holds_such_a_service_publishes_everybody_else(history: FloatArray) -> None:
    peaks = raw()
    peaks[CHANGED] = history
    demand = demand_of(peaks)
    after = Learner(SETTINGS).fit(demand).bundle(demand)
    assert after.reason[:CHANGED] == ("",) * CHANGED
    assert not np.isnan(after.exceedance[:CHANGED]).any()
    is_published_or_says_why(after)


@pytest.mark.parametrize("value", [1e9, 1e300, np.inf, -5.0, np.nan])
def test_one_statistic_is_a_gap_and_no_more(value: float) -> None:
    peaks = raw()
    peaks[CHANGED, 100] = value
    demand = demand_of(peaks)
    assert np.flatnonzero(np.isnan(demand.peak).any(axis=0)).tolist() == [100]
    assert np.flatnonzero(np.isnan(demand.peak).any(axis=1)).tolist() == [CHANGED]
    after = Learner(SETTINGS).fit(demand).bundle(demand)
    assert set(after.reason) == {""}
    assert not np.isnan(after.exceedance).any()


def test_a_service_of_which_nothing_can_be_is_published_with_why_and_no_curve() -> None:
    peaks = raw()
    peaks[CHANGED] = 1e9
    after = fitted().bundle(demand_of(peaks))
    others_are_as_before(after)
    assert after.reason[CHANGED] == "quarantined: samples that cannot be: 400, such as 1e+09"
    assert (after.model[CHANGED], after.exceedance.shape[0]) == ("", len(NAMES))
    assert np.isnan(after.exceedance[CHANGED]).all()


def test_as_many_pods_as_a_cluster_holds_are_forecast_and_widen_no_array_beyond_the_grid() -> None:
    peaks = raw()
    peaks[CHANGED, ::50] = 150_000.0
    demand = demand_of(peaks)
    after = Learner(SETTINGS).fit(demand).bundle(demand)
    assert set(after.reason) == {""}
    assert after.exceedance.shape[2] < 150
    others_are_as_before(fitted().bundle(demand))
