"""NamedPaths: what is called calls on, and nothing comes back to where it began."""

from itertools import pairwise

import numpy as np
import pytest

from autoscaler import limits
from autoscaler.advisor.namespaces import Caps
from autoscaler.advisor.paths import best_paths
from autoscaler.core.prediction.dependencies import Origin, no_edges
from tests.autoscaler.advisor.graphs import (
    NAN,
    edges_of,
    joined,
    numbers,
    pairs,
    paths_of,
    shop,
    value,
)


def test_a_chain_leads_to_its_end() -> None:
    edges = edges_of(
        shop(3), [(0, 1), (1, 2)], probability=[0.5, 0.8], gain=[2.0, 3.0], lag_s=[1.0, 4.0]
    )
    assert numbers(paths_of(edges)) == {
        (0, 1): (0.5, 2.0, 1.0, 1),
        (0, 2): (0.4, 6.0, 5.0, 2),
        (1, 2): (0.8, 3.0, 4.0, 1),
    }


def test_of_several_paths_the_most_valuable_stands() -> None:
    edges = edges_of(
        shop(3), [(0, 1), (1, 2), (0, 2)], probability=[0.9, 0.9, 0.5], lag_s=[1, 1, 7]
    )
    probability, _, lag_s, hops = numbers(paths_of(edges))[0, 2]
    assert (lag_s, hops) == (2.0, 2)
    assert probability == pytest.approx(0.81)


def test_confidence_counts_as_much_as_probability() -> None:
    edges = edges_of(
        shop(3), [(0, 1), (1, 2), (0, 2)], probability=[0.9, 0.9, 0.7], confidence=[1.0, 0.5, 1.0]
    )
    assert numbers(paths_of(edges))[0, 2][0] == 0.7


def test_of_equal_paths_the_one_with_fewer_edges_stands() -> None:
    edges = edges_of(shop(3), [(0, 1), (1, 2), (0, 2)], lag_s=[1.0, 1.0, 9.0])
    assert numbers(paths_of(edges))[0, 2] == (1.0, 1.0, 9.0, 1)


def test_of_equal_paths_with_equally_many_edges_the_faster_stands() -> None:
    edges = edges_of(shop(4), [(0, 1), (1, 3), (0, 2), (2, 3)], lag_s=[2.0, 2.0, 1.0, 1.0])
    assert numbers(paths_of(edges))[0, 3] == (1.0, 1.0, 2.0, 2)


def test_of_a_pair_with_several_edges_the_most_valuable_counts() -> None:
    edges = edges_of(shop(2), [(0, 1), (0, 1)], probability=[0.3, 0.6], gain=[1.0, 4.0])
    assert numbers(paths_of(edges)) == {(0, 1): (0.6, 4.0, 0.0, 1)}


def test_a_cycle_leads_nowhere_back() -> None:
    found = numbers(paths_of(edges_of(shop(3), [(0, 1), (1, 2), (2, 0)], gain=2.0, lag_s=1.0)))
    assert set(found) == {(a, b) for a in range(3) for b in range(3) if a != b}
    assert found[0, 2] == (1.0, 4.0, 2.0, 2)


def test_what_nobody_knows_is_as_of_one_that_always_calls_on_at_once() -> None:
    edges = edges_of(shop(2), [(0, 1)], confidence=NAN)
    assert numbers(paths_of(edges)) == {(0, 1): (1.0, 1.0, 0.0, 1)}
    assert value(paths_of(edges)) == {(0, 1): 1.0}


def test_a_path_says_which_of_its_origins_knows_least() -> None:
    origins = [Origin.LEARNED_COUNTS, Origin.ISTIO]
    paths = paths_of(edges_of(shop(3), [(0, 1), (1, 2)], origin=origins))
    assert paths.origin.tolist() == [
        Origin.LEARNED_COUNTS,
        Origin.LEARNED_COUNTS,
        Origin.ISTIO,
    ]


def test_what_is_improbable_is_not_followed() -> None:
    edges = edges_of(shop(4), [(0, 1), (1, 2), (2, 3)], probability=[0.5, 0.1, 0.04])
    assert pairs(paths_of(edges)) == [(0, 1), (0, 2), (1, 2)]


