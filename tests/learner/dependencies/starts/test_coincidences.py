"""Starts that follow are counted where the service was observed, and idle."""

import numpy as np

from learner.dependencies.starts.coincidences import (
    StartRules,
    following_starts,
    observed_span,
    trials,
)
from tests.learner.dependencies.starts.made import busy_periods


def test_a_start_follows_only_where_the_service_was_idle() -> None:
    """B was called 50 s before A's second start, so that its next start does not count."""
    busy = busy_periods(
        {"a": np.array([1000.0, 2000.0]), "b": np.array([1005.0, 1950.0, 2012.0])}, 3000.0
    )
    rules, no_shift = StartRules(), np.zeros(2)
    pairs = following_starts(busy, no_shift, observed_span(busy, rules), rules)
    assert busy.start_s[pairs.before].tolist() == [1000.0]
    assert pairs.lag_s.tolist() == [5.0]
    assert trials(busy, no_shift, observed_span(busy, rules), rules).tolist() == [
        [0.0, 1.0],
        [1.0, 0.0],
    ]


def test_shifted_starts_are_counted_at_their_shifted_times() -> None:
    """A starts; five minutes later B is idle and follows, C is busy, D is not observed."""
    calls = {"a": [1000.0], "b": [1307.0], "c": [1290.0], "d": []}
    busy = busy_periods({name: np.array(at) for name, at in calls.items()}, 3000.0)
    rules, later_s = StartRules(), np.array([0.0, 300.0, 300.0, 2500.0])
    pairs = following_starts(busy, later_s, observed_span(busy, rules), rules)
    assert pairs.pair.tolist() == [1]
    assert pairs.lag_s.tolist() == [7.0]
    assert trials(busy, later_s, observed_span(busy, rules), rules)[0].tolist() == [
        0.0,
        1.0,
        0.0,
        0.0,
    ]
