"""FeMux's forecasters against their definitions."""

import numpy as np
import pytest
from statsmodels.tsa.ar_model import AutoReg

from benchmarks.policies import autoregression, markov
from benchmarks.policies.femux_forecasters import FORECASTERS, ar

WINDOW = autoregression.WINDOW
RANDOM = np.random.default_rng(0)
SERIES = {
    "noise": RANDOM.gamma(1.0, 2.0, WINDOW),
    "daily": 5 + np.sin(np.arange(WINDOW) / 20) + RANDOM.random(WINDOW) / 10,
    "bursts": RANDOM.random(WINDOW) * (RANDOM.random(WINDOW) < 0.3),
    "one call": np.eye(WINDOW)[60],
}


@pytest.mark.parametrize("name", SERIES)
def test_autoregression_is_statsmodels(name: str) -> None:
    fitted = AutoReg(SERIES[name], lags=10, trend="c").fit()
    expected = fitted.predict(WINDOW, WINDOW)[0]
    assert autoregression.next_steps(SERIES[name][None])[0] == pytest.approx(expected, abs=1e-7)


def test_what_is_equal_goes_on_without_a_fit() -> None:
    seen = np.full((1, WINDOW + 2), 3.0)
    assert ar(seen, WINDOW).tolist() == [[3.0, 3.0]]


def test_before_two_hours_were_seen_a_keep_alive_speaks() -> None:
    seen = np.zeros((1, 40))
    seen[0, 5] = 2.0
    for forecast in (FORECASTERS[name] for name in ("AR", "FFT", "Markov chain")):
        assert forecast(seen, 10)[0].tolist() == [2.0] * 6 + [0.0] * 24


def test_a_chain_that_was_seen_is_foreseen() -> None:
    seen = np.tile([0.0, 0.0, 3.0], (1, 20))
    np.testing.assert_array_equal(markov.next_steps(seen, 30), seen[:, 30:])


def test_an_unknown_state_is_taken_for_the_nearest() -> None:
    seen = np.array([[5.0, 0, 5, 0, 5, 0, 5, 0, 4.9, 9.0]])
    assert markov.next_steps(seen, 9).tolist() == [[0.0]]


def test_next_states_are_drawn_by_how_often_they_came() -> None:
    came = np.where(RANDOM.random(3000) < 0.25, 1.0, 2.0)
    seen = np.stack([came, 0 * came], axis=1).reshape(1, -1)  # after each nothing, one of both
    drawn = markov.next_steps(seen, 1000)[0, ::2]
    assert np.mean(drawn == 1.0) == pytest.approx(0.25, abs=0.05)
    assert set(drawn) == {1.0, 2.0}


def test_another_seed_draws_otherwise() -> None:
    seen = np.where(RANDOM.random((1, 500)) < 0.5, 1.0, 2.0)
    one, again, other = (markov.next_steps(seen, 200, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()
