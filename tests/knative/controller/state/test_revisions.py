"""Which revisions are ours, and what is known of each."""

from dataclasses import replace

import pytest

from autoscaler.core.state.revision import Active
from knative.controller.state import events as seen
from knative.mirror.objects import podautoscaler
from knative.settings.annotations import NUMBERS
from tests.knative.controller.world import KEY, World, event_of, plans
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


# --- whose revisions ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["kpa.autoscaling.knative.dev", "predictive.kn-ahead.dev"])
def test_revisions_of_our_classes_are_ours(world: World, kind: str) -> None:
    world.sees(a_podautoscaler(kind=kind))
    assert world.fleet.keys == [KEY]


@pytest.mark.parametrize(
    "kind", ["hpa.autoscaling.knative.dev", "KPA.autoscaling.knative.dev", None]
)
def test_revisions_of_another_class_or_none_are_never_touched(
    world: World, kind: str | None
) -> None:
    world.sees(a_pod(), a_deployment(), a_serverlessservice(), a_podautoscaler(kind=kind))
    world.receives(KEY, concurrency=500.0)
    assert world.tick() == []
    assert (world.fleet.keys, world.controller.uid_of(KEY)) == ([], "")
    assert world.controller.private_service_of(KEY) == ""


def test_a_revision_that_changes_its_class_is_let_go(world: World) -> None:
    world.has_revision()
    world.sees(a_podautoscaler(kind="hpa.autoscaling.knative.dev"))
    assert world.fleet.keys == []
    assert world.tick() == []


def test_revisions_come_and_go_without_mixing_up_the_others(world: World) -> None:
    for i, name in enumerate(["cart", "till", "shelf"]):
        world.has_revision(name, ready=i + 1)
    world.loses("PodAutoscaler")
    ready = {key: world.column("observed", "ready", key) for key in world.fleet.keys}
    assert ready == {"shop/till": 2, "shop/shelf": 3}
    assert {plan.key for plan in plans(world.tick())} == ready.keys()


def test_a_revision_that_went_twice_is_gone_once(world: World) -> None:
    world.has_revision()
    world.loses("PodAutoscaler")
    world.loses("PodAutoscaler")
    assert len(world.fleet) == 0


def test_a_revision_made_anew_under_the_same_name_starts_anew(world: World) -> None:
    world.has_revision()
    world.receives(KEY, concurrency=500.0)
    world.tick()
    made_anew = replace(podautoscaler(a_podautoscaler()), uid="another")
    world.handle(seen.PodAutoscalerSeen(key=KEY, object=made_anew))
    assert not world.column("observed", "initialized")
    assert world.column("memory", "kpa") == -1
    assert world.controller.uid_of(KEY) == "another"


def test_what_is_not_of_a_revision_of_ours_is_no_error(world: World) -> None:
    for kind in ("PodAutoscaler", "ServerlessService", "Deployment", "Pod", "Route"):
        world.loses(kind, "shop/ghost")
    world.sees(a_serverlessservice(), a_deployment(), a_pod())
    assert world.tick() == []


# --- what is observed of one ----------------------------------------------------------------------


def test_conditions_are_read_back_after_a_restart(world: World) -> None:
    world.has_revision(active="False", ready=0)
    assert world.active() is Active.FALSE
    assert world.column("observed", "active_since_s") == NOW_S - 1000
    assert world.column("observed", "initialized")
    assert world.column("observed", "proxied_since_s") == NOW_S - 1000


def test_objects_may_come_in_any_order(world: World) -> None:
    world.has_revision()
    late = World()
    late.sees(a_podautoscaler(status=None), a_deployment(pods=7))
    late.sees(a_serverlessservice(), a_pod("cart-0"))
    late.has_revision()
    for name in ("ready", "replicas", "set_up", "named", "proxied_since_s"):
        assert late.column("observed", name) == world.column("observed", name)


def test_only_ready_pods_count(world: World) -> None:
    world.has_revision(ready=2)
    world.sees(a_pod("cart-0", ready=False), a_pod("cart-3", phase="Pending", ready=False))
    world.sees(a_pod("cart-4", deletionTimestamp="2023-11-14T22:13:20Z"))
    assert world.column("observed", "ready") == 1
    counts = [world.column("pods", name) for name in ("unready", "pending", "terminating")]
    assert counts == [1, 1, 1]
    assert len(world.controller.revisions.ready_pods(KEY)) == 1
    world.loses("Pod", "shop/cart-1")
    assert world.column("observed", "ready") == 0
    assert world.controller.revisions.ready_pods(KEY) == []


