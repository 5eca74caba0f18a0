"""Laws of the test of edges: seldom wrong, soon sure, and never for ever."""

import numpy as np
import pytest

from autoscaler.advisor.withdrawal.edge_evidence import FALSE_WITHDRAWAL, WORTH, EdgeEvidence
from autoscaler.core.types import BoolArray, FloatArray

EDGES, WARNINGS = 500, 2000


def lived(
    came: BoolArray, stated: float, begun: EdgeEvidence | None = None
) -> tuple[EdgeEvidence, FloatArray]:
    """Evidence after (n, m) warnings of m edges, and (m,) after how many each changed first."""
    m = came.shape[1]
    evidence = begun or EdgeEvidence.none(m)
    first, was = np.full(m, np.inf), evidence.withdrawn
    for i, one in enumerate(came, 1):
        evidence = evidence.after(np.arange(m), one, np.full(m, stated))
        first = np.where(np.isinf(first) & (evidence.withdrawn != was), i, first)
    return evidence, first


def drawn(share: float, n: int = WARNINGS, m: int = EDGES) -> BoolArray:
    return np.asarray(np.random.default_rng(3).random((n, m)) < share)


@pytest.mark.parametrize(
    ("stated", "true"), [(0.9, 0.9), (0.9, WORTH), (0.3, 0.15), (np.nan, WORTH)]
)
def test_an_edge_of_which_half_comes_true_is_withdrawn_as_seldom_as_stated(
    stated: float, true: float
) -> None:
    _, first = lived(drawn(true), stated)
    assert np.isfinite(first).mean() <= WARNINGS * FALSE_WITHDRAWAL


@pytest.mark.parametrize(
    ("stated", "true", "within"), [(0.9, 0.0, 80), (0.9, 0.03, 130), (0.2, 0.0, 160)]
)
def test_what_does_not_come_is_found_within_so_many_starts(
    stated: float, true: float, within: int
) -> None:
    _, first = lived(drawn(true, 400, 50), stated)
    assert np.median(first) <= within
    assert first.min() > 1 / FALSE_WITHDRAWAL**0.25  # and nobody is judged by a few


def test_what_came_true_long_ago_does_not_put_it_off() -> None:
    evidence, _ = lived(drawn(0.9, 1000, 20), 0.9)
    _, first = lived(drawn(0.0, 80, 20), 0.9, evidence)
    assert np.isfinite(first).all()


def test_it_comes_back_once_it_is_true_and_not_before() -> None:
    evidence, _ = lived(drawn(0.0, 100, 200), 0.9)
    assert evidence.withdrawn.all()
    evidence, first = lived(drawn(0.02, 300, 200), 0.9, evidence)
    assert np.isinf(first).all()
    _, first = lived(drawn(0.9, 20, 200), 0.9, evidence)
    assert np.isfinite(first).all()


def test_edges_are_judged_apart() -> None:
    came = drawn(0.1, 200, 6)
    together, _ = lived(came, 0.9)
    for edge in range(6):
        alone, _ = lived(came[:, edge : edge + 1], 0.9)
        assert alone.log_wealth[:, 0] == pytest.approx(together.log_wealth[:, edge])
