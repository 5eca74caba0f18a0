"""Which part of a service's traffic each of its revisions has to be ready for."""

from typing import Any

import pytest

from knative.client.api import Object
from knative.controller.state import events as seen
from knative.controller.state.traffic import Traffic
from knative.leadership.elector import Leadership
from knative.mirror.objects import SERVICE_LABEL, podautoscaler
from knative.mirror.routes import route
from tests.knative.controller.world import World
from tests.knative.objects import (
    a_pod,
    a_podautoscaler,
    a_route,
    a_serverlessservice,
    an_old_status,
    to,
)

SERVICE = "cart"
INITIALIZED = an_old_status()


class Shop(World):
    """Revisions of one service, by generation."""

    def __init__(self, generations: int = 0) -> None:
        super().__init__({"mode": "outward"})
        for number in range(1, generations + 1):
            self.has_generation(number)

    def has_generation(self, number: int, *, initialized: bool = True, **spec: Any) -> None:
        name = f"cart-{number:05}"
        o = a_podautoscaler(name, status=INITIALIZED if initialized else {}, **spec)
        o["metadata"]["labels"] |= {
            SERVICE_LABEL: SERVICE,
            "serving.knative.dev/configurationGeneration": str(number),
        }
        self.sees(o)

    def routes(self, o: Object | None) -> None:
        if o:
            self.sees(o)
        else:
            self.loses("Route", f"shop/{SERVICE}")

    @property
    def shares(self) -> list[float]:
        """In the order of generations."""
        return [self.column("spec", "share", key) for key in sorted(self.fleet.keys)]

    @property
    def services(self) -> list[str]:
        """Of each revision, in the order of generations."""
        rows = [self.fleet.row(key) for key in sorted(self.fleet.keys)]
        return [self.fleet.services.keys[int(self.fleet.service[row])] for row in rows]


# --- shares ---------------------------------------------------------------------------------------

ONE, TWO = "cart-00001", "cart-00002"
SPLIT = a_route(to(ONE, 75), to(TWO, 25), spec=[])


def test_without_a_route_every_revision_expects_everything_but_where_none_leads_to() -> None:
    shop = Shop(2)
    assert shop.shares == [1.0, 1.0]
    shop.has_generation(3, reachability="Unreachable")
    assert shop.shares == [1.0, 1.0, 0.0]


@pytest.mark.parametrize(
    ("said", "shares"),
    [
        (a_route(), [1.0, 1.0]),
        (a_route(to(ONE, None, tag="look")), [1.0, 1.0]),
        (a_route(to(ONE, 100, latest=True), spec=[to(ONE, 100)]), [1.0, 0.0]),
        (a_route(to(ONE, 90, latest=True), to(ONE, 10)), [1.0, 1.0]),
        (a_route(to(TWO, 100, latest=True)), [0.0, 1.0]),
        (a_route(to(TWO, 60, latest=True), to(ONE, 40)), [0.4, 0.6]),
        (
            a_route(
                to(ONE, 60, latest=True),
                to(TWO, 40),
                spec=[{"latestRevision": True, "percent": 60}, to(TWO, 40)],
            ),
            [0.6, 1.0],
        ),
        (
            a_route(
                to(ONE, 100),
                spec=[{"latestRevision": True, "percent": 30}, to(ONE, 70)],
            ),
            [1.0, 0.3],
        ),
    ],
    ids=[
        "a Route without traffic yet is none",
        "nor is one that has a tag only",
        "the newest expects nothing where no traffic follows the latest",
        "the newest expects what follows the latest",
        "after the switch the former expects nothing",
        "what followed the latest is not counted twice",
        "a newest with a part of its own gets both",
        "what is asked for counts before it is done",
    ],
)
def test_of_two_revisions_that_were_ready(said: Object, shares: list[float]) -> None:
    shop = Shop(2)
    shop.routes(said)
    assert shop.shares == shares


def test_traffic_is_split_as_the_route_says_and_live() -> None:
    shop = Shop(3)
    shop.routes(a_route(to(ONE, 80), to(TWO, 20), spec=[]))
    assert shop.shares == [0.8, 0.2, 0.0]
    shop.routes(a_route(to(ONE, 50), to("cart-00003", 50), spec=[]))
    assert shop.shares == [0.5, 0.0, 0.5]
    shop.routes(None)
    assert shop.shares == [1.0, 1.0, 1.0]


