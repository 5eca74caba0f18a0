"""Probabilities become honest, and only where there is reason to touch them."""

import numpy as np
import pytest

from learner.models import Exceedance
from learner.selection.calibration import Calibration

SHAPE = (20, 50, 2, 3)  # services, origins, windows, cells


def truths(seed: int = 0) -> Exceedance:
    """Falling probabilities, as a perfect model would give them."""
    random = np.random.default_rng(seed)
    return -np.sort(-random.beta(0.5, 2.0, SHAPE), axis=3).astype(np.float32)


def outcomes(probability: Exceedance, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).random(SHAPE) < probability


def overconfident(probability: Exceedance) -> Exceedance:
    odds = probability / (1 - probability)
    return (odds**1.5 / (1 + odds**1.5)).astype(np.float32)


ALL_KNOWN = np.ones(SHAPE[:3], dtype=bool)


def test_overconfident_probabilities_are_corrected() -> None:
    probability = truths()
    forecast = overconfident(probability)
    calibration = Calibration.fit(forecast, outcomes(probability), ALL_KNOWN)
    corrected = calibration.apply(forecast)
    assert np.abs(corrected - probability).mean() < 0.2 * np.abs(forecast - probability).mean()


def test_honest_probabilities_stay_about_as_they_are() -> None:
    probability = truths()
    corrected = Calibration.fit(probability, outcomes(probability), ALL_KNOWN).apply(probability)
    assert np.abs(corrected - probability).max() < 0.05


def test_curves_still_fall() -> None:
    probability = truths()
    corrected = Calibration.fit(probability, outcomes(probability), ALL_KNOWN).apply(probability)
    assert (np.diff(corrected, axis=3) <= 0).all()


def test_impossible_stays_impossible_and_silence_silent() -> None:
    probability = truths()
    calibration = Calibration.fit(probability, outcomes(probability), ALL_KNOWN)
    probability[0], probability[1] = 0.0, np.nan
    corrected = calibration.apply(probability)
    assert (corrected[0] == 0).all()
    assert np.isnan(corrected[1]).all()


def test_what_is_not_known_teaches_nothing() -> None:
    probability = truths()
    known = np.ones(SHAPE[:3], dtype=bool)
    known[:10] = False
    passed = outcomes(probability)
    other = passed.copy()
    other[:10] = ~other[:10]
    one, two = (
        Calibration.fit(probability, passed, known),
        Calibration.fit(probability, other, known),
    )
    np.testing.assert_array_equal(one.slope, two.slope)
    np.testing.assert_array_equal(one.intercept, two.intercept)


@pytest.mark.parametrize("always", [True, False])
def test_too_few_outcomes_of_a_kind_leave_probabilities_alone(always: bool) -> None:
    probability = truths()
    passed = np.full(SHAPE, always)
    calibration = Calibration.fit(probability, passed, ALL_KNOWN)
    np.testing.assert_allclose(calibration.apply(probability), probability, rtol=1e-5, atol=1e-7)


def test_a_line_against_all_order_is_not_believed() -> None:
    probability = truths()
    calibration = Calibration.fit(probability, outcomes(1 - probability), ALL_KNOWN)
    assert calibration.slope.tolist() == [1.0, 1.0]
