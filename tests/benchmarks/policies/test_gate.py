"""The gate lets through what is no worse than a keep-alive, and nothing else."""

from pathlib import Path

import numpy as np
import pytest

from autoscaler.core.types import FloatArray
from benchmarks.policies.femux import exceedance_by_folds
from benchmarks.policies.gate import HALVES, main, poisson_calls, verdicts
from benchmarks.scores.femux_rules import most_of_last
from learner.prior.file import SHIPPED

NEED = poisson_calls(30, 600, 1)


def curves(pods: FloatArray) -> FloatArray:
    """Probabilities of a single level."""
    return np.asarray(pods[:, :, None])


def test_perfect_foresight_passes() -> None:
    found = verdicts(NEED, curves(NEED))
    assert all(each.passes and each.ours == 0 < each.theirs for each in found)


def test_a_keep_alive_is_as_good_as_itself() -> None:
    found = verdicts(NEED, curves(0.5 * np.minimum(most_of_last(5, NEED), 1)))
    (same,) = (each for each in found if each.minutes == 5)
    assert same.ours <= same.theirs
    assert same.passes


def test_knowing_nothing_fails() -> None:
    nothing = np.random.default_rng(0).random(NEED.shape)
    assert not any(each.passes for each in verdicts(NEED, curves(nothing))[:3])


def test_each_half_is_forecast_from_the_other() -> None:
    predicted = exceedance_by_folds(NEED, max_rows=500, folds=HALVES)
    assert predicted.shape[:2] == NEED.shape
    rate = NEED.mean(axis=1)
    assert np.corrcoef(predicted[:, 300:, 0].mean(axis=1), rate)[0, 1] > 0.8


def test_a_prior_is_held_against_keep_alives_on_a_first_day(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "calls.npz", counts=NEED)
    main(trace=[tmp_path / "calls.npz"], prior=SHIPPED, minutes=200)
    printed = capsys.readouterr().out
    assert "calls" in printed
    assert "worse" not in printed
