"""Shares of namespaces: fixed by how many there are, and never more than there is."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.advisor.namespaces import Caps, Namespaces, most_valuable, namespace_of
from tests.autoscaler.core.stories import LAW


def namespaces(k: int, named: list[int], *, trusting: bool = False) -> Namespaces:
    """One service in each of k namespaces."""
    return Namespaces(
        of=np.arange(k), n_fleet=k, named=np.array(named, dtype=np.int64), trusting=trusting
    )


def shares(some: Namespaces, total: int) -> list[int]:
    """What each group of pairs has, a group once."""
    k = len(some.of)
    up, down = (end.ravel() for end in np.meshgrid(np.arange(k), np.arange(k)))
    _, first = np.unique(some.groups(up, down), return_index=True)
    return [int(places) for places in some.share(total, up, down)[first]]


def test_the_namespace_is_what_stands_before_the_slash() -> None:
    assert namespace_of("shop/cart") == "shop"


def test_a_namespace_alone_has_all() -> None:
    assert shares(namespaces(1, [0]), 100) == [100]
    assert shares(namespaces(1, [0], trusting=True), 100) == [100]


def test_half_of_a_share_is_for_upstreams_of_the_others_that_a_namespace_names() -> None:
    some = namespaces(4, [0, 1, 2, 3])
    down = np.array([0, 1, 2, 3])
    assert some.share(64, down, down).tolist() == [16, 8, 8, 8]
    assert some.share(64, (down + 1) % 4, down)[1:].tolist() == [8, 4, 2]


def test_where_namespaces_trust_each_other_all_others_share_half() -> None:
    some = namespaces(4, [0, 1, 2, 3], trusting=True)
    up, down = np.array([1, 2, 3, 0]), np.zeros(4, dtype=np.int64)
    assert some.share(64, up, down).tolist() == [8, 8, 8, 8]
    groups = some.groups(up, down).tolist()
    assert groups[0] == groups[1] == groups[2] != groups[3]


@LAW
@given(
    named=st.lists(st.integers(0, 40), min_size=1, max_size=9),
    total=st.integers(0, 5000),
    trusting=st.booleans(),
)
def test_all_shares_together_are_no_more_than_there_is(
    named: list[int], total: int, trusting: bool
) -> None:
    k = len(named)
    some = namespaces(k, [min(many, k - 1) for many in named], trusting=trusting)
    if trusting:
        assert sum(shares(some, total)) <= total
        return
    down = np.arange(k)
    own = some.share(total, down, down)
    elsewhere = some.share(total, (down + 1) % k, down) if k > 1 else np.zeros(1, np.int64)
    assert (own + some.named * elsewhere).sum() <= total


@LAW
@given(n_fleet=st.integers(1, 5000))
def test_a_service_may_have_one_path_into_each_namespace_at_least(n_fleet: int) -> None:
    some = Namespaces(
        of=np.zeros(1, np.int64), n_fleet=n_fleet, named=np.zeros(1, np.int64), trusting=False
    )
    assert 1 <= some.fan_out_elsewhere(Caps()) <= Caps().fan_out


@LAW
@given(
    rows=st.lists(st.tuples(st.integers(0, 3), st.sampled_from((0.1, 0.5, 0.9))), max_size=20),
    places=st.lists(st.integers(0, 5), min_size=4, max_size=4),
)
def test_of_each_group_the_most_valuable_have_places(
    rows: list[tuple[int, float]], places: list[int]
) -> None:
    group = np.array([g for g, _ in rows], dtype=np.int64)
    value = np.array([v for _, v in rows])
    kept = most_valuable(group, np.array(places)[group], value, np.arange(len(rows)))
    for g in range(4):
        ranked = sorted((-v, i) for i, (h, v) in enumerate(rows) if h == g)
        assert np.flatnonzero(kept & (group == g)).tolist() == sorted(
            i for _, i in ranked[: places[g]]
        )
