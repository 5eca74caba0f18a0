"""Edges that a release made false, among made calls, and what is expected to become of them."""

import numpy as np
import pytest

from benchmarks.goals.edges import Kind, outcome


@pytest.mark.parametrize("share", [0.9, 0.5])
def test_an_edge_that_brings_half_of_what_it_says_is_not_withdrawn(share: float) -> None:
    found = outcome(Kind(stated=0.9, before=0.9, after=share), pairs=30, before=30, after=90)
    assert found.false == 0


def test_an_edge_that_is_false_after_a_release_is_withdrawn_within_180_starts() -> None:
    kind = Kind(stated=0.9, before=0.9, after=0.0)
    found = outcome(kind, pairs=30, before=30, after=220)
    assert (found.false, found.never) == (0, 0)
    assert np.median(found.after) < 100
    assert found.after.max() <= 180
