"""A leader decides and writes, a follower does neither, an unsure replica only decides."""

import pytest

from autoscaler.core.state.revision import KNATIVE_DEFAULTS
from knative.controller.state import events as seen
from knative.controller.state.controller import NO_LEADER, Controller
from knative.controller.state.instructions import CancelWrites, ForwardTo, Instruction, Scale
from knative.leadership.elector import Leadership
from tests.knative.controller.world import KEY, OUTWARD, World, plans, writes
from tests.knative.objects import NOW_S, a_pod

TWO = "autoscaler-b_10.0.0.2"
OTHER = "shop/till"


@pytest.fixture
def world() -> World:
    return World()


def stands(world: World, leadership: Leadership, leader: str = "") -> list[Instruction]:
    return world.handle(seen.LeadershipChanged(leadership=leadership, leader=leader))


def test_without_a_known_leader_nothing_is_decided() -> None:
    world = World()
    world.controller = Controller()
    world.has_revision()
    assert world.receives(KEY, concurrency=500.0) + world.tick() == []
    assert world.handle(seen.ObjectsChanged()) == []
    assert world.decided().want == -2
    assert world.controller.follows_whom == NO_LEADER


def test_a_follower_cancels_writes_and_forwards_frames(world: World) -> None:
    assert stands(world, Leadership.FOLLOWING, TWO) == [
        CancelWrites(),
        ForwardTo(address="10.0.0.2"),
    ]
    assert world.controller.follows_whom == f"following {TWO}, which decides"
    assert stands(world, Leadership.FOLLOWING, "host-1a2b3c4d")[-1] == ForwardTo(address="")
    assert stands(world, Leadership.LEADING) == [ForwardTo(address="")]
    assert world.controller.follows_whom == ""


def test_a_follower_measures_and_decides_nothing(world: World) -> None:
    world.has_revision()
    stands(world, Leadership.FOLLOWING, TWO)
    assert world.receives(KEY, concurrency=500.0, seconds=6) + world.tick() == []
    world.sees(a_pod("cart-9"))
    assert world.handle(seen.ObjectsChanged()) == []
    stands(world, Leadership.LEADING)
    assert world.want() == -1
    assert world.decided().no_data


@pytest.mark.parametrize(
    "on_the_way", [[], [Leadership.UNSURE]], ids=["at once", "by way of unsure"]
)
def test_a_new_leader_starts_like_a_new_process(world: World, on_the_way: list[Leadership]) -> None:
    world.has_revision(ready=1)
    world.receives(KEY, concurrency=500.0, seconds=6)
    assert world.want() > 1
    stands(world, Leadership.FOLLOWING, TWO)
    for i in (1, 2):
        world.sees(a_pod(f"cart-{i}"))
    for standing in (*on_the_way, Leadership.LEADING):
        stands(world, standing)
    assert world.column("observed", "ready") == 3
    assert world.column("memory", "max_panic_pods") == 3  # never down at once
    done = world.tick()
    assert world.decided().no_data
    assert {plan.key for plan in plans(done)} == {KEY}


def test_an_unsure_replica_decides_without_writing_and_writes_when_it_leads_again(
    world: World,
) -> None:
    world.has_revision()
    world.receives(KEY, concurrency=1.0, seconds=6)
    world.tick()
    assert stands(world, Leadership.UNSURE) == [CancelWrites(), ForwardTo(address="")]
    assert world.receives(KEY, concurrency=500.0, seconds=6) + world.tick(2.0) == []
    assert world.handle(seen.ObjectsChanged()) == []
    assert world.decided().want > 1
    stands(world, Leadership.LEADING)
    (scale, *_) = writes(world.tick())
    assert isinstance(scale, Scale)
    assert not world.decided().no_data  # it went on measuring


def test_writes_cancelled_while_unsure_are_planned_again_when_leading(world: World) -> None:
    """Though what is wanted is the same, and no object has changed."""
    world.has_revision()
    asked = writes(world.receives(KEY, concurrency=500.0))
    assert world.tick() == []
    stands(world, Leadership.UNSURE)
    stands(world, Leadership.LEADING)
    assert writes(world.tick()) == asked


def test_a_replica_that_stops_leading_has_no_failed_plans(world: World) -> None:
    world.has_revision()
    world.handle(seen.PlanFailed(key=KEY, uid="uid-of-cart", why="refused", wait_s=0.0))
    assert world.fault()
    stands(world, Leadership.UNSURE)
    assert world.fault() == ""


def test_advice_is_mapped_again_to_a_rebuilt_fleet(world: World) -> None:
    for name in ("cart", "till"):
        world.has_revision(name, annotations=OUTWARD)
    world.advised({KEY: 400.0, OTHER: 700.0})
    world.tick()
    stands(world, Leadership.FOLLOWING, TWO)
    world.loses("PodAutoscaler", KEY)
    world.has_revision("cart", annotations=OUTWARD)  # as many rows as before, in another order
    stands(world, Leadership.LEADING)
    world.receives(KEY, OTHER, concurrency=1.0)
    assert (world.want(KEY), world.want(OTHER)) == (4, 7)


def test_shares_and_settings_survive_the_leadership_of_another(world: World) -> None:
    world.configured(min_scale="2")
    world.has_revision()
    stands(world, Leadership.FOLLOWING, TWO)
    stands(world, Leadership.LEADING)
    assert world.column("spec", "min_scale") == 2
    assert world.column("observed", "initialized")
    assert world.column("observed", "active_since_s") == NOW_S - 1000


# --- what is made of the cluster is wrong --------------------------------------------------------


def test_a_corrupt_fleet_is_rebuilt_from_the_objects(world: World) -> None:
    world.has_revision(ready=2, annotations=OUTWARD)
    world.advised({KEY: 400.0})
    layout = world.fleet.layout
    world.fleet.add({"shop/stray": KNATIVE_DEFAULTS}, now=NOW_S)  # of no PodAutoscaler
    with pytest.raises(KeyError):
        world.tick()
    assert world.handle(seen.TicksFailed()) == []
    assert world.fleet.keys == [KEY]
    assert world.fleet.layout > layout
    assert world.column("memory", "max_panic_pods") == 2
    assert Scale(deployment="cart-deployment", pods=4) in writes(world.tick())


# --- a crash loop ---------------------------------------------------------------------------------


def test_a_plain_controller_ignores_advice_and_annotations() -> None:
    plain, knative = World({"mode": "full"}, plain=True), World()
    plain.has_revision(annotations=OUTWARD, ready=3)
    knative.has_revision(ready=3)
    for world in (plain, knative):
        world.advised({KEY: 900.0} if world is plain else None)
        world.receives(KEY, concurrency=150.0, seconds=6)
        world.tick()
    assert repr(plain.decided()) == repr(knative.decided())
    assert "crashed again and again" in plain.fault("breaker")
    assert "breaker" not in knative.controller.health.by_part
