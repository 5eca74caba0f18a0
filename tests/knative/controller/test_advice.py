"""How advice changes decisions: by mode, and only of the revisions that it names."""

import math

import pytest

from autoscaler.core.prediction.promise import START_S
from autoscaler.core.state.revision import Mode
from knative.controller.state.instructions import Scale
from tests.knative.controller.world import KEY, OUTWARD, World, an_advice, writes


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize(
    ("mode", "demand", "pods"),
    [
        ("off", 400.0, 1),
        ("shadow", 400.0, 1),
        ("outward", 400.0, 4),
        ("outward", 1.0, 1),
        ("full", 400.0, 4),
    ],
)
def test_a_forecast_adds_pods_where_the_mode_allows_it(
    world: World, mode: str, demand: float, pods: int
) -> None:
    world.has_revision(annotations={"kn-ahead.dev/mode": mode})
    world.receives(KEY, concurrency=1.0)
    assert world.tick() == []
    world.advised({KEY: demand})
    scaled = [write for write in writes(world.tick()) if isinstance(write, Scale)]
    assert scaled == [Scale(deployment="cart-deployment", pods=pods)] * (pods > 1)


@pytest.mark.parametrize("mode", [Mode.OFF, Mode.SHADOW, Mode.OUTWARD])
@pytest.mark.parametrize("concurrency", [0.0, 1.0, 150.0, 900.0])
def test_a_forecast_of_no_demand_removes_no_pod(mode: Mode, concurrency: float) -> None:
    alone, advised = World({"mode": mode.name.lower()}), World({"mode": mode.name.lower()})
    for world in (alone, advised):
        world.has_revision(ready=3)
        world.receives(KEY, concurrency=concurrency, seconds=5)
    advised.advised({KEY: 0.0})
    assert advised.want() == alone.want()


def test_a_forecast_starts_pods_of_a_revision_at_zero(world: World) -> None:
    world.has_revision(active="False", ready=0, annotations=OUTWARD)
    world.advised({KEY: 50.0})
    assert writes(world.tick())[0] == Scale(deployment="cart-deployment", pods=1)


def test_without_advice_the_rule_alone_holds_again(world: World) -> None:
    world.has_revision(annotations=OUTWARD)
    world.receives(KEY, concurrency=1.0)
    world.advised({KEY: 400.0})
    assert world.want() == 4
    world.advised(None)
    assert world.want() == 1


def test_advice_follows_its_revisions_to_any_row(
    world: World,
) -> None:
    world.advised({KEY: 400.0, "shop/shelf": 700.0})
    for name in ("till", "cart", "shelf"):
        world.has_revision(name, annotations=OUTWARD)
    world.receives("shop/cart", "shop/till", "shop/shelf", concurrency=1.0)
    assert [world.want(f"shop/{name}") for name in ("cart", "till", "shelf")] == [4, 1, 7]
    world.loses("PodAutoscaler", "shop/till")  # the last row takes its place
    assert [world.want(f"shop/{name}") for name in ("cart", "shelf")] == [4, 7]


def test_a_first_request_of_a_revision_whose_row_moved_is_decided_by_its_own_advice(
    world: World,
) -> None:
    for name in ("till", "cart"):
        world.has_revision(name, active="False", ready=0, annotations=OUTWARD)
        world.receives(f"shop/{name}", concurrency=0.0)
    world.tick()
    world.advised({KEY: 400.0})
    world.loses("PodAutoscaler", "shop/till")
    assert writes(world.receives(KEY, concurrency=1.0))[0] == Scale(
        deployment="cart-deployment", pods=4
    )


def test_a_promised_price_is_in_force_only_where_something_is_promised(world: World) -> None:
    promising = world.has_revision("cart", annotations={"kn-ahead.dev/max-cold-rate": "1%"})
    other = world.has_revision("till", annotations={"kn-ahead.dev/cold-price": "2m"})
    fleet = world.controller.fleet

    def prices() -> list[float]:
        return [float(fleet.spec.cold_price_s[fleet.row(key)]) for key in (promising, other)]

    assert prices() == [START_S, 120.0]
    told = {promising: 5000.0, other: 5000.0}
    world.advised(dict.fromkeys(told, 1.0), prices_s=told)
    assert prices() == [5000.0, 120.0]
    world.configured(kn_ahead_mode="full")  # settings are read anew
    assert prices() == [5000.0, 120.0]


@pytest.mark.parametrize("price_s", [0.0, -1.0, 1e9, math.inf])
def test_a_price_that_is_none_is_refused_with_its_revision(world: World, price_s: float) -> None:
    key = world.has_revision("cart", annotations={"kn-ahead.dev/max-cold-rate": "1%"})
    fleet = world.controller.fleet
    world.advised({key: 1.0}, prices_s={key: price_s})
    assert fleet.spec.cold_price_s[fleet.row(key)] == START_S
    assert an_advice({key: 1.0}, prices_s={key: price_s}).refused == 1
