import asyncio

import pytest

from autoscaler.core.revision import Mode
from knative.actor import AT_ONCE
from knative.api import JSON_PATCH, MERGE_PATCH
from knative.config import ClusterConfig
from knative.objects import podautoscaler
from knative.status import condition
from tests.knative.conftest import (
    NAMESPACE,
    Cluster,
    a_bundle,
    a_deployment,
    a_pod,
    a_podautoscaler,
    a_serverlessservice,
    path_of,
    run_fast,
)

KEY = "shop/cart"
STATUS = path_of("podautoscaler") + "/status"
SKS = path_of("serverlessservice")
SKSES = SKS.removesuffix("/cart")
SCALE = path_of("deployment") + "/scale"


def scaled(cluster: Cluster, name: str = "cart") -> list[int]:
    """Pods that were written, in order."""
    bodies = cluster.api.bodies(path_of("deployment", name) + "/scale")
    return [body[0]["value"] for body in bodies]


def said(cluster: Cluster, kind: str, name: str = "cart") -> tuple[str, str]:
    """Status and reason of a condition, as the API server has it."""
    pa = podautoscaler(cluster.api.objects[path_of("podautoscaler", name)])
    found = condition(pa, kind)
    return found.get("status", ""), found.get("reason", "")


def settled(cluster: Cluster) -> None:
    """All that is due is written; from here on calls are counted anew."""
    run_fast(cluster.settle())
    cluster.api.calls.clear()


# --- a new revision -------------------------------------------------------------------------------


def test_first_the_serverlessservice_is_made_and_nothing_else() -> None:
    cluster = Cluster()
    pa = a_podautoscaler()
    cluster.has(a_pod(), a_deployment(), pa)
    cluster.hears(KEY, concurrency=500.0, seconds=5)
    run_fast(cluster.tick())
    made, told = cluster.api.calls
    assert (made.verb, made.path) == ("create", SKSES)
    meta, spec = made.body["metadata"], made.body["spec"]
    assert (meta["namespace"], meta["name"]) == (NAMESPACE, "cart")
    assert meta["labels"] == pa["metadata"]["labels"]
    assert meta["ownerReferences"][0]["uid"] == "uid-of-cart"
    assert meta["ownerReferences"][0]["controller"] is True
    assert (spec["mode"], spec["numActivators"]) == ("Proxy", 2)
    assert told.path == STATUS


def test_until_the_serverlessservice_is_set_up_the_status_says_so() -> None:
    cluster = Cluster()
    cluster.has(a_pod(), a_deployment(), a_podautoscaler())
    run_fast(cluster.tick())
    (body,) = cluster.api.bodies(STATUS)
    status = body["status"]
    assert (status["desiredScale"], status["actualScale"]) == (-1, 0)
    assert (status["serviceName"], status["metricsServiceName"]) == ("", "")
    assert said(cluster, "SKSReady") == ("Unknown", "NotReady")
    assert said(cluster, "Active") == ("Unknown", "Queued")
    assert said(cluster, "ScaleTargetInitialized")[0] == "Unknown"


def test_waiting_for_the_serverlessservice_writes_nothing_more() -> None:
    cluster = Cluster()
    cluster.has(a_pod(), a_deployment(), a_podautoscaler())
    settled(cluster)
    cluster.has(a_pod("cart-2"))
    cluster.clock.advance(2.0)
    run_fast(cluster.tick())
    assert cluster.api.calls == []


def test_once_it_is_set_up_scale_comes_before_mode_before_status() -> None:
    cluster = Cluster()
    cluster.has(a_pod(), a_deployment(), a_podautoscaler(), a_serverlessservice(mode="Serve"))
    cluster.hears(KEY, concurrency=700.0, seconds=10)
    run_fast(cluster.tick())
    assert [call.path for call in cluster.api.calls] == [SCALE, SKS, STATUS]
    scale, mode, status = cluster.api.calls
    assert scale.body == [{"op": "add", "path": "/spec/replicas", "value": 10}]
    assert scale.kind == JSON_PATCH
    assert mode.body.keys() == {"spec"}
    assert mode.body["spec"]["mode"] == "Proxy"
    assert (mode.kind, status.kind) == (MERGE_PATCH, MERGE_PATCH)
    assert status.body["status"]["desiredScale"] == 10


