"""Probabilities become honest, and only where there is reason to touch them."""

import numpy as np
import pytest

from autoscaler.core.types import BoolArray
from learner.calibration.reliability import Reliability, corrected
from learner.models import Exceedance

SHAPE = (20, 50, 2, 3)  # services, origins, windows, cells


def truths(seed: int = 0) -> Exceedance:
    """Falling probabilities, as a perfect model would give them."""
    random = np.random.default_rng(seed)
    return -np.sort(-random.beta(0.5, 2.0, SHAPE), axis=3).astype(np.float32)


def outcomes(probability: Exceedance, seed: int = 1) -> BoolArray:
    return np.random.default_rng(seed).random(SHAPE) < probability


def overconfident(probability: Exceedance) -> Exceedance:
    odds = probability / (1 - probability)
    return (odds**1.5 / (1 + odds**1.5)).astype(np.float32)


def counted(forecast: Exceedance, came: BoolArray) -> Reliability:
    reliability = Reliability(SHAPE[2])
    for window in range(SHAPE[2]):
        given = forecast[:, :, window].astype(np.float64).ravel()
        reliability.add(window, given, came[:, :, window].ravel())
    return reliability


def test_overconfident_probabilities_are_corrected() -> None:
    probability = truths()
    forecast = overconfident(probability)
    honest = corrected(forecast, *counted(forecast, outcomes(probability)).lines())
    assert np.abs(honest - probability).mean() < 0.2 * np.abs(forecast - probability).mean()


def test_honest_probabilities_stay_about_as_they_are() -> None:
    probability = truths()
    honest = corrected(probability, *counted(probability, outcomes(probability)).lines())
    assert np.abs(honest - probability).max() < 0.05


def test_curves_still_fall() -> None:
    probability = truths()
    honest = corrected(probability, *counted(probability, outcomes(probability)).lines())
    assert (np.diff(honest, axis=3) <= 0).all()


def test_impossible_stays_impossible_and_silence_silent() -> None:
    probability = truths()
    lines = counted(probability, outcomes(probability)).lines()
    probability[0], probability[1] = 0.0, np.nan
    honest = corrected(probability, *lines)
    assert (honest[0] == 0).all()
    assert np.isnan(honest[1]).all()


def test_nothing_known_leaves_probabilities_alone() -> None:
    probability = truths()
    same = corrected(probability, *Reliability(SHAPE[2]).lines())
    np.testing.assert_allclose(same, probability, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("always", [True, False])
def test_a_few_surprises_move_probabilities_a_little(always: bool) -> None:
    reliability = Reliability(1)
    reliability.add(0, np.full(3, 0.5), np.full(3, always))
    moved = corrected(np.full((1, 1, 1, 1), 0.5, np.float32), *reliability.lines())
    assert 0.02 < abs(float(moved[0, 0, 0, 0]) - 0.5) < 0.1


def test_a_line_against_all_order_is_not_believed() -> None:
    probability = truths()
    assert counted(probability, outcomes(1 - probability)).lines()[1].tolist() == [1.0, 1.0]


def test_what_fades_gives_way() -> None:
    probability = truths()
    reliability = counted(overconfident(probability), outcomes(probability))
    before = reliability.lines()[1]
    reliability.fade(0.01)
    reliability.number += counted(probability, outcomes(probability)).number
    assert (np.abs(reliability.lines()[1] - 1) < 0.2 * np.abs(before - 1)).all()
