from typing import Any

import pytest

from autoscaler.core.revision import Mode
from knative.api import Object
from knative.config import ClusterConfig
from knative.objects import SERVICE_LABEL, podautoscaler
from knative.traffic import route
from tests.knative.conftest import (
    NOW_S,
    Cluster,
    a_bundle,
    a_pod,
    a_podautoscaler,
    an_old_status,
)

SERVICE = "cart"
INITIALIZED = an_old_status()


def a_route(
    *status: dict[str, Any], spec: list[dict[str, Any]] | None = None, name: str = SERVICE
) -> Object:
    """A Route as Knative's Service makes it."""
    return {
        "metadata": {"namespace": "shop", "name": name, "labels": {SERVICE_LABEL: name}},
        "spec": {"traffic": [{"latestRevision": True, "percent": 100}] if spec is None else spec},
        "status": {"traffic": list(status)},
    }


def to(revision: str, percent: int | None, *, latest: bool = False, **said: Any) -> dict[str, Any]:
    """An entry of a Route's traffic."""
    return (
        {"revisionName": revision, "latestRevision": latest}
        | said
        | ({} if percent is None else {"percent": percent})
    )


class Shop(Cluster):
    """A cluster with revisions of one service, by generation."""

    def has_generation(self, number: int, *, initialized: bool = True, **spec: Any) -> None:
        name = f"cart-{number:05}"
        o = a_podautoscaler(name, status=INITIALIZED if initialized else {}, **spec)
        o["metadata"]["labels"] |= {
            SERVICE_LABEL: SERVICE,
            "serving.knative.dev/configurationGeneration": str(number),
        }
        # Alone: `look` would tell of all the others anew.
        self.seat.saw_podautoscaler(f"shop/{name}", podautoscaler(o))

    def routes(self, o: Object | None) -> None:
        self.seat.traffic.saw_route(f"shop/{SERVICE}", route(o) if o else None)

    @property
    def shares(self) -> list[float]:
        """In the order of generations."""
        fleet = self.seat.fleet
        return [float(fleet.spec.share[fleet.row(key)]) for key in sorted(fleet.keys)]


def a_shop(generations: int = 2) -> Shop:
    shop = Shop(ClusterConfig(mode=Mode.OUTWARD))
    for number in range(1, generations + 1):
        shop.has_generation(number)
    return shop


# --- what a Route says ----------------------------------------------------------------------------


def test_entries_of_one_revision_add_up() -> None:
    o = a_route(to("cart-00001", 60), to("cart-00001", 10, tag="old"), to("cart-00002", 30))
    assert route(o).shares == pytest.approx({"cart-00001": 0.7, "cart-00002": 0.3})


@pytest.mark.parametrize("percent", [-1, 101, "half", 33.3])
def test_a_percent_that_cannot_be_is_refused_by_value_and_what_is_allowed(percent: Any) -> None:
    with pytest.raises(ValueError, match=r"percent is .*; allowed: whole numbers from 0 to 100"):
        route(a_route(to("cart-00001", percent)))


def test_a_route_belongs_to_its_service_or_stands_alone() -> None:
    o = a_route()
    o["metadata"]["name"] = "another"
    assert route(o).service == "shop/cart"
    del o["metadata"]["labels"]
    assert route(o).service == "shop/another"


def test_a_route_that_is_bare_says_nothing() -> None:
    bare = route({"metadata": {"namespace": "shop", "name": "cart"}})
    assert (bare.shares, bare.latest, bare.latest_is) == ({}, 0.0, "")


# --- shares ---------------------------------------------------------------------------------------


def test_without_a_route_every_revision_expects_everything() -> None:
    assert a_shop().shares == [1.0, 1.0]


def test_without_a_route_a_revision_that_none_leads_to_expects_nothing() -> None:
    shop = a_shop(1)
    shop.has_generation(2, reachability="Unreachable")
    assert shop.shares == [1.0, 0.0]


def test_a_route_that_has_no_traffic_yet_is_no_route() -> None:
    shop = a_shop()
    shop.routes(a_route())
    assert shop.shares == [1.0, 1.0]
    shop.routes(a_route(to("cart-00001", None, tag="look")))
    assert shop.shares == [1.0, 1.0]


def test_traffic_is_split_as_the_route_says_and_live() -> None:
    shop = a_shop(3)
    pinned: list[dict[str, Any]] = []
    shop.routes(a_route(to("cart-00001", 80), to("cart-00002", 20), spec=pinned))
    assert shop.shares == [0.8, 0.2, 0.0]
    shop.routes(a_route(to("cart-00001", 50), to("cart-00003", 50), spec=pinned))
    assert shop.shares == [0.5, 0.0, 0.5]
    shop.routes(None)
    assert shop.shares == [1.0, 1.0, 1.0]


def test_a_revision_that_comes_after_its_route_has_its_share() -> None:
    shop = a_shop(1)
    shop.routes(a_route(to("cart-00001", 75), to("cart-00002", 25), spec=[]))
    shop.has_generation(2)
    assert shop.shares == [0.75, 0.25]


def test_a_change_of_config_or_annotations_keeps_the_share() -> None:
    shop = a_shop()
    shop.routes(a_route(to("cart-00001", 75), to("cart-00002", 25), spec=[]))
    shop.seat.reconfigure(ClusterConfig(mode=Mode.OUTWARD, min_scale=1))
    assert shop.shares == [0.75, 0.25]
    shop.has_generation(2, containerConcurrency=7)
    assert shop.shares == [0.75, 0.25]


def test_services_do_not_mix() -> None:
    shop = a_shop()
    shop.has(a_podautoscaler("till"))
    shop.routes(a_route(to("cart-00002", 100, latest=True)))
    assert shop.shares == [0.0, 1.0, 1.0]


