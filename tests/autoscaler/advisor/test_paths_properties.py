"""Laws of paths, over any small graph. Probabilities are such that products are exact."""

from itertools import pairwise, permutations
from math import prod

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.advisor.namespaces import Caps
from autoscaler.advisor.paths import LEAST_VALUE, NamedPaths
from autoscaler.core.prediction.dependencies import Edges
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
from tests.autoscaler.core.stories import LAW
from tests.examples import examples

N = 6
MANY = settings(LAW, max_examples=examples(50, many=150))
EXACT = (NAN, 1.0, 0.75, 0.5, 0.25)

some_pairs = st.lists(
    st.sampled_from(sorted(permutations(range(N), 2))), min_size=1, max_size=18, unique=True
)


@st.composite
def graphs(draw: st.DrawFn) -> Edges:
    """Edges between six services, each pair once."""
    ends = draw(some_pairs)

    def column(values: tuple[float, ...]) -> list[float]:
        return [draw(st.sampled_from(values)) for _ in ends]

    return edges_of(
        shop(N),
        ends,
        probability=column(EXACT),
        confidence=column((NAN, 1.0, 0.5)),
        gain=column((NAN, 0.0, 0.5, 3.0)),
        lag_s=column((NAN, 0.0, 1.0, 30.0)),
        origin=[draw(st.integers(0, 4)) for _ in ends],
    )


def every_path(edges: Edges) -> dict[tuple[int, int], list[tuple[float, int, float, float]]]:
    """By pair, of all ways from one to the other: -value, hops, lag, gain."""
    known = {
        name: np.nan_to_num(getattr(edges, name), nan=unknown).tolist()
        for name, unknown in (
            ("probability", 1.0),
            ("confidence", 1.0),
            ("gain", 1.0),
            ("lag_s", 0.0),
        )
    }
    ends = zip(edges.upstream.tolist(), edges.downstream.tolist(), strict=True)
    place = {pair: i for i, pair in enumerate(ends)}
    found: dict[tuple[int, int], list[tuple[float, int, float, float]]] = {}
    for length in range(2, N + 1):
        for way in permutations(range(N), length):
            steps = [place.get(pair, -1) for pair in pairwise(way)]
            if min(steps) < 0:
                continue
            worth = prod(known["probability"][i] * known["confidence"][i] for i in steps)
            if worth >= LEAST_VALUE:
                lag_s, gain = sum(known["lag_s"][i] for i in steps), 1.0
                for i in steps:
                    gain *= known["gain"][i]
                found.setdefault((way[0], way[-1]), []).append((-worth, len(steps), lag_s, gain))
    return found


def same(one: NamedPaths, other: NamedPaths) -> bool:
    names = ("upstream", "downstream", "probability", "confidence", "gain", "lag_s", "hops")
    return all(getattr(one, name).tolist() == getattr(other, name).tolist() for name in names)


@MANY
@given(edges=graphs())
def test_the_best_of_all_ways_is_found(edges: Edges) -> None:
    expected = every_path(edges)
    paths = paths_of(edges)
    worth = value(paths)
    assert set(worth) == set(expected)
    for pair, (_, gain, lag_s, hops) in numbers(paths).items():
        best = min(expected[pair])[:3]
        assert (-worth[pair], hops, lag_s) == best
        assert gain in [way[3] for way in expected[pair] if way[:3] == best]
    assert not paths.excess


@MANY
@given(edges=graphs(), data=st.data())
def test_the_order_of_edges_changes_nothing(edges: Edges, data: st.DataObject) -> None:
    order = np.array(data.draw(st.permutations(range(len(edges)))), dtype=np.int64)
    caps = Caps(fan_out=2, paths=8)
    assert same(paths_of(edges), paths_of(edges.where(order)))
    assert same(paths_of(edges, caps=caps), paths_of(edges.where(order), caps=caps))


@MANY
@given(edges=graphs(), more=graphs())
def test_more_edges_make_no_pair_less_likely(edges: Edges, more: Edges) -> None:
    before, after = (value(paths_of(some)) for some in (edges, joined(edges, more)))
    assert all(after[pair] >= worth for pair, worth in before.items())


@MANY
@given(edges=graphs())
def test_what_leads_to_an_upstream_changes_nothing_of_its_paths(edges: Edges) -> None:
    paths = numbers(paths_of(edges))
    for up in range(N):
        away = numbers(paths_of(edges.where(edges.downstream != up)))
        for down in range(N):
            assert paths.get((up, down)) == away.get((up, down))
        assert (up, up) not in paths


@MANY
@given(edges=graphs(), fan_out=st.integers(1, 4))
def test_a_fan_that_is_cut_keeps_the_most_valuable(edges: Edges, fan_out: int) -> None:
    full, cut = paths_of(edges), paths_of(edges, caps=Caps(fan_out=fan_out))
    worth = value(full)
    assert value(cut).items() <= worth.items()
    for up in range(N):
        every = sorted((v for (u, _), v in worth.items() if u == up), reverse=True)
        kept = sorted((worth[u, d] for u, d in pairs(cut) if u == up), reverse=True)
        assert kept == every[:fan_out]
    assert bool(cut.excess.get("fan_out")) == (len(cut) < len(full))


@MANY
@given(edges=graphs(), most=st.integers(1, 20))
def test_paths_that_are_cut_keep_the_most_valuable(edges: Edges, most: int) -> None:
    full, cut = paths_of(edges), paths_of(edges, caps=Caps(paths=most))
    worth = value(full)
    assert value(cut).items() <= worth.items()
    every = sorted(worth.values(), reverse=True)
    assert sorted(value(cut).values(), reverse=True) == every[:most]
    assert cut.excess.get("paths", 0) == len(full) - len(cut)


@MANY
@given(edges=graphs(), longest=st.integers(1, 3))
def test_no_path_is_longer_than_allowed(edges: Edges, longest: int) -> None:
    full, cut = paths_of(edges), paths_of(edges, caps=Caps(path_edges=longest))
    assert all(hops <= longest for hops in cut.hops.tolist())
    short = {pair: row for pair, row in numbers(full).items() if row[3] <= longest}
    assert numbers(cut).items() >= short.items()


@MANY
@given(edges=graphs())
def test_a_path_is_worth_what_its_parts_are(edges: Edges) -> None:
    worth = value(paths_of(edges))
    for a, b, c in permutations(range(N), 3):
        if (a, b) in worth and (b, c) in worth and worth[a, b] * worth[b, c] >= LEAST_VALUE:
            assert worth[a, c] >= worth[a, b] * worth[b, c]


@LAW
@given(edges=graphs())
def test_services_without_edges_change_nothing(edges: Edges) -> None:
    gaps = [*shop(N)[:3], "shop/s00002a", *shop(N)[3:], "shop/z"]
    assert sorted(gaps) == gaps
    wider = edges.onto(tuple(gaps))
    names = [edges.services[i] for i in range(N)]
    found = paths_of(wider)
    there = [
        (names.index(wider.services[u]), names.index(wider.services[d])) for u, d in pairs(found)
    ]
    assert there == pairs(paths_of(edges))