def test_a_deployment_that_went_asks_for_nothing(world: World) -> None:
    world.has_revision()
    assert world.column("observed", "replicas") == 1
    world.loses("Deployment", "shop/cart-deployment")
    assert world.column("observed", "replicas") == -1


def test_who_names_anothers_deployment_hides_it_from_nobody(world: World) -> None:
    world.has_revision()
    stolen = a_podautoscaler("evil")
    stolen["spec"]["scaleTargetRef"]["name"] = "cart-deployment"
    world.sees(stolen, a_deployment(pods=9))
    assert world.column("observed", "replicas") == 9
    world.loses("PodAutoscaler", "shop/evil")
    world.sees(a_deployment(pods=4))
    assert world.column("observed", "replicas") == 4


def test_who_names_another_deployment_follows_that_one(world: World) -> None:
    world.has_revision()
    other = a_podautoscaler()
    other["spec"]["scaleTargetRef"]["name"] = "other-deployment"
    world.sees(a_deployment("other", pods=3), other)
    assert world.column("observed", "replicas") == 3
    world.sees(a_deployment("cart", pods=8), a_deployment("other", pods=5))
    assert world.column("observed", "replicas") == 5


# --- settings -------------------------------------------------------------------------------------


def test_a_change_of_config_reaches_every_revision(world: World) -> None:
    world.has_revision("cart")
    world.has_revision("till", annotations={"autoscaling.knative.dev/min-scale": "5"})
    world.tick()
    world.configured(min_scale="2")
    assert world.fleet.spec.min_scale.tolist() == [2, 5]
    assert {plan.key for plan in plans(world.tick())} >= {KEY}
    world.handle(seen.ConfigSeen(name="config-autoscaler", data=None))
    assert world.fleet.spec.min_scale.tolist() == [0, 5]


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("config-autoscaler", {"min-scale": "-1"}, "min-scale is '-1'; allowed:"),
        ("config-deployment", {"progress-deadline": "0s"}, "progress-deadline is '0s'; allowed:"),
    ],
)
def test_a_wrong_config_keeps_the_former_values_and_is_said(
    world: World, name: str, data: dict[str, str], said: str
) -> None:
    world.configured(min_scale="3")
    world.handle(seen.ConfigSeen(name=name, data=data))
    world.has_revision()
    assert world.column("spec", "min_scale") == 3
    assert said in world.fault(name)
    assert "the former values stay" in world.fault(name)
    world.handle(seen.ConfigSeen(name=name, data={}))
    assert world.fault(name) == ""


def test_the_progress_deadline_says_when_activating_is_given_up(world: World) -> None:
    world.has_revision()
    world.handle(seen.ConfigSeen(name="config-deployment", data={"progress-deadline": "90s"}))
    assert world.column("spec", "activation_timeout_s") == 120.0


def test_a_change_of_annotations_reaches_its_revision(world: World) -> None:
    world.has_revision()
    world.sees(a_podautoscaler(annotations={"autoscaling.knative.dev/min-scale": "3"}))
    assert world.column("spec", "min_scale") == 3


@pytest.mark.parametrize("key", NUMBERS)
@pytest.mark.parametrize(
    "text", ["99999999999999999999h", "-1s", "1e30", "-99999999", "2562047h", "nan"]
)
def test_an_absurd_annotation_leaves_a_fleet_that_decides(
    world: World, key: str, text: str
) -> None:
    world.has_revision("till")
    world.has_revision(annotations={f"autoscaling.knative.dev/{key}": text})
    world.receives(KEY, "shop/till", concurrency=70.0)
    assert world.want("shop/till") == 1
    assert 6 <= world.column("spec", "stable_window_s") <= 3600
    assert world.column("decision", "at_s") == NOW_S


# --- what is shown -------------------------------------------------------------------------------


def test_texts_count_up_when_what_is_shown_of_a_revision_changes(world: World) -> None:
    revisions, counted = world.controller.revisions, []
    pa = a_podautoscaler(annotations={"kn-ahead.dev/upstreams": "till"})
    for event in (
        event_of("PodAutoscaler", KEY, a_podautoscaler()),
        event_of("PodAutoscaler", KEY, a_podautoscaler()),
        event_of("PodAutoscaler", KEY, a_podautoscaler(status={"desiredScale": 7})),
        event_of("PodAutoscaler", KEY, pa),
        event_of("PodAutoscaler", KEY, None),
        event_of("PodAutoscaler", KEY, None),
    ):
        world.handle(event)
        counted.append(revisions.texts)
    assert counted == [1, 1, 1, 2, 3, 3]
