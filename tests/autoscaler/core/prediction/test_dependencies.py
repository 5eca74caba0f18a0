"""Edges as plain data: refused when absurd, re-rowed, grouped, merged."""

from dataclasses import replace

import numpy as np
import pytest

from autoscaler.core.prediction.dependencies import Edges, Origin, merged, no_edges
from autoscaler.errors import PermanentError

NAMES = ("a", "b", "c", "d")


def edges(*ends: tuple[int, int], origin: Origin = Origin.LEARNED_STARTS, **said: float) -> Edges:
    m = len(ends)
    number = {
        name: np.full(m, said.get(name, np.nan))
        for name in ("lag_s", "gain", "probability", "confidence", "evidence", "seen_at_s")
    }
    return Edges(
        services=NAMES,
        upstream=np.array([a for a, _ in ends], dtype=np.int64),
        downstream=np.array([b for _, b in ends], dtype=np.int64),
        direct=np.zeros(m, dtype=np.bool_),
        origin=np.full(m, origin, dtype=np.int64),
        **number,
    )


def pairs(found: Edges) -> list[tuple[str, str]]:
    ends = zip(found.upstream, found.downstream, strict=True)
    return [(found.services[a], found.services[b]) for a, b in ends]


def test_edges_move_to_other_rows_and_strangers_are_left_out() -> None:
    moved = edges((0, 1), (1, 2), (3, 0), gain=0.5).onto(("c", "x", "b", "a"))
    assert pairs(moved) == [("a", "b"), ("b", "c")]
    assert moved.upstream.tolist() == [3, 2]
    assert moved.gain.tolist() == [0.5, 0.5]


def test_what_a_service_pulls_lies_side_by_side() -> None:
    ordered, first = edges((3, 0), (0, 2), (1, 0), (0, 1)).by_upstream()
    assert first.tolist() == [0, 2, 3, 3, 4]
    assert pairs(ordered) == [("a", "b"), ("a", "c"), ("b", "a"), ("d", "a")]


def test_a_pair_learned_both_ways_without_a_lag_comes_together_and_is_shown_once() -> None:
    found = edges((1, 0), (0, 1), (2, 3), (3, 2), lag_s=0.0)
    found.lag_s[3] = 30.0  # an order, and a cycle
    assert found.together.tolist() == [True, True, False, False]
    assert found.shown.tolist() == [False, True, True, True]
    assert found.both_ways(np.array([False, True, False, False])).tolist() == [True, True, 0, 0]
    found.direct[0] = True
    assert found.shown.tolist() == [True, False, True, True]


def test_an_order_that_is_known_is_shown_alone() -> None:
    learned = edges((0, 1), (1, 0), lag_s=0.0)
    both = merged(learned, edges((0, 1), origin=Origin.ISTIO))
    assert not both.together.any()
    assert pairs(both.where(both.shown)) == [("a", "b")]


def test_no_edges_are_not_together() -> None:
    none = no_edges(NAMES)
    assert len(none.together) == len(none.shown) == len(none.both_ways(none.direct)) == 0


def test_the_best_origin_speaks_and_others_fill_in_what_it_leaves_out() -> None:
    learned = edges((0, 1), (1, 2), lag_s=2.0, gain=0.5)
    known = replace(edges((0, 1), origin=Origin.ISTIO, gain=0.8), direct=np.ones(1, dtype=np.bool_))
    both = merged(learned, known)
    assert pairs(both) == [("a", "b"), ("b", "c")]
    assert both.origin.tolist() == [Origin.ISTIO, Origin.LEARNED_STARTS]
    assert both.gain.tolist() == [0.8, 0.5]
    assert both.lag_s.tolist() == [2.0, 2.0]
    assert both.direct.tolist() == [True, False]


def test_the_order_of_sources_does_not_matter() -> None:
    sources = (
        edges((0, 1), (2, 1), origin=Origin.LEARNED_COUNTS, lag_s=60.0, gain=2.0),
        edges((0, 1), lag_s=2.0),
        edges((0, 1), (3, 1), origin=Origin.ANNOTATION),
    )
    one, other = merged(*sources), merged(*sources[::-1])
    for name in ("upstream", "downstream", "origin", "lag_s", "gain"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert one.lag_s[0] == 2.0


def test_a_pair_is_direct_where_any_source_says_so() -> None:
    learned = replace(edges((0, 1)), direct=np.ones(1, dtype=np.bool_))
    both = merged(learned, edges((0, 1), origin=Origin.PROMETHEUS))
    assert both.direct.tolist() == [True]


def test_no_edges_do_everything_that_edges_do() -> None:
    nothing = no_edges(NAMES)
    assert len(nothing) == len(merged(nothing, nothing)) == len(nothing.onto(("x",))) == 0
    assert nothing.by_upstream()[1].tolist() == [0, 0, 0, 0, 0]
    assert pairs(merged(nothing, edges((1, 0)))) == [("b", "a")]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"upstream": np.array([4])}, "ends at service 4; allowed: 0 to 3"),
        ({"upstream": np.array([1])}, "'b' to itself"),
        (
            {"probability": np.array([1.5])},
            "probability of an edge is 1.5; allowed: finite, 0 to 1",
        ),
        ({"lag_s": np.array([-1.0])}, "lag_s of an edge is -1"),
        ({"gain": np.array([np.inf])}, "gain of an edge is inf"),
        ({"gain": np.zeros(2)}, "shape"),
        ({"services": ("a", "b", "a", "d")}, "twice"),
    ],
)
def test_absurd_edges_are_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(PermanentError, match=words):
        replace(edges((0, 1)), **changes)  # type: ignore[arg-type]


def test_sources_of_different_services_do_not_merge() -> None:
    with pytest.raises(PermanentError, match="different services"):
        merged(edges((0, 1)), no_edges(("a",)))
