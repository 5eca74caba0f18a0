"""Outcomes of plans: what succeeded, what failed, what is tried again."""

import logging

import pytest

from knative.client.api import Object
from knative.controller.state import events as seen
from knative.controller.state.instructions import CreateServerlessService, PatchStatus, Plan, Scale
from knative.mirror.objects import podautoscaler
from tests.knative.controller.world import KEY, World, writes
from tests.knative.objects import a_podautoscaler, a_serverlessservice

OTHER = "shop/till"
UID, OTHER_UID = "uid-of-cart", "uid-of-till"


@pytest.fixture
def world() -> World:
    """Two revisions that need pods, and were asked for."""
    world = World()
    world.has_revision("cart")
    world.has_revision("till")
    world.receives(KEY, OTHER, concurrency=350.0)
    world.tick()
    return world


def fails(world: World, key: str = KEY, why: str = "refused", wait_s: float = 0.0) -> None:
    uid = world.controller.uid_of(key)
    world.handle(seen.PlanFailed(key=key, uid=uid, why=why, wait_s=wait_s))


def is_tried_after(world: World, key: str = KEY) -> int:
    """s until a revision is planned for again, ticks being a second apart."""
    for seconds in range(1, 100):
        if writes(world.tick(1.0), key):
            return seconds
    raise AssertionError("never")


def test_a_failed_plan_is_tried_again_with_growing_waits_until_it_succeeds(world: World) -> None:
    waits = []
    for _ in range(7):
        fails(world)
        waits.append(is_tried_after(world))
    assert waits == [1, 2, 4, 8, 16, 30, 30]
    world.handle(seen.PlanDone(key=KEY, uid=UID))
    fails(world)
    assert is_tried_after(world) == 1


def test_a_retry_after_is_respected(world: World) -> None:
    fails(world, wait_s=45.0)
    assert is_tried_after(world) == 45


def test_other_revisions_do_not_wait_for_a_failed_plan(world: World) -> None:
    fails(world, wait_s=60.0)
    world.receives(OTHER, concurrency=1000.0)
    assert isinstance(writes(world.tick(1.0), OTHER)[0], Scale)


def test_increased_demand_does_not_wait_for_a_failed_plan(world: World) -> None:
    fails(world, wait_s=60.0)
    world.clock.advance(1.0)
    world.receives(KEY, concurrency=1000.0)
    scale = writes(world.tick())[0]
    assert isinstance(scale, Scale)
    assert scale.pods > 5


def test_when_the_server_is_back_failed_plans_are_tried_at_once(world: World) -> None:
    fails(world, wait_s=60.0)
    world.handle(seen.ApiRecovered())
    assert writes(world.tick())
    assert writes(world.tick(), OTHER) == []


def test_a_failure_is_logged_once_and_shown_until_it_is_over(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="knative.controller.state.failed_plans"):
        fails(world)
        fails(world)
        fails(world, OTHER)
    assert [r.getMessage() for r in caplog.records if r.name.endswith("failed_plans")] == [
        f"plan failed; trying again revision={KEY} why=refused",
        f"plan failed; trying again revision={OTHER} why=refused",
    ]
    assert world.fault() == f"revisions not acted for: 2; {KEY}: refused"
    world.handle(seen.PlanDone(key=KEY, uid=UID))
    assert world.fault() == f"revisions not acted for: 1; {OTHER}: refused"
    world.handle(seen.PlanDone(key=OTHER, uid=OTHER_UID))
    world.handle(seen.PlanDone(key=OTHER, uid=OTHER_UID))
    assert world.fault() == ""


def test_the_last_reason_of_a_failure_is_shown_up_to_a_length(
    world: World,
) -> None:
    fails(world)
    fails(world, why="x" * 10_000)
    assert world.fault().startswith(f"revisions not acted for: 1; {KEY}: xxx")
    assert len(world.fault()) < 400


