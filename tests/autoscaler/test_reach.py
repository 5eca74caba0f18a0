"""Reach: what is pulled pulls on, and nothing comes back to where it began."""

import numpy as np
import pytest

from autoscaler.core.dependencies import Edges, no_edges
from autoscaler.reach import closed, links_of

NAN = np.nan


def edges(n: int, *said: tuple[int, int, float, float, float]) -> Edges:
    """Edges (upstream, downstream, needed, gain, lag_s) between services s0, s1, ..."""
    up, down, needed, gain, lag_s = (np.array(column) for column in zip(*said, strict=True))
    m = len(said)
    return Edges(
        services=tuple(f"shop/s{i}" for i in range(n)),
        upstream=up.astype(np.int64),
        downstream=down.astype(np.int64),
        needed=needed.astype(float),
        gain=gain.astype(float),
        lag_s=lag_s.astype(float),
        confidence=np.ones(m),
        evidence=np.full(m, NAN),
        seen_at_s=np.full(m, NAN),
        direct=np.ones(m, dtype=np.bool_),
        origin=np.zeros(m, dtype=np.int64),
    )


def pairs(found: Edges) -> dict[tuple[int, int], tuple[float, float, float]]:
    ends = zip(found.upstream.tolist(), found.downstream.tolist(), strict=True)
    values = zip(found.needed.tolist(), found.gain.tolist(), found.lag_s.tolist(), strict=True)
    return dict(zip(ends, values, strict=True))


def test_a_chain_reaches_to_its_end() -> None:
    found = closed(edges(3, (0, 1, 0.5, 2.0, 1.0), (1, 2, 0.8, 3.0, 4.0)))
    assert pairs(found)[0, 2] == pytest.approx((0.4, 6.0, 5.0))
    assert found.direct.tolist() == [True, False, True]


def test_of_several_paths_the_most_probable_stands() -> None:
    said = (0, 1, 0.9, 1.0, 1.0), (1, 2, 0.9, 1.0, 1.0), (0, 2, 0.5, 1.0, 7.0)
    assert pairs(closed(edges(3, *said)))[0, 2] == pytest.approx((0.81, 1.0, 2.0))


def test_a_cycle_leads_nowhere_back() -> None:
    found = closed(edges(3, (0, 1, 1, 2, 1), (1, 2, 1, 2, 1), (2, 0, 1, 2, 1)))
    assert set(pairs(found)) == {(a, b) for a in range(3) for b in range(3) if a != b}
    assert pairs(found)[0, 2] == (1.0, 4.0, 2.0)


def test_what_nobody_says_is_what_always_calls_on() -> None:
    found = closed(edges(2, (0, 1, NAN, NAN, NAN)))
    assert pairs(found) == {(0, 1): (1.0, 1.0, 0.0)}


def test_no_edges_make_no_links() -> None:
    assert len(links_of(no_edges(("shop/s0",)), ["shop/s0"], layout=3)) == 0


def test_every_revision_of_a_service_pulls_every_one_of_the_other() -> None:
    rows = ["shop/s1", "shop/s0", "shop/other", "shop/s1"]
    links = links_of(closed(edges(3, (0, 1, 1, 1, 1), (0, 2, 1, 1, 1))), rows, layout=3)
    ends = list(zip(links.upstream.tolist(), links.downstream.tolist(), strict=True))
    assert (ends, links.name, links.layout) == ([(1, 0), (1, 3)], ("shop/s0", "shop/s0"), 3)


def test_two_thousand_edges_are_closed_in_time() -> None:
    rng = np.random.default_rng(0)
    said = rng.integers(0, 500, (2000, 2))
    said = said[said[:, 0] != said[:, 1]]
    found = closed(edges(500, *[(int(a), int(b), 0.5, 1.0, 1.0) for a, b in said]))
    assert len(found) >= len({tuple(pair) for pair in said.tolist()})
    assert (found.needed * found.confidence >= 0.05).all()