def test_the_status_of_a_revision_at_work_is_all_true() -> None:
    cluster = Cluster()
    cluster.has(a_pod(), a_deployment(), a_podautoscaler(), a_serverlessservice())
    cluster.hears(KEY, concurrency=1.0)
    run_fast(cluster.settle())
    for kind in ("Active", "ScaleTargetInitialized", "SKSReady", "Ready"):
        assert said(cluster, kind) == ("True", "")
    status = cluster.api.objects[path_of("podautoscaler")]["status"]
    assert (status["serviceName"], status["metricsServiceName"]) == ("cart", "cart-private")
    assert status["observedGeneration"] == 1


# --- nothing is written twice ---------------------------------------------------------------------


def test_a_second_pass_writes_nothing() -> None:
    cluster = Cluster()
    cluster.has_revision(ready=2)
    cluster.hears(KEY, concurrency=100.0)
    settled(cluster)
    run_fast(cluster.act([KEY]))
    cluster.clock.advance(2.0)
    cluster.hears(KEY, concurrency=100.0)
    run_fast(cluster.tick())
    assert cluster.api.calls == []


def test_what_another_changed_is_put_right() -> None:
    cluster = Cluster()
    cluster.has_revision(ready=2)
    cluster.hears(KEY, concurrency=100.0)
    settled(cluster)
    cluster.has(a_deployment(pods=9))
    run_fast(cluster.tick())
    assert scaled(cluster) == [2]
    assert len(cluster.api.calls) == 1


def test_only_the_status_is_written_when_only_a_pod_came() -> None:
    cluster = Cluster()  # whose activators do not depend on the pods
    cluster.has_revision(
        ready=2, annotations={"autoscaling.knative.dev/target-burst-capacity": "0"}
    )
    cluster.hears(KEY, concurrency=100.0)
    settled(cluster)
    cluster.has(a_pod("cart-2"))
    run_fast(cluster.tick())
    assert [call.path for call in cluster.api.calls] == [STATUS]
    assert cluster.api.calls[0].body["status"]["actualScale"] == 3


# --- whose revisions ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["hpa.autoscaling.knative.dev", None])
def test_a_revision_of_another_class_or_none_is_never_touched(kind: str | None) -> None:
    cluster = Cluster()
    cluster.has_revision("till")
    settled(cluster)
    cluster.has(a_pod(), a_deployment(), a_podautoscaler(kind=kind))
    cluster.hears(KEY, concurrency=500.0)
    run_fast(cluster.tick())
    run_fast(cluster.act([KEY]))
    assert cluster.api.calls == []


def test_a_serverlessservice_of_another_is_left_alone_and_nothing_scaled() -> None:
    cluster = Cluster()
    cluster.has(a_pod(), a_deployment(), a_serverlessservice(owner="another"), a_podautoscaler())
    cluster.hears(KEY, concurrency=500.0, seconds=5)
    run_fast(cluster.tick())
    assert [call.path for call in cluster.api.calls] == [STATUS]
    assert said(cluster, "Active") == ("False", "NotOwned")
    assert said(cluster, "Ready") == ("False", "NotOwned")


def test_a_serverlessservice_of_another_is_complained_of_once() -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.tick()
        for _ in range(20):
            cluster.clock.advance(2.0)
            cluster.hears(KEY, concurrency=500.0)
            await cluster.tick()

    cluster = Cluster()
    cluster.has(a_pod(), a_deployment(), a_serverlessservice(owner="another"), a_podautoscaler())
    run_fast(story(cluster))
    assert [call.path for call in cluster.api.calls] == [STATUS]


# --- to zero and back -----------------------------------------------------------------------------


def test_a_request_at_zero_is_answered_before_any_tick() -> None:
    cluster = Cluster()
    cluster.has_revision(active="False", ready=0)
    cluster.hears(KEY, concurrency=0.0)
    settled(cluster)
    cluster.clock.advance(0.3)
    poked = cluster.hears(KEY, concurrency=1.0)
    run_fast(cluster.act(cluster.seat.to_act_for(cluster.seat.decide(poked))))
    assert scaled(cluster) == [1]
    assert cluster.api.calls[0].path == SCALE
    assert said(cluster, "Active") == ("Unknown", "Queued")


