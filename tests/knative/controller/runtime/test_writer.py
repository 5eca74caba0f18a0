"""What was planned is written: in order, for whom it was meant, the newest plan."""

import asyncio
from typing import Any

import pytest

from knative.client.api import JSON_PATCH, MERGE_PATCH
from knative.controller.runtime.writer import STATUS_AFTER_S, WRITES_AT_ONCE
from knative.controller.state import events as seen
from knative.controller.state.instructions import (
    CancelWrites,
    CreateServerlessService,
    PatchStatus,
    Scale,
    Write,
)
from tests.knative.controller.writing import (
    ALL,
    SCALE,
    SKS,
    SPEC,
    STATUS,
    Written,
    plan,
    scale,
    story,
)
from tests.knative.objects import NAMESPACE, a_podautoscaler, path_of


def test_writes_follow_each_other_as_planned_and_are_reported() -> None:
    written = story(lambda it: it.does(plan()))
    assert written.paths == [SCALE, SKS, STATUS]
    first, second, third = written.api.calls
    assert first.body == [{"op": "add", "path": "/spec/replicas", "value": 5}]
    assert second.body == {"spec": SPEC.as_object()}
    assert third.body == {"status": {"desiredScale": 5}}
    assert [call.kind for call in written.api.calls] == [JSON_PATCH, MERGE_PATCH, MERGE_PATCH]
    told, done = written.reports
    assert isinstance(told, seen.StatusWritten)
    assert (told.key, told.object.status.desired) == ("shop/cart", 5)
    assert done == seen.PlanDone(key="shop/cart", uid="uid-of-cart")
    assert written.writer.writes == 3


def test_a_serverlessservice_carries_what_the_server_has_and_we_do_not_keep() -> None:
    pa = a_podautoscaler(annotations={"example.com/owner": "x" * 100_000})
    pa["metadata"]["labels"] |= {f"example.com/label-{i}": "x" for i in range(1000)}

    async def scenario(it: Written) -> None:
        it.api.remove(SKS)
        it.api.put(pa)
        await it.does(plan(writes=(CreateServerlessService(spec=SPEC),)))

    written = story(scenario)
    (made,) = written.api.calls
    assert (made.verb, made.path) == ("create", SKS.removesuffix("/cart"))
    meta = made.body["metadata"]
    assert (meta["namespace"], meta["name"]) == (NAMESPACE, "cart")
    assert meta["labels"] == pa["metadata"]["labels"]
    assert meta["annotations"] == pa["metadata"]["annotations"]
    assert meta["ownerReferences"][0]["uid"] == "uid-of-cart"
    assert made.body["spec"] == SPEC.as_object()
    assert written.outcomes == [seen.PlanDone(key="shop/cart", uid="uid-of-cart")]


def test_a_problem_is_reported_though_all_was_written() -> None:
    written = story(lambda it: it.does(plan(problem="not ours"), plan("till", (), problem="so")))
    assert written.paths == [SCALE, SKS, STATUS]
    assert [(e.key, e.why) for e in written.outcomes] == [
        ("shop/till", "so"),
        ("shop/cart", "not ours"),
    ]


def test_an_answer_that_is_no_object_harms_nobody() -> None:
    async def scenario(it: Written) -> None:
        it.api.terse = True
        await it.does(plan())

    written = story(scenario)
    assert written.reports == [seen.PlanDone(key="shop/cart", uid="uid-of-cart")]


# --- the newest plan wins -------------------------------------------------------------------------


def test_a_newer_plan_takes_the_place_of_all_that_has_not_begun() -> None:
    async def scenario(it: Written) -> None:
        it.api.slow[SCALE] = 1.0
        await it.does(plan(), seconds=0.5)
        await it.does(scale(7), seconds=0.1)
        await it.does(scale(9), seconds=5.0)

    written = story(scenario)
    assert written.pods == [5, 9]
    assert written.paths == [SCALE, SCALE]
    assert written.outcomes == [seen.PlanDone(key="shop/cart", uid="uid-of-cart")]


def test_a_newer_plan_does_not_wait_for_what_failed() -> None:
    async def scenario(it: Written) -> None:
        it.api.refuse(SCALE, 500)
        await it.does(scale(5))
        await it.does(scale(7))

    written = story(scenario)
    assert written.pods == [5, 7]
    assert [type(e) for e in written.outcomes] == [seen.PlanFailed, seen.PlanDone]


def test_a_plan_in_the_very_turn_in_which_the_last_one_ends_is_not_lost() -> None:
    async def scenario(it: Written) -> None:
        it.writer.carry_out([plan(writes=())])
        loop = asyncio.get_running_loop()
        loop.call_soon(it.writer.carry_out, [scale(1)])  # after the task's only step
        await asyncio.sleep(1.0)

    assert story(scenario).pods == [1]


def test_whoever_fails_to_hear_of_an_outcome_keeps_no_later_plan_from_being_written() -> None:
    async def scenario(it: Written) -> None:
        it.deaf = True
        it.api.refuse(SCALE, 500)
        await it.does(plan())
        await it.does(plan())
        await it.does(scale(3))

    assert story(scenario).pods == [5, 5, 3]


# --- statuses let pods start ----------------------------------------------------------------------


