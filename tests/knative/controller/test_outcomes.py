"""What becomes of instructions: what was written, what failed, what is tried again."""

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
    world.hears(KEY, OTHER, concurrency=350.0)
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


def test_what_failed_is_tried_again_later_and_later_until_it_goes_well(world: World) -> None:
    waits = []
    for _ in range(7):
        fails(world)
        waits.append(is_tried_after(world))
    assert waits == [1, 2, 4, 8, 16, 30, 30]
    world.handle(seen.PlanDone(key=KEY, uid=UID))
    fails(world)
    assert is_tried_after(world) == 1


def test_a_server_that_asks_for_more_time_gets_it(world: World) -> None:
    fails(world, wait_s=45.0)
    assert is_tried_after(world) == 45


def test_others_do_not_wait_for_what_failed(world: World) -> None:
    fails(world, wait_s=60.0)
    world.hears(OTHER, concurrency=1000.0)
    assert isinstance(writes(world.tick(1.0), OTHER)[0], Scale)


def test_demand_that_grew_does_not_wait_for_what_failed(world: World) -> None:
    fails(world, wait_s=60.0)
    world.clock.advance(1.0)
    world.hears(KEY, concurrency=1000.0)
    scale = writes(world.tick())[0]
    assert isinstance(scale, Scale)
    assert scale.pods > 5


def test_when_the_server_is_back_what_failed_is_tried_at_once(world: World) -> None:
    fails(world, wait_s=60.0)
    world.handle(seen.Recovered())
    assert writes(world.tick())
    assert writes(world.tick(), OTHER) == []


def test_a_failure_is_said_once_and_shown_until_it_is_over(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="knative.controller.state.failing"):
        fails(world)
        fails(world)
        fails(world, OTHER)
    assert [r.getMessage() for r in caplog.records if r.name.endswith("failing")] == [
        f"{KEY}: refused; trying again",
        f"{OTHER}: refused; trying again",
    ]
    assert world.fault() == f"revisions not acted for: 2; {KEY}: refused"
    world.handle(seen.PlanDone(key=KEY, uid=UID))
    assert world.fault() == f"revisions not acted for: 1; {OTHER}: refused"
    world.handle(seen.PlanDone(key=OTHER, uid=OTHER_UID))
    world.handle(seen.PlanDone(key=OTHER, uid=OTHER_UID))
    assert world.fault() == ""


def test_why_something_failed_is_shown_in_its_last_words_and_not_at_any_length(
    world: World,
) -> None:
    fails(world)
    fails(world, why="x" * 10_000)
    assert world.fault().startswith(f"revisions not acted for: 1; {KEY}: xxx")
    assert len(world.fault()) < 400


@pytest.mark.parametrize("by", ["went", "another class"])
def test_a_revision_that_is_no_longer_ours_fails_no_longer(world: World, by: str) -> None:
    fails(world)
    if by == "went":
        world.loses("PodAutoscaler")
    else:
        world.sees(a_podautoscaler(kind="hpa.autoscaling.knative.dev"))
    assert world.fault() == ""


def test_what_became_of_the_plan_for_a_former_revision_concerns_nobody(world: World) -> None:
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


def test_what_failed_and_is_as_it_should_be_by_now_fails_no_longer() -> None:
    world = World()
    world.has_revision()
    world.hears(KEY, concurrency=1.0)
    world.tick()
    fails(world)
    assert world.tick(2.0) == []  # somebody else wrote it
    assert world.fault() == ""


# --- our own writes -------------------------------------------------------------------------------


def written(status: Object, *, outdates: bool = False) -> seen.StatusWritten:
    pa = podautoscaler(a_podautoscaler(status=status))
    return seen.StatusWritten(key=KEY, object=pa, outdates=outdates)


def test_a_status_that_was_written_is_known_before_the_watch_tells_it() -> None:
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


def test_a_plan_that_waited_for_a_status_is_made_anew_with_the_times_of_that_status() -> None:
    world = World()
    world.sees(a_podautoscaler())
    patch = writes(world.tick())[1]
    assert isinstance(patch, PatchStatus)
    world.clock.advance(2.0)
    assert world.handle(written(patch.status)) == []  # nothing waits
    (anew,) = world.handle(written(patch.status, outdates=True))
    assert isinstance(anew, Plan)
    assert not [w for w in anew.writes if isinstance(w, PatchStatus)]  # all is said already


def test_a_status_that_was_written_for_another_is_not_taken_for_ours() -> None:
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


def test_the_private_service_is_whom_pods_are_asked_through() -> None:
    world = World()
    world.sees(a_podautoscaler())
    assert world.controller.private_service_of(KEY) == ""
    world.sees(a_serverlessservice())
    assert world.controller.private_service_of(KEY) == "cart-private"


def test_scrapes_are_counted_of_services_that_are_there(world: World) -> None:
    for key in (KEY, KEY, "shop/gone"):
        world.controller.note_scrape(key, 0.03)
    assert world.fleet.services.scrapes.sum(axis=0).tolist() == [2, 0]
    assert world.fleet.services.scrapes_s.tolist() == [0.06, 0.0]
