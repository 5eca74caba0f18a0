"""Decisions for revisions, and the conditions that follow."""

from dataclasses import replace

import pytest

from autoscaler.core.state.revision import Active
from knative.controller.state import events as seen
from knative.controller.state.carried import Carried
from knative.controller.state.instructions import (
    AskActivator,
    Instruction,
    PatchStatus,
    Plan,
    Scale,
)
from tests.knative.controller.world import KEY, World, plans, writes
from tests.knative.objects import (
    NOW_S,
    a_deployment,
    a_pod,
    a_podautoscaler,
    a_serverlessservice,
)


@pytest.fixture
def world() -> World:
    return World()


def status(done: list[Instruction], key: str = KEY) -> dict[str, object]:
    """The status that is to be written for a revision."""
    (patch,) = (write for write in writes(done, key) if isinstance(write, PatchStatus))
    return patch.status


# --- the reactive rule ----------------------------------------------------------------------------


def test_a_revision_with_more_than_one_pod_starts_in_panic_and_keeps_them(world: World) -> None:
    world.has_revision(ready=5)
    world.receives(KEY, concurrency=1.0, seconds=5)
    assert world.want() == 5
    for _ in range(29):
        world.clock.advance(2.0)
        world.receives(KEY, concurrency=1.0)
        assert world.want() == 5
    world.clock.advance(4.0)
    world.receives(KEY, concurrency=1.0)
    assert world.want() == 2


def test_no_data_after_a_restart_is_no_decision(world: World) -> None:
    world.has_revision(ready=3)
    done = world.tick()
    assert world.decided().want == -1
    assert not any(isinstance(write, Scale) for write in writes(done))
    assert status(done)["desiredScale"] == 1  # as it stood


def test_deciding_for_nobody_is_no_error(world: World) -> None:
    assert world.tick() == []


def test_nothing_new_is_nothing_to_do(world: World) -> None:
    world.has_revision()
    world.receives(KEY, concurrency=1.0)
    assert world.tick() == []  # all is as it should be
    world.sees(a_serverlessservice(ready=False))
    assert status(world.tick())
    assert world.tick() == []


def test_what_was_asked_is_kept_while_rows_come_and_go(world: World) -> None:
    world.has_revision("cart")
    world.has_revision("till", ready=3)
    world.receives("shop/cart", "shop/till", concurrency=1.0)
    world.tick()
    world.loses("PodAutoscaler")
    assert world.tick() == []
    assert world.column("requested", "want", "shop/till") == 3


# --- the ServerlessService comes first ------------------------------------------------------------


@pytest.mark.parametrize("owner", ["", "somebody-else"])
def test_nothing_is_decided_until_the_serverlessservice_is_ours_and_set_up(
    world: World, owner: str
) -> None:
    if owner:
        world.sees(a_serverlessservice(owner=owner))
    world.sees(a_pod(), a_deployment(), a_podautoscaler())
    done = world.receives(KEY, concurrency=500.0, seconds=10) + world.tick()
    decided = world.decided()
    assert (decided.want, decided.scale, decided.probe) == (-1, False, False)
    assert not any(isinstance(write, Scale) for write in writes(done))


# --- conditions -----------------------------------------------------------------------------------


def test_active_follows_the_pods(world: World) -> None:
    world.has_revision(active="False", ready=0)
    world.receives(KEY, concurrency=1.0)
    assert world.want() == 1
    assert world.active() is Active.UNKNOWN
    world.sees(a_pod())
    world.tick()
    assert world.active() is Active.TRUE


def test_a_new_revision_is_never_inactive_before_it_was_ready_once(world: World) -> None:
    world.sees(a_serverlessservice(), a_deployment(), a_podautoscaler())
    for _ in range(300):
        world.clock.advance(2.0)
        assert world.want() == -1
        assert world.active() is Active.UNKNOWN
    world.clock.advance(31.0)
    assert world.want() == 0  # given up after 630 s
    assert world.active() is Active.FALSE


def test_a_new_revision_that_starts_at_zero_is_initialized_and_inactive_at_once() -> None:
    world = World({"allow_zero_initial_scale": "true"})
    annotations = {"autoscaling.knative.dev/initial-scale": "0"}
    world.sees(
        a_serverlessservice(), a_deployment(pods=0), a_podautoscaler(annotations=annotations)
    )
    world.tick()
    assert world.column("observed", "initialized")
    assert world.active() is Active.FALSE


def test_a_new_revision_is_initialized_when_all_its_first_pods_are_ready(world: World) -> None:
    annotations = {"autoscaling.knative.dev/initial-scale": "2"}
    world.sees(
        a_serverlessservice(), a_deployment(pods=2), a_podautoscaler(annotations=annotations)
    )
    world.sees(a_pod("cart-1"))
    assert world.want() == 2
    assert not world.column("observed", "initialized")
    world.sees(a_pod("cart-2"))
    world.tick()
    assert world.column("observed", "initialized")
    assert world.active() is Active.TRUE


