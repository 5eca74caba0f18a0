"""A controller with its writer against an API server in memory: what is written, and when."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from knative.controller.runtime.writer import STATUS_AFTER_S
from knative.controller.state.instructions import Plan
from tests.knative.controller.cluster import Cluster
from tests.knative.controller.world import KEY
from tests.knative.fast_loop import run_fast
from tests.knative.objects import (
    a_deployment,
    a_pod,
    a_podautoscaler,
    a_serverlessservice,
    path_of,
)

STATUS = path_of("PodAutoscaler") + "/status"
SCALE = path_of("Deployment") + "/scale"
OTHER = "shop/till"


def story(scenario: Callable[[Cluster], Awaitable[object]], *, answers: bool = True) -> Cluster:
    async def run() -> Cluster:
        cluster = Cluster(answers=answers)
        await scenario(cluster)
        await cluster.end()
        return cluster

    return run_fast(run())


def paths(cluster: Cluster) -> list[str]:
    return [call.path for call in cluster.api.calls]


# --- a new revision -------------------------------------------------------------------------------


def test_first_the_serverlessservice_is_created_and_nothing_more_until_it_is_set_up() -> None:
    async def scenario(cluster: Cluster) -> None:
        cluster.sees(a_pod(), a_deployment(), a_podautoscaler())
        cluster.receives(KEY, concurrency=500.0, seconds=5)
        await cluster.turn()
        sks = path_of("ServerlessService").removesuffix("/cart")
        assert paths(cluster) == [sks, STATUS]
        cluster.sees(a_pod("cart-2"))
        await cluster.turns(5, KEY, concurrency=500.0)
        assert paths(cluster) == [sks, STATUS]

    story(scenario)


def test_the_status_of_an_active_revision_is_all_true() -> None:
    async def scenario(cluster: Cluster) -> None:
        cluster.sees(a_pod(), a_deployment(), a_podautoscaler(), a_serverlessservice())
        cluster.receives(KEY, concurrency=1.0)
        await cluster.settle()

    cluster = story(scenario)
    for kind in ("Active", "ScaleTargetInitialized", "SKSReady", "Ready"):
        assert cluster.said(kind) == ("True", "")
    status = cluster.api.objects[path_of("PodAutoscaler")]["status"]
    assert (status["serviceName"], status["metricsServiceName"]) == ("cart", "cart-private")
    assert status["observedGeneration"] == 1


def test_nothing_is_copied_from_a_podautoscaler_that_was_replaced() -> None:
    async def scenario(cluster: Cluster) -> None:
        cluster.sees(a_deployment(), a_podautoscaler())
        made_anew = a_podautoscaler()
        made_anew["metadata"]["uid"] = "another"
        cluster.api.put(made_anew)  # which nobody has told us yet
        assert any(isinstance(done, Plan) for done in cluster.tick())
        await asyncio.sleep(0.5)

    assert story(scenario).api.calls == []


# --- nothing is written twice ---------------------------------------------------------------------


def test_without_changes_nothing_is_written() -> None:
    async def scenario(cluster: Cluster) -> None:
        cluster.has_revision(ready=2)
        cluster.receives(KEY, concurrency=100.0)
        await cluster.settle()
        await cluster.turns(30, KEY, concurrency=100.0)

    assert story(scenario).api.calls == []


def test_changes_by_others_are_reverted() -> None:
    async def scenario(cluster: Cluster) -> None:
        cluster.has_revision(ready=2)
        cluster.receives(KEY, concurrency=100.0)
        await cluster.settle()
        cluster.sees(a_deployment(pods=9))
        await cluster.turn()

    cluster = story(scenario)
    assert (paths(cluster), cluster.scaled()) == ([SCALE], [2])


def test_a_new_pod_changes_only_the_status() -> None:
    async def scenario(cluster: Cluster) -> None:
        burst = {"autoscaling.knative.dev/target-burst-capacity": "0"}
        cluster.has_revision(ready=2, annotations=burst)  # activators do not depend on pods
        cluster.receives(KEY, concurrency=100.0)
        await cluster.settle()
        cluster.sees(a_pod("cart-2"))
        await cluster.turn()

    cluster = story(scenario)
    assert paths(cluster) == [STATUS]
    assert cluster.api.calls[0].body["status"]["actualScale"] == 3


def test_a_serverlessservice_of_another_owner_is_reported_once_and_nothing_is_scaled() -> None:
    async def scenario(cluster: Cluster) -> None:
        sks = a_serverlessservice(owner="another")
        cluster.sees(a_pod(), a_deployment(), sks, a_podautoscaler())
        await cluster.turns(20, KEY, concurrency=500.0)

    cluster = story(scenario)
    assert paths(cluster) == [STATUS]
    assert cluster.said("Active") == cluster.said("Ready") == ("False", "NotOwned")
    assert "not ours" in cluster.fault()


# --- to zero and back -----------------------------------------------------------------------------


def test_a_request_at_zero_is_answered_before_any_tick() -> None:
    async def scenario(cluster: Cluster) -> None:
        cluster.has_revision(active="False", ready=0)
        cluster.receives(KEY, concurrency=0.0)
        await cluster.settle()
        cluster.clock.advance(0.3)
        cluster.receives(KEY, concurrency=1.0)
        await asyncio.sleep(0.1)
        assert cluster.scaled() == [1]
        await asyncio.sleep(STATUS_AFTER_S)

    cluster = story(scenario)
    assert paths(cluster)[0] == SCALE
    assert cluster.scaled() == [1]
    assert cluster.said("Active") == ("Unknown", "Queued")


def test_the_last_pod_is_removed_after_the_activators_answer_and_the_grace_period() -> None:
    lived: list[tuple[str, int]] = []

    async def scenario(cluster: Cluster) -> None:
        cluster.has_revision(mode="Serve")
        for _ in range(80):
            await cluster.turns(1, KEY)
            lived.append((cluster.said("Active")[0], len(cluster.scaled())))

    cluster = story(scenario)
    assert (cluster.scaled(), cluster.asked) == ([0], ["cart.shop"])
    assert ("True", 1) not in lived
    assert lived.index(("False", 1)) - lived.index(("False", 0)) >= 15  # ticks of 2 s: the grace


def test_the_last_pod_stays_while_the_activator_does_not_answer() -> None:
    async def scenario(cluster: Cluster) -> None:
        cluster.has_revision(active="False")
        await cluster.turns(200, KEY)  # half a second each; it is asked for 45 s at a time

    cluster = story(scenario, answers=False)
    assert cluster.scaled() == []
    assert len(cluster.asked) > 60


# --- failures -------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [403, 409, 500])
def test_a_write_that_fails_is_tried_again_and_delays_no_other(status: int) -> None:
    async def scenario(cluster: Cluster) -> None:
        cluster.has_revision("cart")
        cluster.has_revision("till")
        cluster.api.refuse(SCALE, *[status] * 4)
        cluster.receives(KEY, OTHER, concurrency=350.0)
        await cluster.turn()
        assert cluster.scaled("till") == [5]
        assert cluster.said("Active", "till")[0] == "True"
        assert cluster.api.bodies(STATUS) == []
        await cluster.turns(1, KEY, OTHER, concurrency=700.0)
        assert len(cluster.scaled("till")) == 2
        assert f"{KEY}: {SCALE}: {status}" in cluster.fault()
        await cluster.turns(30, KEY, OTHER, concurrency=700.0)

    cluster = story(scenario)
    wanted = cluster.column("decision", "want")
    assert len(cluster.scaled()) >= 5
    assert cluster.api.objects[path_of("Deployment")]["spec"]["replicas"] == wanted
    assert cluster.fault() == ""


def test_a_write_without_an_answer_delays_no_other() -> None:
    async def scenario(cluster: Cluster) -> None:
        cluster.has_revision("cart")
        cluster.has_revision("till")
        cluster.api.silent.add(SCALE)
        cluster.receives(KEY, OTHER, concurrency=350.0)
        await cluster.turn()

    assert story(scenario).scaled("till") == [5]


def test_a_revision_deleted_while_its_write_failed_is_forgotten() -> None:
    async def scenario(cluster: Cluster) -> None:
        cluster.has_revision()
        cluster.api.refuse(SCALE, *[500] * 1000)
        cluster.receives(KEY, concurrency=350.0)
        await cluster.turn()
        cluster.loses("PodAutoscaler")
        del cluster.api.objects[path_of("PodAutoscaler")]
        calls = len(cluster.api.calls)
        await cluster.turns(50)
        assert len(cluster.api.calls) == calls

    story(scenario)


def test_increased_demand_is_written_at_once_despite_a_retry_after() -> None:
    """A request from zero must not wait for a minute because of what another one met."""

    async def scenario(cluster: Cluster) -> None:
        cluster.has_revision()
        cluster.api.refuse(SCALE, 429, retry_after_s=50.0)
        cluster.receives(KEY, concurrency=350.0, seconds=6)
        await cluster.turn()
        await cluster.turns(1, KEY, concurrency=950.0)

    first, last = story(scenario).scaled()
    assert (first, last > first) == (5, True)


def test_a_write_is_tried_again_after_the_retry_after() -> None:
    async def scenario(cluster: Cluster) -> None:
        cluster.has_revision()
        cluster.api.refuse(SCALE, 429, retry_after_s=12.0)
        cluster.receives(KEY, concurrency=350.0, seconds=6)
        await cluster.turn()
        for _ in range(12):
            assert len(cluster.scaled()) == 1
            await cluster.turn(1.0)

    assert story(scenario).scaled() == [5, 5]


def test_answers_that_are_no_objects_stop_nothing() -> None:
    async def scenario(cluster: Cluster) -> None:
        cluster.api.terse = True
        cluster.has_revision()
        cluster.receives(KEY, concurrency=350.0)
        await cluster.turns(5, KEY, concurrency=350.0)

    cluster = story(scenario)
    assert cluster.scaled() == [5]
    assert cluster.fault() == ""
