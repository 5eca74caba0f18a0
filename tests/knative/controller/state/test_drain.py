"""How long pods drain: measured from when they were asked to go until they are gone."""

from typing import Any

import pytest

from knative.client.api import Object
from knative.controller.state.drain import Drains
from knative.mirror.fields import kubernetes_time
from knative.mirror.objects import SERVICE_LABEL
from tests.knative.controller.world import World
from tests.knative.objects import NOW_S, a_pod, a_podautoscaler

GRACE_S = 300


@pytest.fixture
def world() -> World:
    return World()


# --- what is made of drains -----------------------------------------------------------------------


def test_before_the_first_drain_the_queue_proxy_s_wait_stands() -> None:
    assert Drains().drain_s("shop/cart") == 30.0


@pytest.mark.parametrize(
    ("seen", "drain_s"),
    [([31.0], 31.0), ([31.0, 45.0], 31.0), ([33.0, 31.0, 3000.0], 33.0), ([0.0], 0.0)],
)
def test_the_median_counts_which_one_long_drain_does_not_move(
    seen: list[float], drain_s: float
) -> None:
    drains = Drains()
    for seconds in seen:
        drains.add("shop/cart", seconds)
    assert drains.drain_s("shop/cart") == drain_s
    assert drains.drain_s("shop/till") == 30.0


def test_the_last_fifty_count() -> None:
    drains = Drains()
    for seconds in [100.0] * 50 + [2.0] * 50:
        drains.add("shop/cart", seconds)
    assert drains.drain_s("shop/cart") == 2.0


# --- what a controller learns ---------------------------------------------------------------------


def ending(name: str = "cart-0", *, ago_s: float = 0.0, **more: Any) -> Object:
    """A pod that was asked to go so many s before the story begins, as the API server shows it."""
    ends = kubernetes_time(NOW_S - ago_s + GRACE_S)
    return a_pod(name, deletionTimestamp=ends, deletionGracePeriodSeconds=GRACE_S, **more)


def drains(world: World, *, seconds: float, name: str = "cart-0", **more: Any) -> None:
    """A pod was asked to go, and is gone so many s later."""
    world.sees(ending(name, ago_s=seconds, **more))
    world.loses("Pod", f"shop/{name}")


def test_a_drain_is_measured_until_the_pod_is_gone(world: World) -> None:
    world.has_revision()
    assert world.column("spec", "drain_s") == 30.0
    world.sees(ending())
    world.clock.advance(41.5)
    world.sees(ending(ready=False))
    world.loses("Pod", "shop/cart-0")
    assert world.column("spec", "drain_s") == 41.5
    services = world.fleet.services
    assert (services.drains.tolist(), services.drains_s.tolist()) == ([1], [41.5])


def test_that_a_kubelet_asks_once_more_at_the_end_begins_no_new_drain(world: World) -> None:
    world.has_revision()
    world.sees(ending())
    world.clock.advance(31.0)
    at_once = kubernetes_time(NOW_S + 31.0)
    world.sees(a_pod("cart-0", deletionTimestamp=at_once, deletionGracePeriodSeconds=0))
    world.loses("Pod", "shop/cart-0")
    assert world.column("spec", "drain_s") == 31.0


@pytest.mark.parametrize("seconds", [-5.0, 3600.0, 1e6])
def test_a_drain_that_cannot_be_is_left_out(world: World, seconds: float) -> None:
    world.has_revision()
    drains(world, seconds=seconds)
    assert world.column("spec", "drain_s") == 30.0
    assert world.fleet.services.drains.tolist() == [0]


def test_a_pod_that_was_never_ready_tells_nothing(world: World) -> None:
    world.has_revision(ready=0, asked=1)
    drains(world, seconds=1.0, name="new", ready=False)
    assert world.column("spec", "drain_s") == 30.0


def test_a_pod_that_went_without_being_asked_tells_nothing(world: World) -> None:
    world.has_revision()
    world.loses("Pod", "shop/cart-0")
    assert world.column("spec", "drain_s") == 30.0


def test_a_drain_is_learned_of_the_service_whichever_of_its_revisions_it_was(world: World) -> None:
    world.has_revision()
    drains(world, seconds=44.0)
    other = a_podautoscaler("cart-2")
    other["metadata"]["labels"][SERVICE_LABEL] = "cart-service"
    world.sees(other)
    assert world.column("spec", "drain_s", "shop/cart-2") == 44.0


def test_a_service_that_went_is_forgotten(world: World) -> None:
    world.has_revision()
    drains(world, seconds=44.0)
    world.loses("PodAutoscaler", "shop/cart")
    world.sees(a_podautoscaler())
    assert world.column("spec", "drain_s") == 30.0