def test_initialized_stays_when_the_pods_go(world: World) -> None:
    world.has_revision()
    world.loses("Pod", "shop/cart-0")
    world.tick()
    assert world.column("observed", "initialized")


# --- the last pod ---------------------------------------------------------------------------------


def test_the_activators_word_is_good_while_the_revision_is_inactive(world: World) -> None:
    world.has_revision(active="False")
    world.receives(KEY, concurrency=0.0)
    assert AskActivator(key=KEY, host="cart.shop") in world.tick()
    assert world.tick() == []
    world.handle(seen.ActivatorAnswered(key=KEY))
    assert writes(world.tick())[0] == Scale(deployment="cart-deployment", pods=0)
    world.receives(KEY, concurrency=900.0)
    world.tick()
    assert not world.column("observed", "probe_passed")


def test_the_answer_for_a_revision_that_went_is_nobodys(world: World) -> None:
    world.has_revision("till", active="False")
    world.handle(seen.ActivatorAnswered(key=KEY))
    world.handle(seen.ActivatorUnreachable(key=KEY))
    assert not world.column("observed", "probe_passed", "shop/till")


def test_an_activator_that_did_not_answer_is_asked_again_while_that_is_of_use(
    world: World,
) -> None:
    asks = AskActivator(key=KEY, host="cart.shop")
    world.has_revision(active="False")
    world.receives(KEY, concurrency=0.0)
    assert asks in world.tick()
    for _ in range(3):
        assert asks not in world.tick(2.0)
        world.handle(seen.ActivatorUnreachable(key=KEY))
        assert asks in world.tick(2.0)
    world.receives(KEY, concurrency=900.0)
    world.tick()
    world.handle(seen.ActivatorUnreachable(key=KEY))
    assert asks not in world.tick()


# --- between ticks --------------------------------------------------------------------------------


def test_a_pod_that_is_ready_shows_before_the_next_tick_and_nothing_is_decided(
    world: World,
) -> None:
    world.has_revision(active="Unknown", ready=0, asked=1)
    world.receives(KEY, concurrency=1.0)
    world.tick()
    assert world.handle(seen.ObjectsChanged()) == []
    decided = repr(world.decided())
    world.clock.advance(0.7)
    world.sees(a_pod("cart-9"))
    said = status(world.handle(seen.ObjectsChanged()))
    assert said["actualScale"] == 1
    assert world.active() is Active.TRUE
    assert repr(world.decided()) == decided
    assert world.handle(seen.ObjectsChanged()) == []


def test_what_is_new_is_decided_between_ticks(world: World) -> None:
    world.sees(a_deployment("new"), a_podautoscaler("new"))
    (plan,) = plans(world.handle(seen.ObjectsChanged()))
    assert (plan.key, world.decided("shop/new").at_s) == ("shop/new", NOW_S)


def test_what_gets_its_service_or_a_pod_waits_for_the_tick(world: World) -> None:
    """Of the first pods that are ready too little is known to decide by."""
    world.sees(a_deployment("new", 4), a_podautoscaler("new"))
    world.tick()
    world.clock.advance(1.0)
    world.sees(a_serverlessservice("new"), a_pod("new-1", "new"))
    world.receives("shop/new", concurrency=50.0, by_activator=False)
    done = world.handle(seen.ObjectsChanged())
    assert (world.decided("shop/new").at_s, world.decided("shop/new").want) == (NOW_S, -1)
    assert status(done, "shop/new")["actualScale"] == 1
    assert all(isinstance(instruction, Plan) for instruction in done)


def test_the_clusters_bill_is_followed_and_outlives_a_rebuilt_fleet(world: World) -> None:
    world.configured(kn_ahead_cluster_max_extra="20%", kn_ahead_cluster_extra_allowance="2h")
    bill = world.controller.fleet.cluster_credit
    assert (bill.max_extra, bill.allowance_s, bill.left_s) == (0.2, 7200.0, 7200.0)
    spent = world.controller.fleet.cluster_credit = replace(bill, left_s=100.0)
    world.controller.revisions.rebuild(NOW_S)
    assert world.controller.fleet.cluster_credit == spent


def test_the_clusters_bill_goes_on_after_a_restart_once_it_is_known(world: World) -> None:
    world.controller.revisions.resume(Carried(cluster_s=-40.0))
    world.configured(min_scale="1")  # of which no bill is known yet
    world.configured(kn_ahead_cluster_max_extra="20%")
    assert world.controller.fleet.cluster_credit.left_s == -40.0
    world.configured(min_scale="1")
    world.configured(kn_ahead_cluster_max_extra="20%")
    assert world.controller.fleet.cluster_credit.left_s == 3600.0
