"""A level's own law: what its past pauses and runs say, and nothing where they say nothing."""

import numpy as np
import pytest

from autoscaler.core.types import FloatArray
from learner.models.features import level_features
from learner.models.own_law import own_law
from learner.models.rows import LevelRows

WINDOWS = (0, 1, 2, 5, 15)


def probabilities(need: FloatArray, origin: int, cell: int = 0) -> FloatArray:
    """(n_windows,) of the first service; NaN = no law."""
    rows = LevelRows(service=np.array([0]), cell=np.array([cell]), origin=np.array([origin]))
    features = level_features(need[None, :], rows, WINDOWS, start_s=0.0, step_s=60.0)
    return np.asarray(1 / (1 + np.exp(-own_law(features, WINDOWS)[0])))


def timer(period: int) -> FloatArray:
    return np.where(np.arange(600) % period == 0, 1.0, 0.0)


@pytest.mark.parametrize(("ago", "window"), [(10, 0), (9, 1), (7, 2), (4, 3)])
def test_a_timer_is_expected_in_the_window_that_its_pauses_end_in(ago: int, window: int) -> None:
    p = probabilities(timer(10), 500 + ago)
    assert p[window] > 0.9
    assert (p[:window] < 0.1).all()


def test_a_run_goes_on_as_long_as_past_runs_did() -> None:
    runs = np.where(np.arange(600) % 50 < 10, 1.0, 0.0)
    young, old = probabilities(runs, 503), probabilities(runs, 510)
    assert young[0] > 0.9
    assert young[2] > 0.9
    assert old[0] < 0.1


@pytest.mark.parametrize("cell", [0, 1])
def test_a_level_never_needed_has_no_law(cell: int) -> None:
    need = np.zeros(600) if cell == 0 else timer(10)
    assert np.isnan(probabilities(need, 500, cell)).all()


def test_a_pause_longer_than_all_before_has_no_law() -> None:
    need = np.append(timer(10), np.zeros(100))
    assert not np.isnan(probabilities(need, 600)).any()
    assert np.isnan(probabilities(need, 620)).all()


def test_a_law_reads_nothing_from_its_origin_on() -> None:
    need = timer(10)
    other = need.copy()
    other[505:] = 1.0
    np.testing.assert_array_equal(probabilities(need, 505), probabilities(other, 505))