def test_no_edges_make_no_paths() -> None:
    paths = paths_of(no_edges(("shop/a",)))
    assert (len(paths), paths.services, paths.excess) == (0, ("shop/a",), {})


def test_a_path_ends_after_so_many_edges() -> None:
    paths = paths_of(edges_of(shop(20), pairwise(range(20))))
    assert [down for up, down in pairs(paths) if up == 0] == list(range(1, 17))
    assert paths.hops.max() == limits.PATH_EDGES.most
    assert paths.excess == {"path_edges": 3}  # to the 17th of the first, second and third


def test_only_the_most_valuable_of_a_wide_fan_are_kept_and_the_others_counted() -> None:
    probability = [0.9, 0.5, 0.8, 0.6, 0.7]
    edges = edges_of(shop(6), [(0, i) for i in range(1, 6)], probability=probability)
    paths = paths_of(edges, caps=Caps(fan_out=2))
    assert (pairs(paths), paths.excess) == ([(0, 1), (0, 3)], {"fan_out": 3})


def test_of_all_paths_only_the_most_valuable_are_kept_and_the_others_counted() -> None:
    edges = edges_of(shop(4), pairwise(range(4)), probability=[0.9, 0.7, 0.8])
    paths = paths_of(edges, caps=Caps(paths=3))
    assert (pairs(paths), paths.excess) == ([(0, 1), (1, 2), (2, 3)], {"paths": 3})


def test_absurd_numbers_are_set_to_what_is_allowed() -> None:
    edges = edges_of(shop(9), pairwise(range(9)), gain=1e300, lag_s=1e308)
    with np.errstate(all="raise"):
        paths = paths_of(edges)
    assert set(paths.gain.tolist()) == {limits.PATH_GAIN.most}
    assert set(paths.lag_s.tolist()) == {limits.PATH_LAG_S.most}
    assert paths.excess == {"path_gain": 8, "path_lag_s": 8}


def test_gains_that_grow_along_a_path_stay_within_what_is_allowed() -> None:
    paths = paths_of(edges_of(shop(16), pairwise(range(16)), gain=100.0, lag_s=1000.0))
    assert paths.gain.max() == limits.PATH_GAIN.most
    assert paths.lag_s.max() == limits.PATH_LAG_S.most


def test_an_edge_without_a_gain_calls_nobody_and_may_still_start_him() -> None:
    edges = edges_of(shop(3), [(0, 1), (1, 2)], gain=[0.0, 3.0])
    assert numbers(paths_of(edges))[0, 2] == (1.0, 0.0, 0.0, 2)


def test_it_stops_between_two_upstreams_and_gives_all_up() -> None:
    asked: list[None] = []

    def stop() -> bool:
        asked.append(None)
        return len(asked) > 2

    assert best_paths(edges_of(shop(5), pairwise(range(5))), stop=stop) is None
    assert len(asked) == 3


def test_edges_twice_are_edges_once() -> None:
    edges = edges_of(shop(4), pairwise(range(4)), probability=0.5)
    once, twice = paths_of(edges), paths_of(joined(edges, edges))
    assert numbers(once) == numbers(twice)


def test_no_path_is_lost_when_there_are_more_than_are_selected_at_once() -> None:
    n = 270  # of a ring: 270 x 269 paths
    wide = Caps(fan_out=n, path_edges=n, paths=n * n)
    ring = edges_of(shop(n), [(i, (i + 1) % n) for i in range(n)])
    assert len(paths_of(ring, caps=wide)) == n * (n - 1)


def test_a_tick_gets_the_same_paths_without_names() -> None:
    named = paths_of(edges_of(shop(3), [(0, 1), (1, 2)], lag_s=[1.0, 4.0]))
    bare = named.without_names()
    assert list(zip(bare.upstream.tolist(), bare.downstream.tolist(), strict=True)) == pairs(named)
    assert bare.lag_s.tolist() == [1.0, 5.0, 4.0]