def test_a_status_waits_a_moment_after_a_scale_and_nothing_else_does() -> None:
    async def scenario(it: Written) -> None:
        await it.does(plan(), plan("till", ALL[2:]), seconds=0.9 * STATUS_AFTER_S)
        assert it.paths == [SCALE, path_of("PodAutoscaler", "till") + "/status", SKS]
        await it.does(seconds=0.2 * STATUS_AFTER_S)
        assert it.paths[3:] == [STATUS]
        await it.does(plan(writes=ALL[2:]), seconds=0.1)
        assert it.paths[4:] == [STATUS]
        await it.does(plan(), seconds=0.9 * STATUS_AFTER_S)
        assert it.paths[5:] == [SCALE, SKS]

    story(scenario, "cart", "till")


def test_a_scale_does_not_wait_for_a_status_that_waits_nor_does_the_status_wait_longer() -> None:
    async def scenario(it: Written) -> None:
        for pods in range(4):
            writes = (Scale(deployment="cart-deployment", pods=pods), ALL[2])
            await it.does(plan(writes=writes), seconds=0.3 * STATUS_AFTER_S)
            assert it.pods == list(range(pods + 1))
        assert it.paths == [SCALE, SCALE, SCALE, SCALE, STATUS]

    story(scenario)


def test_a_plan_that_comes_while_a_scale_is_written_does_not_wait_for_the_status_after_it() -> None:
    async def scenario(it: Written) -> None:
        it.api.slow[SCALE] = 0.3 * STATUS_AFTER_S
        await it.does(plan(writes=(ALL[0], ALL[2])), seconds=0.1 * STATUS_AFTER_S)
        await it.does(scale(7), seconds=0.6 * STATUS_AFTER_S)
        assert it.pods == [5, 7]

    story(scenario)


def active(status: str) -> dict[str, Any]:
    """A status with that condition."""
    return {"conditions": [{"type": "Active", "status": status}]}


@pytest.mark.parametrize("pods", [None, 0])
def test_a_status_that_waits_is_told_before_a_newer_one_tells_of_something_else(
    pods: int | None,
) -> None:
    async def scenario(it: Written) -> None:
        first, then = (PatchStatus(status=active(status)) for status in ("Unknown", "True"))
        await it.does(plan(writes=(ALL[0], first)), seconds=0.3 * STATUS_AFTER_S)
        await it.does(plan(writes=(ALL[0], first)), seconds=0.3 * STATUS_AFTER_S)
        assert it.paths == [SCALE, SCALE]
        scale = () if pods is None else (Scale(deployment="cart-deployment", pods=pods),)
        await it.does(plan(writes=(*scale, then)), seconds=0.1 * STATUS_AFTER_S)
        assert it.paths[2:4] == [STATUS, SCALE if scale else STATUS]
        await it.does(seconds=STATUS_AFTER_S)
        told, then_told = (e for e in it.reports if isinstance(e, seen.StatusWritten))
        assert (told.outdates, then_told.outdates) == (True, False)
        assert it.api.bodies(STATUS) == [{"status": first.status}, {"status": then.status}]

    story(scenario)


def test_a_status_that_waits_is_told_before_nothing_is_left_to_tell() -> None:
    async def scenario(it: Written) -> None:
        unknown = PatchStatus(status=active("Unknown"))
        await it.does(plan(writes=(ALL[0], unknown)), seconds=0.3 * STATUS_AFTER_S)
        await it.does(plan(writes=()), seconds=0.1 * STATUS_AFTER_S)
        assert it.api.bodies(STATUS) == [{"status": unknown.status}]

    story(scenario)


# --- for whom, and by whom ------------------------------------------------------------------------


@pytest.mark.parametrize("uid", ["another", ""], ids=["made anew", "went"])
@pytest.mark.parametrize("writes", [ALL, (CreateServerlessService(spec=SPEC),)])
def test_nothing_is_written_for_another_under_the_same_name(
    uid: str, writes: tuple[Write, ...]
) -> None:
    async def scenario(it: Written) -> None:
        it.uids["shop/cart"] = uid
        await it.does(plan(writes=writes))

    written = story(scenario)
    assert (written.api.calls, written.reports) == ([], [])


@pytest.mark.parametrize("what", ["uid", "leads"])
def test_it_is_looked_right_before_each_write(what: str) -> None:
    """A write may wait, for its turn or for the one before: much can happen meanwhile."""

    async def scenario(it: Written) -> None:
        it.api.slow[SCALE] = 1.0
        await it.does(plan(), seconds=0.5)
        if what == "uid":
            it.uids["shop/cart"] = "another"
        else:
            it.leads = False
        await asyncio.sleep(2.0)

    written = story(scenario)
    assert (written.paths, written.reports) == ([SCALE], [])


def test_who_waits_for_a_slot_looks_after_it() -> None:
    names = [f"cart-{i}" for i in range(WRITES_AT_ONCE + 1)]

    async def scenario(it: Written) -> None:
        status = (PatchStatus(status={}),)
        for name in names[:-1]:
            it.api.slow[path_of("PodAutoscaler", name) + "/status"] = 1.0
        await it.does(*(plan(name, status) for name in names), seconds=0.5)
        it.leads = False
        await asyncio.sleep(2.0)

    assert len(story(scenario, *names).paths) == WRITES_AT_ONCE


def test_what_is_given_up_is_not_written_and_keeps_no_new_plan_from_being_written() -> None:
    async def scenario(it: Written) -> None:
        it.api.silent.add(SCALE)
        await it.does(plan(), seconds=0.5)
        it.writer.carry_out([plan(), CancelWrites()])
        await asyncio.sleep(1.0)
        it.api.silent.clear()
        await it.does(plan(writes=ALL[2:]))

    written = story(scenario)
    assert written.paths == [SCALE, STATUS]