# --- the newest -----------------------------------------------------------------------------------


def test_the_newest_expects_what_follows_the_latest_once_it_was_ready() -> None:
    shop = a_shop(1)
    shop.routes(a_route(to("cart-00001", 100, latest=True)))
    shop.has_generation(2, initialized=False)
    assert shop.shares == [1.0, 0.0]
    sks = "shop/cart-00002"
    shop.has_revision("cart-00002", ready=1)  # its ServerlessService, and a pod
    shop.has_generation(2, initialized=False)
    shop.seat.decide()
    assert shop.seat.fleet.seen.initialized[shop.seat.fleet.row(sks)]
    assert shop.shares == [1.0, 1.0]


def test_after_the_switch_the_former_expects_nothing() -> None:
    shop = a_shop(2)
    shop.routes(a_route(to("cart-00002", 100, latest=True)))
    assert shop.shares == [0.0, 1.0]


def test_what_followed_the_latest_is_not_counted_twice() -> None:
    shop = a_shop(2)
    shop.routes(a_route(to("cart-00002", 60, latest=True), to("cart-00001", 40)))
    assert shop.shares == [0.4, 0.6]


def test_shares_hold_when_another_led_meanwhile() -> None:
    shop = a_shop(2)
    shop.routes(a_route(to("cart-00001", 75), to("cart-00002", 25), spec=[]))
    shop.seat.begin_anew()
    assert shop.shares == [0.75, 0.25]
    shop.routes(a_route(to("cart-00001", 50), to("cart-00002", 50), spec=[]))
    assert shop.shares == [0.5, 0.5]


def test_only_the_newest_of_several_inherits_and_the_next_to_come_takes_it_over() -> None:
    shop = a_shop(2)
    shop.routes(a_route(to("cart-00001", 90, latest=True), to("cart-00001", 10)))
    assert shop.shares == [1.0, 1.0]
    shop.has_generation(10)  # by number, not by name
    shop.has_generation(9)
    assert shop.shares == [1.0, 0.0, 0.0, 1.0]
    shop.seat.saw_podautoscaler("shop/cart-00010", None)
    assert shop.shares == [1.0, 0.0, 1.0]


def test_a_newest_that_has_a_part_of_its_own_gets_both() -> None:
    shop = a_shop(2)
    split = [{"latestRevision": True, "percent": 60}, to("cart-00002", 40)]
    shop.routes(a_route(to("cart-00001", 60, latest=True), to("cart-00002", 40), spec=split))
    assert shop.shares == [0.6, 1.0]


def test_where_no_traffic_follows_the_latest_the_newest_expects_nothing() -> None:
    shop = a_shop(2)
    shop.routes(a_route(to("cart-00001", 100, latest=True), spec=[to("cart-00001", 100)]))
    assert shop.shares == [1.0, 0.0]


def test_what_is_asked_for_counts_before_it_is_done() -> None:
    shop = a_shop(2)
    asked = [{"latestRevision": True, "percent": 30}, to("cart-00001", 70)]
    shop.routes(a_route(to("cart-00001", 100), spec=asked))
    assert shop.shares == [1.0, 0.3]


@pytest.mark.parametrize("text", ["", "next", "-3", "²"])
def test_a_generation_that_is_no_number_is_the_oldest(text: str) -> None:
    shop = a_shop(1)
    o = a_podautoscaler("cart-00002", status=INITIALIZED)
    labels = {SERVICE_LABEL: SERVICE, "serving.knative.dev/configurationGeneration": text}
    o["metadata"]["labels"] |= labels
    shop.has(o)
    shop.routes(a_route(to("cart-00001", 100, latest=True)))
    assert shop.shares == [1.0, 0.0]


def test_a_revision_that_changes_its_service_leaves_the_former() -> None:
    shop = a_shop(2)
    shop.routes(a_route(to("cart-00001", 100, latest=True)))
    assert shop.shares == [1.0, 1.0]
    shop.routes(a_route(to("cart-00000", 100, latest=True)))
    assert shop.shares == [0.0, 1.0]
    assert shop.seat.services == ["shop/cart", "shop/cart"]
    gone = podautoscaler(a_podautoscaler("cart-00002", status=INITIALIZED))
    shop.seat.saw_podautoscaler("shop/cart-00002", gone)
    assert shop.seat.services == ["shop/cart", "shop/cart-00002-service"]
    assert shop.shares == [1.0, 1.0]  # the newest that is left; of a service without a Route
    shop.has_generation(3)
    assert shop.shares == [0.0, 1.0, 1.0]
    assert shop.seat.services == ["shop/cart", "shop/cart-00002-service", "shop/cart"]


def test_of_revisions_that_went_nothing_is_kept() -> None:
    shop = a_shop(3)
    for key in list(shop.seat.fleet.keys):
        shop.seat.saw_podautoscaler(key, None)
    shop.routes(a_route(to("cart-00001", 100)))
    shop.routes(None)
    held = {k: v for k, v in vars(shop.seat.traffic).items() if k != "_fleet"}
    assert not any(held.values())


# --- what it is for -------------------------------------------------------------------------------


def test_a_forecast_is_shared_out_among_revisions() -> None:
    shop = Shop(ClusterConfig(mode=Mode.OUTWARD))
    for number in (1, 2, 3):
        name = f"cart-{number:05}"
        shop.has(a_pod(f"{name}-0", name))
        shop.has_revision(name)
    for number in (1, 2, 3):
        shop.has_generation(number)
    shop.routes(a_route(to("cart-00001", 75), to("cart-00002", 25), spec=[]))
    shop.seat.forecast(a_bundle(1200.0, "shop/cart"))
    assert shop.seat.decide().predicted.tolist() == [9, 3, 0]  # of 100 in flight each
    assert shop.clock.now() == NOW_S