def test_a_request_in_the_very_turn_in_which_acting_ends_is_not_lost() -> None:
    async def story(cluster: Cluster) -> None:
        def poke() -> None:
            poked = cluster.hears(KEY, concurrency=1.0)
            cluster.actor.act(cluster.seat.to_act_for(cluster.seat.decide(poked)))

        cluster.actor.act(cluster.seat.to_act_for(cluster.seat.decide()))
        asyncio.get_running_loop().call_soon(poke)  # after the task's only step
        await cluster.act([])

    cluster = Cluster()
    cluster.has_revision(active="False", ready=0)
    cluster.hears(KEY, concurrency=0.0)
    run_fast(story(cluster))
    assert scaled(cluster) == [1]


def test_the_last_pod_goes_by_way_of_the_probe_and_the_grace_period() -> None:
    async def story(cluster: Cluster) -> list[tuple[str, int]]:
        lived = []
        for _ in range(80):
            cluster.clock.advance(2.0)
            cluster.hears(KEY, concurrency=0.0)
            await cluster.tick()
            lived.append((said(cluster, "Active")[0], len(scaled(cluster))))
        return lived

    cluster = Cluster()
    cluster.has_revision(mode="Serve")
    lived = run_fast(story(cluster))
    assert scaled(cluster) == [0]
    assert cluster.probed == ["cart.shop"]
    assert ("True", 1) not in lived
    assert lived.index(("False", 1)) - lived.index(("False", 0)) >= 15  # ticks of 2 s: the grace


def test_the_last_pod_stays_while_the_activator_does_not_answer() -> None:
    async def story(cluster: Cluster) -> None:
        for _ in range(60):
            cluster.clock.advance(2.0)
            cluster.hears(KEY, concurrency=0.0)
            await cluster.tick()

    cluster = Cluster(answers=False)
    cluster.has_revision(active="False")
    run_fast(story(cluster))
    assert scaled(cluster) == []
    assert len(cluster.probed) > 1


def test_a_probe_that_was_given_up_is_begun_again() -> None:
    async def story(cluster: Cluster) -> None:
        for _ in range(200):  # half a second each; a probe is given up after 45
            cluster.clock.advance(2.0)
            cluster.hears(KEY, concurrency=0.0)
            await cluster.tick()

    cluster = Cluster(answers=False)
    cluster.has_revision(active="False")
    run_fast(story(cluster))
    assert len(cluster.probed) > 60


# --- failures -------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [403, 409, 500])
def test_one_that_fails_is_tried_again_and_delays_nobody(status: int) -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.tick()
        assert scaled(cluster, "till") == [5]
        assert said(cluster, "Active", "till")[0] == "True"
        assert cluster.api.bodies(STATUS) == []
        cluster.hears("shop/till", concurrency=700.0)
        cluster.clock.advance(2.0)
        await cluster.tick()
        assert len(scaled(cluster, "till")) == 2
        while not cluster.api.bodies(STATUS):
            await cluster.act([])

    cluster = Cluster()
    cluster.has_revision("cart")
    cluster.has_revision("till")
    cluster.api.refusals[SCALE] = [status] * 4
    cluster.hears("shop/cart", "shop/till", concurrency=350.0)
    run_fast(story(cluster))
    assert len(scaled(cluster)) == 5
    assert cluster.api.objects[path_of("deployment")]["spec"]["replicas"] == 5


def test_one_that_never_answers_delays_nobody() -> None:
    cluster = Cluster()
    cluster.has_revision("cart")
    cluster.has_revision("till")
    cluster.api.silent.add(SCALE)
    cluster.hears("shop/cart", "shop/till", concurrency=350.0)
    run_fast(cluster.tick())
    assert scaled(cluster, "till") == [5]


def test_one_that_went_while_it_failed_is_forgotten() -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.tick()
        cluster.seat.saw_podautoscaler(KEY, None)
        del cluster.api.objects[path_of("podautoscaler")]
        calls = len(cluster.api.calls)
        for _ in range(100):
            await cluster.act([])
        assert len(cluster.api.calls) == calls

    cluster = Cluster()
    cluster.has_revision()
    cluster.api.refusals[SCALE] = [500] * 1000
    cluster.hears(KEY, concurrency=350.0)
    run_fast(story(cluster))


def test_demand_that_grew_while_a_write_failed_is_what_is_written() -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.tick()
        cluster.clock.advance(1.0)
        cluster.hears(KEY, concurrency=1000.0, seconds=1)
        await cluster.tick()
        for _ in range(10):
            await cluster.act([])

    cluster = Cluster()
    cluster.has_revision()
    cluster.api.refusals[SCALE] = [500]
    cluster.hears(KEY, concurrency=350.0)
    run_fast(story(cluster))
    first, last = scaled(cluster)
    assert (first, last > first) == (5, True)


