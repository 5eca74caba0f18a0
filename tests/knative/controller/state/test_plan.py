"""From a revision's objects and what is asked for it to what has to be written, in which order."""

from dataclasses import replace
from typing import Any

import pytest

from autoscaler.core.state.revision import Requested
from knative.client.api import Object
from knative.controller.state import events as seen
from knative.controller.state.instructions import (
    CreateServerlessService,
    PatchServerlessService,
    PatchStatus,
    Plan,
    Scale,
)
from knative.controller.state.plan import RevisionObjects, plan_of
from knative.mirror.objects import deployment, podautoscaler, serverlessservice
from tests.knative.controller.state.test_status import AT_WORK
from tests.knative.controller.world import KEY, World, plans, writes
from tests.knative.objects import (
    NOW_S,
    a_deployment,
    a_podautoscaler,
    a_serverlessservice,
    an_old_status,
)

WANTED = replace(AT_WORK, want=5, scale=True, activators=4)


def plan(
    asked: Requested[float, int, bool] = WANTED,
    *,
    pa: Object | None = None,
    sks: Object | None = None,
    target: Object | None = None,
) -> Plan:
    """What has to be written; each object as it is in a cluster, where it is not given."""
    objects = RevisionObjects(
        podautoscaler=podautoscaler(pa or a_podautoscaler(status=an_old_status())),
        serverlessservice=serverlessservice(sks or a_serverlessservice()),
        deployment=deployment(target or a_deployment()),
    )
    return plan_of(objects, asked, NOW_S)


def kinds(made: Plan) -> list[type]:
    return [type(write) for write in made.writes]


# --- order ----------------------------------------------------------------------------------------


def test_where_all_is_as_asked_nothing_is_written() -> None:
    made = plan(replace(AT_WORK, activators=4))
    assert (made.key, made.uid, made.writes, made.problem) == (KEY, "uid-of-cart", (), "")


def test_first_the_serverlessservice_is_made_and_said_and_nothing_else() -> None:
    objects = RevisionObjects(
        podautoscaler=podautoscaler(a_podautoscaler()),
        serverlessservice=None,
        deployment=deployment(a_deployment()),
    )
    made = plan_of(objects, WANTED, NOW_S)
    assert kinds(made) == [CreateServerlessService, PatchStatus]
    create = made.writes[0]
    assert isinstance(create, CreateServerlessService)
    assert (create.spec.mode, create.spec.activators) == ("Proxy", 2)
    assert create.spec.target == objects.podautoscaler.target


def test_until_it_is_set_up_only_the_status_is_written() -> None:
    sks = a_serverlessservice()
    del sks["status"]
    assert kinds(plan(sks=sks)) == [PatchStatus]


def test_once_it_is_set_up_scale_comes_before_mode_before_status() -> None:
    made = plan(sks=a_serverlessservice(mode="Serve"))
    assert kinds(made) == [Scale, PatchServerlessService, PatchStatus]
    assert made.writes[0] == Scale(deployment="cart-deployment", pods=5)
    change = made.writes[1]
    assert isinstance(change, PatchServerlessService)
    assert (change.spec.mode, change.spec.activators) == ("Proxy", 4)


def test_the_activator_leaves_the_path_where_there_is_room() -> None:
    (change, *_) = plan(replace(AT_WORK, proxy=False, activators=4)).writes
    assert isinstance(change, PatchServerlessService)
    assert change.spec.mode == "Serve"


@pytest.mark.parametrize(
    "asked",
    [
        replace(WANTED, scale=False),
        replace(WANTED, want=-1),
        replace(WANTED, want=1),  # as many as there are
    ],
    ids=["not to be applied", "no decision", "as it is"],
)
def test_pods_are_written_only_where_they_are_wanted_and_others(
    asked: Requested[float, int, bool],
) -> None:
    assert Scale not in kinds(plan(asked))


