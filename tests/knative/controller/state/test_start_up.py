"""How long pods take to start, by part and as a lead; and what is kept of services that went."""

import io
import pickle

import numpy as np
import pytest

from knative.controller.state import events as seen
from knative.controller.state.start_up import StartUps, parts_of
from knative.mirror.fields import kubernetes_time
from knative.mirror.objects import SERVICE_LABEL, Pod, pod
from tests.knative.controller.world import OUTWARD, World
from tests.knative.objects import NOW_S, a_condition, a_pod, a_podautoscaler


@pytest.fixture
def world() -> World:
    return World()


# --- the lead -------------------------------------------------------------------------------------


def test_before_the_first_start_a_guess_stands() -> None:
    assert StartUps().lead_s("shop/cart", 600.0) == 10.0


def test_asking_measures_nothing() -> None:
    start_ups = StartUps()
    start_ups.lead_s("shop/cart", 600.0)
    start_ups.add("shop/cart", 3.0)
    assert start_ups.lead_s("shop/cart", 600.0) == 4.0


@pytest.mark.parametrize(
    ("price_s", "lead_s"), [(0.0, 2.0), (5.0, 2.0), (30.0, 4.0), (600.0, 21.0), (1e6, 21.0)]
)
def test_the_price_says_how_bad_a_start_is_waited_out(price_s: float, lead_s: float) -> None:
    """Nine starts of 1 s and 3 s, one of 20 s: 17 s more of waiting save a tenth of the price."""
    start_ups = StartUps()
    for seconds in [1.0] * 6 + [3.0] * 3 + [20.0]:
        start_ups.add("shop/cart", seconds)
    assert start_ups.lead_s("shop/cart", price_s) == lead_s


def test_the_last_fifty_count() -> None:
    start_ups = StartUps()
    for seconds in [100.0] * 50 + [2.0] * 50:
        start_ups.add("shop/cart", seconds)
    assert start_ups.lead_s("shop/cart", 600.0) == 3.0


def test_services_do_not_mix() -> None:
    start_ups = StartUps()
    start_ups.add("shop/cart", 2.0)
    start_ups.add("shop/till", 30.0)
    assert start_ups.lead_s("shop/cart", 600.0) == 3.0


def test_a_service_that_went_is_forgotten() -> None:
    start_ups = StartUps()
    start_ups.add("shop/cart", 2.0)
    start_ups.forget("shop/cart")
    start_ups.forget("shop/till")
    assert start_ups.lead_s("shop/cart", 600.0) == 10.0


# --- by part --------------------------------------------------------------------------------------


def a_start(**at_s: float) -> Pod:
    """A pod that was created at 100, and then scheduled, running and ready at so many s."""
    times = {"scheduled_s": 101.0, "running_s": 106.0, "ready_s": 109.0} | at_s
    times = {"created_s": 100.0} | times
    return Pod(revision="shop/cart-1", state="ready", address="", started_s=101.0, **times)


@pytest.mark.parametrize(
    ("start", "parts"),
    [
        (a_start(), {"scheduled": 1.0, "started": 5.0, "ready": 3.0, "total": 9.0}),
        (a_start(running_s=0.0), {"scheduled": 1.0, "total": 9.0}),
        (a_start(running_s=50.0), {"scheduled": 1.0, "ready": 59.0, "total": 9.0}),
        (a_start(created_s=0.0), {"started": 5.0, "ready": 3.0}),
        (a_start(ready_s=100.0 + 3600.0), {"scheduled": 1.0, "started": 5.0, "ready": 3594.0}),
        (a_start(ready_s=99.0), {"scheduled": 1.0, "started": 5.0}),
        (a_start(ready_s=float("nan")), {"scheduled": 1.0, "started": 5.0}),
        (a_start(ready_s=1e12), {"scheduled": 1.0, "started": 5.0}),
    ],
    ids=[
        "all is known",
        "not when it ran",
        "the node's clock is behind",
        "not when it was created",
        "an hour",
        "ready before it was there",
        "no number",
        "absurd",
    ],
)
def test_a_start_is_told_by_part_and_what_cannot_be_is_left_out(
    start: Pod, parts: dict[str, float]
) -> None:
    assert parts_of(start) == parts


def test_a_pods_events_tell_its_parts() -> None:
    o = a_pod(created_s=NOW_S - 20, ready_s=NOW_S - 8)
    o["status"]["conditions"].append(
        a_condition("PodScheduled", "True", kubernetes_time(NOW_S - 18))
    )
    o["status"]["containerStatuses"] = [
        {"state": {"running": {"startedAt": kubernetes_time(NOW_S - at)}}} for at in (12, 11)
    ]
    assert parts_of(pod(o)) == {
        "scheduled": 2.0,
        "started": 7.0,
        "ready": 3.0,
        "total": 12.0,
    }


@pytest.mark.parametrize("state", [{}, {"waiting": {}}, {"running": {}}, None])
def test_a_container_that_does_not_run_leaves_its_part_unknown(state: object) -> None:
    o = a_pod(created_s=NOW_S - 20, ready_s=NOW_S - 8)
    running = {"state": {"running": {"startedAt": kubernetes_time(NOW_S - 11)}}}
    o["status"]["containerStatuses"] = [running, {"state": state}]
    assert parts_of(pod(o)) == {"total": 12.0}


