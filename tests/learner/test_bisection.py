"""Whoever makes it fail for all is found by halves."""

import numpy as np
import pytest

from autoscaler.core.types import IntArray
from learner.bisection import MOST_ATTEMPTS, faulty_services

FIRST = ValueError("with all")


class Stage:
    """Fails with any of some services."""

    def __init__(self, *bad: int) -> None:
        self.bad, self.attempts = set(bad), 0

    def __call__(self, rows: IntArray) -> None:
        self.attempts += 1
        for row in rows.tolist():
            if row in self.bad:
                raise ZeroDivisionError(row)


@pytest.mark.parametrize("bad", [(0,), (999,), (3, 500), (1, 2, 3)])
def test_they_are_found_with_what_went_wrong_with_each(bad: tuple[int, ...]) -> None:
    stage = Stage(*bad)
    found = faulty_services(np.arange(1000), FIRST, stage)
    assert sorted(found) == list(bad)
    assert all(error.args == (row,) for row, error in found.items())
    assert stage.attempts <= 2 * 10 * len(bad)


def test_the_only_one_is_the_culprit() -> None:
    assert faulty_services(np.array([7]), FIRST, Stage()) == {7: FIRST}


def test_nobody_is_found_where_it_fails_with_some_only_together() -> None:
    def attempt(rows: IntArray) -> None:
        if {0, 9} <= set(rows.tolist()):
            raise ValueError

    assert faulty_services(np.arange(10), FIRST, attempt) == {}


def test_where_it_fails_with_very_many_it_is_given_up() -> None:
    stage = Stage(*range(1000))
    with pytest.raises(ValueError, match="with all"):
        faulty_services(np.arange(1000), FIRST, stage)
    assert stage.attempts == MOST_ATTEMPTS