def test_without_its_deployment_a_revision_is_told_of_and_not_scaled() -> None:
    objects = RevisionObjects(
        podautoscaler=podautoscaler(a_podautoscaler(status=an_old_status())),
        serverlessservice=serverlessservice(a_serverlessservice()),
        deployment=None,
    )
    made = plan_of(objects, WANTED, NOW_S)
    (told,) = made.writes
    assert isinstance(told, PatchStatus)
    assert (told.status["desiredScale"], made.problem) == (5, "")


# --- what must not be scaled ----------------------------------------------------------------------


def refers_to(**target: Any) -> Object:
    """A PodAutoscaler with another scale target."""
    pa = a_podautoscaler(status=an_old_status())
    pa["spec"]["scaleTargetRef"] |= target
    return pa


def unlabelled() -> Object:
    o = a_deployment()
    del o["metadata"]["labels"]
    return o


REFUSED: dict[str, dict[str, Any]] = {
    "another kind": {"pa": refers_to(kind="StatefulSet")},
    "another group": {"pa": refers_to(apiVersion="extensions/v1beta1")},
    "no group": {"pa": refers_to(apiVersion="v1")},
    "no name": {"pa": refers_to(name="")},
    "of another revision": {"target": a_deployment(revision="till")},
    "of no revision": {"target": unlabelled()},
}


@pytest.mark.parametrize("objects", REFUSED.values(), ids=REFUSED.keys())
def test_what_is_not_knatives_own_deployment_of_the_revision_is_never_scaled(
    objects: dict[str, Any],
) -> None:
    made = plan(**objects)
    assert Scale not in kinds(made)
    assert "allowed: " in made.problem
    assert "scale target" in made.problem


def test_what_must_not_be_scaled_is_told_of_all_the_same() -> None:
    made = plan(target=a_deployment(revision="till"))
    (told,) = made.writes
    assert isinstance(told, PatchStatus)
    assert told.status["desiredScale"] == 5


def test_where_no_pods_are_to_be_written_a_wrong_target_is_no_problem() -> None:
    asked = replace(AT_WORK, activators=4)
    assert plan(asked, target=a_deployment(revision="till")).problem == ""


def test_a_serverlessservice_of_another_is_left_alone_and_nothing_scaled() -> None:
    made = plan(sks=a_serverlessservice(owner="another", mode="Serve"))
    assert kinds(made) == [PatchStatus]
    assert "its ServerlessService is not ours; allowed: owned by uid-of-cart" in made.problem


# --- problems stay visible ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (a_deployment(revision="till"), "is labelled as of revision 'till'; allowed: 'cart'"),
        (a_serverlessservice(owner="another"), "its ServerlessService is not ours"),
    ],
    ids=["target", "owner"],
)
def test_a_problem_is_tried_again_and_shown_until_it_is_gone(wrong: Object, said: str) -> None:
    world = World()
    world.has_revision(ready=0, asked=0, active="Unknown")
    world.sees(wrong)
    done, tried = world.receives(KEY, concurrency=350.0), 0
    for _ in range(40):
        for made in plans(done):
            tried += 1
            world.handle(seen.PlanFailed(key=KEY, uid=made.uid, why=made.problem, wait_s=0.0))
        done = world.tick(2.0)
    assert 4 < tried < 10
    assert said in world.fault()
    world.sees(a_deployment(pods=0), a_serverlessservice())
    assert Scale(deployment="cart-deployment", pods=5) in writes(world.tick(2.0))
    world.handle(seen.PlanDone(key=KEY, uid="uid-of-cart"))
    assert world.fault() == ""


def test_a_revision_with_a_problem_keeps_no_other_from_being_acted_for() -> None:
    world = World()
    world.has_revision()
    world.has_revision("till")
    world.sees(a_deployment(revision="till"))
    done = world.receives(KEY, "shop/till", concurrency=350.0)
    assert {plan.key: bool(plan.problem) for plan in plans(done)} == {KEY: True, "shop/till": False}
    assert Scale(deployment="till-deployment", pods=5) in writes(done, "shop/till")
