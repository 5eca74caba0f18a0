"""Intervals hold what they should, and tell what is not known."""

import numpy as np
import pytest

from benchmarks.scores.resampling import interval, ratio, resampled, resampled_all


def test_an_interval_holds_the_ratio_that_services_share() -> None:
    under = np.random.default_rng(0).uniform(1, 10, 50)
    over = under * np.random.default_rng(1).uniform(1.5, 2.5, 50)
    low, high = interval(ratio(resampled(over), resampled(under)))
    assert 1.8 < low < 2.0 < high < 2.2


def test_services_that_are_alike_leave_no_doubt() -> None:
    low, high = interval(resampled(np.full(7, 3.0)))
    assert (low, high) == pytest.approx((21.0, 21.0))


def test_nothing_below_is_not_known() -> None:
    assert np.isnan(ratio(np.ones(1), np.zeros(1))).all()
    assert np.isnan(interval(np.full(3, np.nan))).all()


def test_services_days_and_seeds_are_drawn_alike() -> None:
    values = np.ones((3, 2, 5, 4))
    values[:, 1] = 2.0
    found = resampled_all(values)
    np.testing.assert_allclose(found[0], 20.0)
    np.testing.assert_allclose(found[1], 2 * found[0])


def test_what_differs_by_day_alone_varies_with_the_days_drawn() -> None:
    values = np.broadcast_to(np.array([0.0, 10.0]), (1, 1, 3, 2))
    assert set(np.round(resampled_all(values)[0])) == {0.0, 30.0, 60.0}
