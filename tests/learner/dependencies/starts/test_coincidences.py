"""Starts that follow are counted where the service was observed, and idle."""

import numpy as np
import pytest

from learner.dependencies.starts.coincidences import (
    StartRules,
    following_starts,
    starts_and_expected,
    trials,
)
from tests.learner.dependencies.starts.made import DAY_S, busy_periods, poisson

RULES = StartRules()


def test_a_start_follows_only_where_the_service_was_idle() -> None:
    """B was called 50 s before A's second start, so that its next start does not count."""
    busy = busy_periods(
        {"a": np.array([1000.0, 2000.0]), "b": np.array([1005.0, 1950.0, 2012.0])}, 3000.0
    )
    pairs = following_starts(busy, RULES)
    assert (pairs.pair.tolist(), pairs.lag_s.tolist()) == ([1], [5.0])
    assert trials(busy, RULES).tolist() == [[0.0, 1.0], [1.0, 0.0]]


def test_a_start_counts_once_all_is_known_that_follows_it() -> None:
    busy = busy_periods({"a": np.array([1000.0, 2990.0]), "b": np.array([2995.0])}, 3000.0)
    assert len(following_starts(busy, RULES).pair) == 0
    assert trials(busy, RULES)[0, 1] == 1.0


def test_chance_is_that_of_the_hour() -> None:
    """B starts in the first of two hours only; A in either, as often."""
    rng = np.random.default_rng(1)
    b = np.arange(100.0, 3500.0, 200.0)
    busy = busy_periods({"a": np.array([50.0, 1810.0, 5410.0, 5999.0]), "b": b}, 7200.0)
    starts, expected = starts_and_expected(busy, RULES)
    assert starts.tolist() == [4.0, len(b)]
    rate = len(b) / (3600.0 - 60.0 * len(b))
    assert expected[0, 1] == pytest.approx(2 * (1 - np.exp(-20.0 * rate)), rel=0.05)
    alone = busy_periods({"a": poisson(rng, 200), "b": np.array([5.0])}, DAY_S)
    assert starts_and_expected(alone, RULES)[1][0, 1] < 0.1  # two in a day
