"""Who leads decides and writes; who follows does nothing; who is unsure decides and waits."""

import pytest

from autoscaler.core.state.revision import KNATIVE_DEFAULTS
from knative.controller.state import events as seen
from knative.controller.state.controller import NOBODY_LEADS, Controller
from knative.controller.state.instructions import ForwardTo, GiveUp, Instruction, Scale
from knative.leadership.elector import Standing
from tests.knative.controller.world import KEY, OUTWARD, World, plans, writes
from tests.knative.objects import NOW_S, a_pod

TWO = "autoscaler-b_10.0.0.2"
OTHER = "shop/till"


@pytest.fixture
def world() -> World:
    return World()


def stands(world: World, standing: Standing, leader: str = "") -> list[Instruction]:
    return world.handle(seen.StandingChanged(standing=standing, leader=leader))


def test_before_anybody_is_known_to_lead_nothing_is_decided() -> None:
    world = World()
    world.controller = Controller()
    world.has_revision()
    assert world.hears(KEY, concurrency=500.0) + world.tick() == []
    assert world.handle(seen.Settled()) == []
    assert world.decided().want == -2
    assert world.controller.standing_in_words == NOBODY_LEADS


def test_who_follows_says_whom_gives_up_and_passes_frames_on(world: World) -> None:
    assert stands(world, Standing.FOLLOWING, TWO) == [GiveUp(), ForwardTo(address="10.0.0.2")]
    assert world.controller.standing_in_words == f"following {TWO}, which decides"
    assert stands(world, Standing.FOLLOWING, "host-1a2b3c4d")[-1] == ForwardTo(address="")
    assert stands(world, Standing.LEADING) == [ForwardTo(address="")]
    assert world.controller.standing_in_words == ""


def test_who_follows_measures_and_decides_nothing(world: World) -> None:
    world.has_revision()
    stands(world, Standing.FOLLOWING, TWO)
    assert world.hears(KEY, concurrency=500.0, seconds=6) + world.tick() == []
    world.sees(a_pod("cart-9"))
    assert world.handle(seen.Settled()) == []
    stands(world, Standing.LEADING)
    assert world.want() == -1
    assert world.decided().no_data


@pytest.mark.parametrize("on_the_way", [[], [Standing.UNSURE]], ids=["at once", "by way of unsure"])
def test_who_takes_over_begins_as_at_a_start(world: World, on_the_way: list[Standing]) -> None:
    world.has_revision(ready=1)
    world.hears(KEY, concurrency=500.0, seconds=6)
    assert world.want() > 1
    stands(world, Standing.FOLLOWING, TWO)
    for i in (1, 2):
        world.sees(a_pod(f"cart-{i}"))
    for standing in (*on_the_way, Standing.LEADING):
        stands(world, standing)
    assert world.column("observed", "ready") == 3
    assert world.column("memory", "max_panic_pods") == 3  # never down at once
    done = world.tick()
    assert world.decided().no_data
    assert {plan.key for plan in plans(done)} == {KEY}


def test_who_is_unsure_decides_and_writes_nothing_and_acts_anew_when_sure_again(
    world: World,
) -> None:
    world.has_revision()
    world.hears(KEY, concurrency=1.0, seconds=6)
    world.tick()
    assert stands(world, Standing.UNSURE) == [GiveUp(), ForwardTo(address="")]
    assert world.hears(KEY, concurrency=500.0, seconds=6) + world.tick(2.0) == []
    assert world.handle(seen.Settled()) == []
    assert world.decided().want > 1
    stands(world, Standing.LEADING)
    (scale, *_) = writes(world.tick())
    assert isinstance(scale, Scale)
    assert not world.decided().no_data  # it went on measuring


def test_what_was_given_up_while_unsure_is_asked_for_when_sure_again(world: World) -> None:
    """Though what is wanted is the same, and no object has changed."""
    world.has_revision()
    asked = writes(world.hears(KEY, concurrency=500.0))
    assert world.tick() == []
    stands(world, Standing.UNSURE)
    stands(world, Standing.LEADING)
    assert writes(world.tick()) == asked


def test_who_stops_leading_has_no_failures_any_more(world: World) -> None:
    world.has_revision()
    world.handle(seen.PlanFailed(key=KEY, uid="uid-of-cart", why="refused", wait_s=0.0))
    assert world.fault()
    stands(world, Standing.UNSURE)
    assert world.fault() == ""


def test_advice_of_the_former_fleet_is_read_anew_for_the_next(world: World) -> None:
    for name in ("cart", "till"):
        world.has_revision(name, annotations=OUTWARD)
    world.advised({KEY: 400.0, OTHER: 700.0})
    world.tick()
    stands(world, Standing.FOLLOWING, TWO)
    world.loses("PodAutoscaler", KEY)
    world.has_revision("cart", annotations=OUTWARD)  # as many rows as before, in another order
    stands(world, Standing.LEADING)
    world.hears(KEY, OTHER, concurrency=1.0)
    assert (world.want(KEY), world.want(OTHER)) == (4, 7)


def test_shares_and_settings_hold_when_another_led_meanwhile(world: World) -> None:
    world.configured(min_scale="2")
    world.has_revision()
    stands(world, Standing.FOLLOWING, TWO)
    stands(world, Standing.LEADING)
    assert world.column("spec", "min_scale") == 2
    assert world.column("observed", "initialized")
    assert world.column("observed", "active_since_s") == NOW_S - 1000


# --- what is made of the cluster is wrong --------------------------------------------------------


def test_a_fleet_that_is_spoiled_is_made_anew_from_what_was_observed(world: World) -> None:
    world.has_revision(ready=2, annotations=OUTWARD)
    world.advised({KEY: 400.0})
    layout = world.fleet.layout
    world.fleet.add({"shop/stray": KNATIVE_DEFAULTS}, now=NOW_S)  # of no PodAutoscaler
    with pytest.raises(KeyError):
        world.tick()
    assert world.handle(seen.BegunAnew()) == []
    assert world.fleet.keys == [KEY]
    assert world.fleet.layout > layout
    assert world.column("memory", "max_panic_pods") == 2
    assert Scale(deployment="cart-deployment", pods=4) in writes(world.tick())


# --- a crash loop ---------------------------------------------------------------------------------


def test_a_plain_controller_is_knatives_whatever_is_advised_or_annotated() -> None:
    plain, knative = World({"mode": "full"}, plain=True), World()
    plain.has_revision(annotations=OUTWARD, ready=3)
    knative.has_revision(ready=3)
    for world in (plain, knative):
        world.advised({KEY: 900.0} if world is plain else None)
        world.hears(KEY, concurrency=150.0, seconds=6)
        world.tick()
    assert repr(plain.decided()) == repr(knative.decided())
    assert "crashed again and again" in plain.fault("breaker")
    assert "breaker" not in knative.controller.health.by_part
