"""Where services are drawn."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.api.graph.layout import layout
from tests.examples import examples

PAIRS = st.lists(
    st.tuples(st.integers(0, 11), st.integers(0, 11)).filter(lambda p: p[0] != p[1]),
    min_size=1,
    max_size=40,
    unique=True,
)
LAW = settings(max_examples=examples(20, many=60), derandomize=True, deadline=None)


def ends_of(pairs: list[tuple[int, int]]) -> tuple[int, np.ndarray, np.ndarray]:
    kept, index = np.unique(np.array(pairs), return_inverse=True)
    index = index.reshape(-1, 2)
    return len(kept), index[:, 0], index[:, 1]


@LAW
@given(PAIRS)
def test_no_two_services_touch_and_none_is_off_the_page(pairs: list[tuple[int, int]]) -> None:
    places = layout(*ends_of(pairs))
    assert places.column.min() == 0
    assert places.line.min() >= 0
    for column in np.unique(places.column):
        lines = np.sort(places.line[places.column == column])
        assert (np.diff(lines) >= 1 - 1e-9).all()


@LAW
@given(PAIRS)
def test_without_circles_every_call_leads_to_the_right(pairs: list[tuple[int, int]]) -> None:
    n, up, down = ends_of([(min(p), max(p)) for p in pairs])
    places = layout(n, up, down)
    assert (places.column[up] < places.column[down]).all()


@LAW
@given(PAIRS)
def test_the_same_edges_give_the_same_places(pairs: list[tuple[int, int]]) -> None:
    n, up, down = ends_of(pairs)
    one, other = layout(n, up, down), layout(n, up[::-1], down[::-1])
    np.testing.assert_array_equal(one.column, other.column)
    np.testing.assert_allclose(one.line, other.line, atol=1e-6)


@LAW
@given(PAIRS)
def test_an_arrow_passes_every_column_on_its_way_beside_the_services(
    pairs: list[tuple[int, int]],
) -> None:
    n, up, down = ends_of(pairs)
    places = layout(n, up, down)
    for begin, end, bends in zip(places.column[up], places.column[down], places.bends, strict=True):
        way = 1 if end >= begin else -1
        assert [column for column, _ in bends] == list(range(begin + way, end, way))
        for column, line in bends:
            there = places.line[places.column == column]
            assert (np.abs(there - line) > 0.7).all()


def test_a_chain_is_a_straight_line() -> None:
    places = layout(4, np.array([2, 0, 1]), np.array([0, 1, 3]))
    assert places.column.tolist() == [1, 2, 0, 3]
    assert np.ptp(places.line) == 0