def test_demand_that_grew_does_not_wait_for_the_back_off_of_a_write_that_failed_for_long() -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.tick()
        await asyncio.sleep(40)  # by now it is tried again every thirty seconds
        cluster.api.refusals.clear()
        cluster.clock.advance(2.0)
        cluster.hears(KEY, concurrency=1000.0)
        await cluster.tick()

    cluster = Cluster()
    cluster.has_revision()
    cluster.api.refusals[SCALE] = [500] * 1000
    cluster.hears(KEY, concurrency=350.0)
    run_fast(story(cluster))
    assert scaled(cluster)[-1] > 5


def test_without_its_deployment_a_revision_is_not_scaled_but_told_of() -> None:
    cluster = Cluster()
    cluster.has_revision()
    cluster.seat.saw_deployment("shop/cart-deployment", None)
    del cluster.api.objects[path_of("deployment")]
    cluster.hears(KEY, concurrency=350.0)
    run_fast(cluster.tick())
    assert scaled(cluster) == []
    assert cluster.api.bodies(STATUS)[-1]["status"]["desiredScale"] == 5


def test_an_answer_that_is_no_object_harms_nobody() -> None:
    cluster = Cluster()
    cluster.api.terse = True
    cluster.has_revision()
    cluster.hears(KEY, concurrency=350.0)
    run_fast(cluster.settle())
    assert scaled(cluster) == [5]


# --- forecasts ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "written"), [(Mode.OFF, []), (Mode.SHADOW, []), (Mode.OUTWARD, [4])]
)
def test_a_bundle_put_in_force_writes_pods_only_where_the_mode_lets_it(
    mode: Mode, written: list[int]
) -> None:
    cluster = Cluster(ClusterConfig(mode=mode))
    cluster.has_revision()
    cluster.hears(KEY, concurrency=1.0)
    settled(cluster)
    cluster.seat.forecast(a_bundle(400.0))
    run_fast(cluster.tick())
    assert scaled(cluster) == written


# --- what is written belongs to whom it was meant for ---------------------------------------------


def test_nothing_is_written_to_an_object_that_was_made_anew_meanwhile() -> None:
    async def story() -> None:
        cluster = Cluster()
        key = cluster.has_revision("cart", ready=1, mode="Serve")
        cluster.api.slow[path_of("serverlessservice")] = 1.0
        cluster.hears(key, concurrency=900.0)  # more than there is room for: into the path
        cluster.actor.act(cluster.seat.to_act_for(cluster.seat.decide()))
        await asyncio.sleep(0.1)  # the pass waits for its ServerlessService
        anew = a_podautoscaler("cart")
        anew["metadata"]["uid"] = "uid-of-another"
        cluster.seat.saw_podautoscaler(key, podautoscaler(anew))
        await asyncio.sleep(2)
        assert cluster.api.bodies(path_of("serverlessservice"))  # it was in the middle of it
        assert cluster.api.bodies(path_of("podautoscaler") + "/status") == []
        cluster.actor.rest()
        await asyncio.sleep(0)

    run_fast(story())


def test_pods_do_not_wait_behind_statuses() -> None:
    """More statuses than may be under way hang; a request from zero is answered all the same."""

    async def story() -> None:
        cluster = Cluster()
        names = [f"slow-{i}" for i in range(AT_ONCE + 10)]
        for name in names:
            cluster.has_revision(name, ready=2)
            cluster.api.silent.add(path_of("podautoscaler", name) + "/status")
        key = cluster.has_revision("cart", active="False", ready=0)
        cluster.actor.act(cluster.seat.to_act_for(cluster.seat.decide()))
        await asyncio.sleep(1)
        poked = cluster.hears(key, concurrency=1.0)
        cluster.actor.act(cluster.seat.to_act_for(cluster.seat.decide(poked)))
        await asyncio.sleep(0.01)
        assert cluster.api.bodies(path_of("deployment") + "/scale") == [
            [{"op": "add", "path": "/spec/replicas", "value": 1}]
        ]
        cluster.actor.rest()
        await asyncio.sleep(0)

    run_fast(story())
