"""What a Route says of its service's traffic."""

from typing import Any

import pytest

from autoscaler.refusals import LimitError
from knative.mirror.routes import route
from tests.knative.objects import a_route, to


def test_entries_of_one_revision_add_up() -> None:
    o = a_route(to("cart-00001", 60), to("cart-00001", 10, tag="old"), to("cart-00002", 30))
    assert route(o).shares == pytest.approx({"cart-00001": 0.7, "cart-00002": 0.3})


@pytest.mark.parametrize("percent", [-1, 101, "half", 33.3])
def test_a_percent_that_cannot_be_is_refused_by_value_and_what_is_allowed(percent: Any) -> None:
    with pytest.raises(ValueError, match=r"percent is .*; allowed: whole numbers from 0 to 100"):
        route(a_route(to("cart-00001", percent)))


def test_a_route_with_more_targets_than_anybody_splits_by_is_left_out() -> None:
    with pytest.raises(LimitError, match="more than 256 targets"):
        route(a_route(*[to(f"cart-{i:05}", 0) for i in range(300)]))


def test_a_route_belongs_to_its_service_or_stands_alone() -> None:
    o = a_route()
    o["metadata"]["name"] = "another"
    assert route(o).service == "shop/cart"
    del o["metadata"]["labels"]
    assert route(o).service == "shop/another"


def test_a_route_that_is_bare_says_nothing() -> None:
    bare = route({"metadata": {"namespace": "shop", "name": "cart"}})
    assert (bare.shares, bare.latest, bare.latest_is) == ({}, 0.0, "")