@pytest.mark.parametrize("by", ["went", "another class"])
def test_a_revision_that_is_not_ours_any_more_has_no_failed_plan(world: World, by: str) -> None:
    fails(world)
    if by == "went":
        world.loses("PodAutoscaler")
    else:
        world.sees(a_podautoscaler(kind="hpa.autoscaling.knative.dev"))
    assert world.fault() == ""


def test_the_outcome_of_a_plan_for_a_replaced_revision_is_ignored(world: World) -> None:
    made_anew = a_podautoscaler()
    made_anew["metadata"]["uid"] = "another"
    fails(world)
    world.sees(made_anew)
    world.handle(seen.PlanDone(key=KEY, uid=UID))
    assert world.fault()
    world.handle(seen.PlanDone(key=KEY, uid="another"))
    assert world.fault() == ""
    world.handle(seen.PlanFailed(key=KEY, uid=UID, why="refused", wait_s=0.0))
    world.handle(seen.PlanFailed(key="shop/gone", uid="uid-of-gone", why="refused", wait_s=0.0))
    assert world.fault() == ""


def test_a_failed_plan_is_over_when_the_cluster_is_as_asked() -> None:
    world = World()
    world.has_revision()
    world.receives(KEY, concurrency=1.0)
    world.tick()
    fails(world)
    assert world.tick(2.0) == []  # somebody else wrote it
    assert world.fault() == ""


# --- our own writes -------------------------------------------------------------------------------


def written(status: Object, *, outdates: bool = False) -> seen.StatusWritten:
    pa = podautoscaler(a_podautoscaler(status=status))
    return seen.StatusWritten(key=KEY, object=pa, outdates=outdates)


def test_a_written_status_is_known_before_the_watch_has_it() -> None:
    world = World()
    world.sees(a_podautoscaler())
    create, patch = writes(world.tick())
    assert isinstance(create, CreateServerlessService)
    assert isinstance(patch, PatchStatus)
    world.handle(written(patch.status))
    fails(world)
    assert writes(world.tick(2.0)) == [create]
    world.sees(a_podautoscaler())  # what was watched meanwhile is older, and counts until the next
    create, patch = writes(world.tick(2.0))
    assert isinstance(patch, PatchStatus)


def test_a_plan_that_waited_for_a_status_gets_the_times_of_that_status() -> None:
    world = World()
    world.sees(a_podautoscaler())
    patch = writes(world.tick())[1]
    assert isinstance(patch, PatchStatus)
    world.clock.advance(2.0)
    assert world.handle(written(patch.status)) == []  # nothing waits
    (anew,) = world.handle(written(patch.status, outdates=True))
    assert isinstance(anew, Plan)
    assert not [w for w in anew.writes if isinstance(w, PatchStatus)]  # all is said already


def test_a_status_written_for_a_replaced_podautoscaler_is_ignored() -> None:
    world = World()
    made_anew = a_podautoscaler()
    made_anew["metadata"]["uid"] = "another"
    world.sees(a_podautoscaler())
    patch = writes(world.tick())[1]
    assert isinstance(patch, PatchStatus)
    world.sees(made_anew)
    world.handle(written(patch.status))
    assert world.controller.uid_of(KEY) == "another"
    assert isinstance(writes(world.tick(2.0))[-1], PatchStatus)
    world.loses("PodAutoscaler")
    world.handle(written(patch.status))
    assert world.controller.uid_of(KEY) == ""


def test_pods_are_scraped_through_the_private_service() -> None:
    world = World()
    world.sees(a_podautoscaler())
    assert world.controller.private_service_of(KEY) == ""
    world.sees(a_serverlessservice())
    assert world.controller.private_service_of(KEY) == "cart-private"


def test_scrapes_are_counted_for_known_services(world: World) -> None:
    for key in (KEY, KEY, "shop/gone"):
        world.controller.note_scrape(key, 0.03)
    assert world.fleet.services.scrapes.sum(axis=0).tolist() == [2, 0]
    assert world.fleet.services.scrapes_s.tolist() == [0.06, 0.0]
