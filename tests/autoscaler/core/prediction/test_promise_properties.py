"""A price that follows from a promise keeps it, whatever comes."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.core.prediction.promise import (
    GAIN,
    LEAST_S,
    MOST_S,
    MOST_STEP,
    START_S,
    STEPS_A_DAY,
    price_after,
    usual_after,
)

rates = st.floats(0.001, 0.2)
parts = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=60)  # of an hour's requests, cold


def after(price_s: float, part: float, requests: float, rate: float) -> float:
    """The price after an hour of a service that is called as often in every hour."""
    cold, usual = np.array([part * requests]), np.array([requests * STEPS_A_DAY])
    assert usual_after(usual, np.array([requests])) == usual
    priced = price_after(np.array([price_s]), cold, np.array([requests]), usual, np.array([rate]))
    return float(priced[0])


@given(rate=rates, cold=parts, requests=st.floats(0.1, 1e5))
def test_between_the_bounds_what_was_beyond_the_promise_is_in_the_price(
    rate: float, cold: list[float], requests: float
) -> None:
    found = [START_S]
    for part in cold:
        found.append(after(found[-1], part, requests, rate))
    steps = np.abs(np.diff(np.log(found)))
    assert steps.max() <= MOST_STEP + 1e-9
    if min(found) > LEAST_S and max(found) < MOST_S and steps.max() < MOST_STEP - 1e-9:
        beyond = (sum(cold) - rate * len(cold)) * requests
        moved = np.log(found[-1] / START_S)
        scale = (1.0 + rate * STEPS_A_DAY * requests) / GAIN
        np.testing.assert_allclose(beyond, moved * scale, rtol=1e-6, atol=1e-6 * scale)


@given(rate=st.floats(0.005, 0.2), elasticity=st.floats(0.3, 1.5), requests=st.floats(20.0, 1e4))
def test_where_dearer_means_fewer_the_rate_comes_to_what_was_promised(
    rate: float, elasticity: float, requests: float
) -> None:
    # Cold is a power of the price, and what was promised is reached at some price between bounds.
    reached_s, price_s = 5_000.0, START_S
    cold = []
    for _ in range(24 * 21):
        cold.append(min(1.0, rate * (reached_s / price_s) ** elasticity))
        price_s = after(price_s, cold[-1], requests, rate)
    assert abs(np.log(price_s / reached_s)) < 0.5  # it neither stays away nor swings
    assert np.mean(cold[-24 * 7 :]) < 1.25 * rate


@given(
    rate=st.floats(0.0, 1.0),
    price_s=st.floats(LEAST_S, MOST_S),
    requests=st.floats(0.0, 1e9),
    part=st.floats(0.0, 1.0),
    more=st.floats(0.0, 1.0),
)
def test_it_stays_within_bounds_and_more_cold_never_means_cheaper(
    rate: float, price_s: float, requests: float, part: float, more: float
) -> None:
    worse = min(part + more, 1.0)
    cold = np.array([part, worse]) * requests
    priced = price_after(
        np.full(2, price_s), cold, np.full(2, requests), np.zeros(2), np.full(2, rate)
    )
    assert LEAST_S <= priced[0] <= priced[1] <= MOST_S


def test_without_requests_nothing_moves_and_a_burst_moves_no_more_than_a_day_of_it() -> None:
    one = np.ones(1)

    def priced(cold: float, requests: float) -> float:
        return float(price_after(600.0 * one, cold * one, requests * one, 0 * one, 0.01 * one)[0])

    assert priced(0.0, 0.0) == 600.0
    assert priced(1e6, 1e8) == 600.0  # as many as promised
    assert 600.0 < priced(2e6, 1e8) < 660.0
