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


def outcomes(chance: Exceedance, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).random(SHAPE) < chance


def overconfident(chance: Exceedance) -> Exceedance:
    odds = chance / (1 - chance)
    return (odds**1.5 / (1 + odds**1.5)).astype(np.float32)


ALL_KNOWN = np.ones(SHAPE[:3], dtype=bool)


def test_overconfident_probabilities_come_back_to_what_happens() -> None:
    chance = truths()
    said = overconfident(chance)
    calibration = Calibration.fit(said, outcomes(chance), ALL_KNOWN)
    corrected = calibration.apply(said)
    assert np.abs(corrected - chance).mean() < 0.2 * np.abs(said - chance).mean()


def test_honest_probabilities_stay_about_as_they_are() -> None:
    chance = truths()
    corrected = Calibration.fit(chance, outcomes(chance), ALL_KNOWN).apply(chance)
    assert np.abs(corrected - chance).max() < 0.05


def test_curves_still_fall() -> None:
    chance = truths()
    corrected = Calibration.fit(chance, outcomes(chance), ALL_KNOWN).apply(chance)
    assert (np.diff(corrected, axis=3) <= 0).all()


def test_impossible_stays_impossible_and_silence_silent() -> None:
    chance = truths()
    calibration = Calibration.fit(chance, outcomes(chance), ALL_KNOWN)
    chance[0], chance[1] = 0.0, np.nan
    corrected = calibration.apply(chance)
    assert (corrected[0] == 0).all()
    assert np.isnan(corrected[1]).all()


def test_what_is_not_known_teaches_nothing() -> None:
    chance = truths()
    known = np.ones(SHAPE[:3], dtype=bool)
    known[:10] = False
    passed = outcomes(chance)
    other = passed.copy()
    other[:10] = ~other[:10]
    one, two = Calibration.fit(chance, passed, known), Calibration.fit(chance, other, known)
    np.testing.assert_array_equal(one.slope, two.slope)
    np.testing.assert_array_equal(one.intercept, two.intercept)


@pytest.mark.parametrize("always", [True, False])
def test_too_few_outcomes_of_a_kind_leave_probabilities_alone(always: bool) -> None:
    chance = truths()
    passed = np.full(SHAPE, always)
    calibration = Calibration.fit(chance, passed, ALL_KNOWN)
    np.testing.assert_allclose(calibration.apply(chance), chance, rtol=1e-5, atol=1e-7)


def test_a_line_against_all_order_is_not_believed() -> None:
    chance = truths()
    calibration = Calibration.fit(chance, outcomes(1 - chance), ALL_KNOWN)
    assert calibration.slope.tolist() == [1.0, 1.0]
