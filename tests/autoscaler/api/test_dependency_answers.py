"""Edges as answers of the API, and back."""

import json

import numpy as np
import pytest

from autoscaler.api.dependencies import edges_of, listed
from autoscaler.api.dependency_answers import DependenciesAnswer, DependencyAnswer
from autoscaler.core.prediction.dependencies import COLUMNS, no_edges
from autoscaler.errors import PermanentError
from tests.autoscaler.api.known_edges import edges, in_no_order


def test_answers_make_the_edges_that_they_came_from() -> None:
    there = edges_of(listed(edges()))
    assert there.services == ("shop/browse", "shop/cart", "shop/pay")
    again = there.onto(edges().services)
    order = np.argsort(again.key), np.argsort(edges().key)
    for name in COLUMNS:
        one, other = getattr(again, name)[order[0]], getattr(edges(), name)[order[1]]
        np.testing.assert_array_equal(one, other, name)


def test_answers_of_what_comes_together_make_edges_both_ways() -> None:
    there = edges_of(listed(in_no_order()))
    assert there.together.tolist() == [False, True, True]
    assert len(listed(there)) == 2


def test_no_answers_make_no_edges() -> None:
    assert len(edges_of([])) == len(listed(no_edges(()))) == 0


def test_a_pair_that_is_said_twice_is_taken_as_the_better_origin_says() -> None:
    said = DependencyAnswer.model_validate(DependencyAnswer.example)
    known = said.model_copy(update={"origin": "annotation", "gain": 7.0, "lag_s": None})
    both = edges_of([said, known])
    assert (both.gain.tolist(), both.lag_s.tolist()) == ([7.0], [2.5])


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"gain": -1.0}, "gain of an edge is -1; allowed: finite, 0 to inf"),
        ({"confidence": 1.5}, "confidence of an edge is 1.5; allowed: finite, 0 to 1"),
        ({"downstream": "shop/browse"}, "'shop/browse' to itself"),
    ],
)
def test_answers_that_cannot_be_are_refused(wrong: dict[str, object], said: str) -> None:
    answer = DependencyAnswer.model_validate(DependencyAnswer.example | wrong)
    with pytest.raises(PermanentError, match=said):
        edges_of([answer])


def test_the_example_is_such_an_answer() -> None:
    assert (
        DependenciesAnswer.model_validate_json(json.dumps(DependenciesAnswer.example)).total == 12
    )