# --- what a controller learns ---------------------------------------------------------------------


def test_start_up_times_are_learned_from_pods_that_become_ready(world: World) -> None:
    world.has_revision(ready=0, asked=1)
    assert world.column("spec", "lead_s") == 10.0
    started = a_pod(created_s=NOW_S - 20, ready_s=NOW_S)
    world.sees(a_pod(ready=False, created_s=NOW_S - 20), started, started)
    assert world.column("spec", "lead_s") == 21.0
    assert world.fleet.services.starts[3].tolist() == [1]
    assert world.fleet.services.starts_s[3].tolist() == [20.0]


def test_a_pod_that_becomes_ready_again_did_not_start_again(world: World) -> None:
    world.has_revision(ready=0, asked=1)
    world.sees(
        a_pod(created_s=NOW_S - 1000, ready_s=NOW_S - 980),
        a_pod(created_s=NOW_S - 1000, ready=False),
        a_pod(created_s=NOW_S - 1000, ready_s=NOW_S),
    )
    assert world.column("spec", "lead_s") == 21.0


def test_a_pod_that_was_ready_before_we_came_did_not_start_again(world: World) -> None:
    world.has_revision(ready=1)
    world.sees(a_pod("cart-0", ready=False), a_pod("cart-0", ready_s=NOW_S))
    assert world.column("spec", "lead_s") == 10.0


def test_a_start_is_learned_of_the_service_whichever_of_its_revisions_it_was(world: World) -> None:
    world.sees(a_podautoscaler("cart-1"), a_pod("pod", "cart-1", ready=False))
    world.sees(a_pod("pod", "cart-1", created_s=NOW_S - 20, ready_s=NOW_S))
    both = a_podautoscaler("cart-2")
    both["metadata"]["labels"][SERVICE_LABEL] = "cart-1-service"
    world.sees(both)
    assert world.column("spec", "lead_s", "shop/cart-2") == 21.0


# --- services that come and go --------------------------------------------------------------------


def lead_of_a_new_revision(world: World, service: str) -> float:
    """What is known of the starts of a service."""
    o = a_podautoscaler("new")
    o["metadata"]["labels"][SERVICE_LABEL] = service
    world.sees(o)
    lead_s = float(world.column("spec", "lead_s", "shop/new"))
    world.loses("PodAutoscaler", "shop/new")
    return lead_s


def has_started(world: World, name: str = "cart", service: str = "cart-service") -> None:
    o = a_podautoscaler(name)
    o["metadata"]["labels"][SERVICE_LABEL] = service
    world.sees(o, a_pod(f"{name}-pod", name, created_s=NOW_S - 20, ready_s=NOW_S))


def test_a_service_is_known_for_as_long_as_it_has_a_revision(world: World) -> None:
    has_started(world, "cart-1", "cart")
    has_started(world, "cart-2", "cart")
    world.loses("PodAutoscaler", "shop/cart-1")
    assert lead_of_a_new_revision(world, "cart") == 21.0
    world.loses("PodAutoscaler", "shop/cart-2")
    assert lead_of_a_new_revision(world, "cart") == 10.0


def test_a_service_that_lost_its_revision_to_another_is_forgotten(world: World) -> None:
    has_started(world)
    o = a_podautoscaler()
    o["metadata"]["labels"][SERVICE_LABEL] = "another"
    world.sees(o)
    assert world.fleet.services.keys == ["shop/another"]
    assert lead_of_a_new_revision(world, "cart-service") == 10.0


def test_of_five_hundred_services_that_came_and_went_nothing_is_left(world: World) -> None:
    comes_and_goes(world, 0)
    once, arrays = size_of(world), world.fleet.nbytes
    for i in range(1, 501):
        comes_and_goes(world, i)
    assert size_of(world) < once + 100  # counters have more digits
    assert world.fleet.nbytes < arrays + 100_000  # rings are closed up now and then


def comes_and_goes(world: World, i: int) -> None:
    """A service lives for a while; all of its objects go."""
    world.has_revision(f"cart-{i}", ready=0, annotations=OUTWARD)
    world.sees(a_pod(f"pod-{i}", f"cart-{i}", created_s=NOW_S - 20, ready_s=NOW_S))
    world.receives(f"shop/cart-{i}", concurrency=1.0)
    uid = f"uid-of-cart-{i}"
    world.handle(seen.PlanFailed(key=f"shop/cart-{i}", uid=uid, why="refused", wait_s=0.0))
    world.tick()
    world.sees(a_pod(f"pod-{i}", f"cart-{i}", deletionTimestamp=kubernetes_time(NOW_S - 20)))
    world.loses("Pod", f"shop/pod-{i}")
    for kind in ("PodAutoscaler", "ServerlessService"):
        world.loses(kind, f"shop/cart-{i}")
    world.loses("Deployment", f"shop/cart-{i}-deployment")
    world.controller.changes.take()


class WithoutArrays(pickle.Pickler):
    def persistent_id(self, o: object) -> str | None:
        return "array" if isinstance(o, np.ndarray) else None


def size_of(world: World) -> int:
    """Bytes of all that the controller knows, arrays apart."""
    file = io.BytesIO()
    WithoutArrays(file).dump(world.controller)
    return len(file.getvalue())