def test_a_revision_that_comes_after_its_route_has_its_share() -> None:
    shop = Shop(1)
    shop.routes(SPLIT)
    shop.has_generation(2)
    assert shop.shares == [0.75, 0.25]


def test_shares_stay_whatever_else_changes() -> None:
    shop = Shop(2)
    shop.routes(SPLIT)
    shop.configured(mode="outward", min_scale="1")
    assert shop.shares == [0.75, 0.25]
    shop.has_generation(2, containerConcurrency=7)
    assert shop.shares == [0.75, 0.25]
    for standing in (Leadership.FOLLOWING, Leadership.LEADING):
        shop.handle(seen.LeadershipChanged(leadership=standing, leader=""))
    assert shop.shares == [0.75, 0.25]
    shop.routes(a_route(to(ONE, 50), to(TWO, 50), spec=[]))
    assert shop.shares == [0.5, 0.5]


def test_services_do_not_mix() -> None:
    shop = Shop(2)
    shop.sees(a_podautoscaler("till"))
    shop.routes(a_route(to(TWO, 100, latest=True)))
    assert shop.shares == [0.0, 1.0, 1.0]


# --- the newest -----------------------------------------------------------------------------------


def test_the_newest_expects_what_follows_the_latest_once_it_was_ready() -> None:
    shop = Shop(1)
    shop.routes(a_route(to(ONE, 100, latest=True)))
    shop.has_generation(2, initialized=False)
    assert shop.shares == [1.0, 0.0]
    shop.sees(a_serverlessservice(TWO), a_pod(f"{TWO}-0", TWO))
    assert shop.shares == [1.0, 0.0]
    shop.handle(seen.ObjectsChanged())
    assert shop.column("observed", "initialized", f"shop/{TWO}")
    assert shop.shares == [1.0, 1.0]


def test_only_the_newest_of_several_inherits_and_the_next_to_come_takes_it_over() -> None:
    shop = Shop(2)
    shop.routes(a_route(to(ONE, 90, latest=True), to(ONE, 10)))
    shop.has_generation(10)  # by number, not by name
    shop.has_generation(9)
    assert shop.shares == [1.0, 0.0, 0.0, 1.0]
    shop.loses("PodAutoscaler", "shop/cart-00010")
    assert shop.shares == [1.0, 0.0, 1.0]


@pytest.mark.parametrize("text", ["", "next", "-3", "²"])
def test_a_generation_that_is_no_number_is_the_oldest(text: str) -> None:
    shop = Shop(1)
    o = a_podautoscaler(TWO, status=INITIALIZED)
    labels = {SERVICE_LABEL: SERVICE, "serving.knative.dev/configurationGeneration": text}
    o["metadata"]["labels"] |= labels
    shop.sees(o)
    shop.routes(a_route(to(ONE, 100, latest=True)))
    assert shop.shares == [1.0, 0.0]


def test_a_revision_that_changes_its_service_leaves_the_former() -> None:
    shop = Shop(2)
    shop.routes(a_route(to("cart-00000", 100, latest=True)))
    assert (shop.shares, shop.services) == ([0.0, 1.0], ["shop/cart", "shop/cart"])
    shop.sees(a_podautoscaler(TWO, status=INITIALIZED))
    assert shop.services == ["shop/cart", "shop/cart-00002-service"]
    assert shop.shares == [1.0, 1.0]  # the newest that is left; of a service without a Route
    shop.has_generation(3)
    assert shop.shares == [0.0, 1.0, 1.0]
    assert shop.services == ["shop/cart", "shop/cart-00002-service", "shop/cart"]


def test_of_revisions_that_went_nothing_is_kept() -> None:
    traffic = Traffic()
    pas = [podautoscaler(a_podautoscaler(f"cart-{i}")) for i in range(3)]
    for pa in pas:
        traffic.saw_revision(f"shop/{pa.name}", pa)
        traffic.saw_route(pa.service, route(a_route(to(pa.name, 100))))
    for pa in pas:
        traffic.forget(f"shop/{pa.name}")
        traffic.saw_route(pa.service, None)
    assert not any(vars(traffic).values())


# --- what it is for -------------------------------------------------------------------------------


def test_a_forecast_is_shared_out_among_revisions() -> None:
    shop = Shop(3)
    shop.routes(SPLIT)
    shop.advised(dict.fromkeys(shop.fleet.keys, 1200.0))
    shop.tick()
    predicted = [shop.decided(key).predicted for key in sorted(shop.fleet.keys)]
    assert predicted == [9, 3, 0]  # of 100 in flight each
