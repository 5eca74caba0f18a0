"""Whoever hangs, is refused or has a wrong name keeps nobody else waiting."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knative.controller.runtime.writer import NAME, SCALES_AT_ONCE, WRITES_AT_ONCE
from knative.controller.state import events as seen
from knative.controller.state.instructions import PatchServerlessService, PatchStatus, Scale, Write
from tests.autoscaler.core.stories import LAW
from tests.knative.controller.writing import (
    ALL,
    SCALE,
    SPEC,
    STATUS,
    Written,
    plan,
    scale,
    story,
)
from tests.knative.objects import path_of

# --- nobody waits for others ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("write", "kind"),
    [
        (PatchStatus(status={}), "PodAutoscaler"),
        (PatchServerlessService(spec=SPEC), "ServerlessService"),
    ],
)
def test_pods_never_wait_behind_other_writes_that_hang(write: Write, kind: str) -> None:
    names = [f"slow-{i}" for i in range(WRITES_AT_ONCE + 10)]

    async def scenario(it: Written) -> None:
        for name in names:
            end = "/status" if kind == "PodAutoscaler" else ""
            it.api.silent.add(path_of(kind, name) + end)
        await it.does(*(plan(name, (write,)) for name in names), seconds=1.0)
        assert len(it.paths) == WRITES_AT_ONCE
        await it.does(scale(1), seconds=0.01)
        assert it.pods == [1]

    story(scenario, "cart", *names)


def test_of_pods_only_so_many_are_written_at_once_and_statuses_do_not_wait_for_them() -> None:
    names = [f"slow-{i}" for i in range(SCALES_AT_ONCE + 10)]

    async def scenario(it: Written) -> None:
        it.api.silent |= {path_of("Deployment", name) + "/scale" for name in names}
        await it.does(*(scale(1, name) for name in names), seconds=1.0)
        assert len(it.paths) == SCALES_AT_ONCE
        await it.does(plan(writes=ALL[2:]), seconds=0.01)
        assert it.paths[-1] == STATUS

    story(scenario, "cart", *names)


@pytest.mark.parametrize("status", [403, 404, 409, 500, 0])
def test_what_is_refused_ends_its_own_plan_alone(status: int) -> None:
    async def scenario(it: Written) -> None:
        it.api.refuse(SCALE, status)
        await it.does(plan(), scale(2, "till"))

    written = story(scenario, "cart", "till")
    assert written.paths.count(SCALE) == 1
    assert STATUS not in written.paths
    by_key = {e.key: e for e in written.outcomes}
    assert isinstance(by_key["shop/till"], seen.PlanDone)
    failed = by_key["shop/cart"]
    assert isinstance(failed, seen.PlanFailed)
    assert (failed.uid, failed.why, failed.wait_s) == ("uid-of-cart", f"{SCALE}: {status}", 0.0)


def test_a_server_that_asks_to_wait_is_passed_on() -> None:
    async def scenario(it: Written) -> None:
        it.api.refuse(SCALE, 429, retry_after_s=12.0)
        await it.does(plan())

    assert [e.wait_s for e in story(scenario).outcomes] == [12.0]


# --- names ----------------------------------------------------------------------------------------

WRONG = ("..", "", "a/b", "../../x", "a%2fb", "a?b", "a#b", "A", " a", "a\n", "-a", "a-", "ü", ".")


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("what", ["namespace", "name", "deployment"])
def test_a_name_that_is_none_is_never_part_of_a_path(what: str, name: str) -> None:
    writes = {"deployment": (Scale(deployment=name, pods=1),), "name": ALL[1:]}.get(what, ALL)
    made = plan(writes=writes, **({} if what == "deployment" else {what: name}))

    async def scenario(it: Written) -> None:
        it.uids[made.key] = made.uid
        await it.does(made)

    written = story(scenario)
    assert written.api.calls == []
    (failed,) = written.outcomes
    assert "is no name of an object" in failed.why


@LAW
@given(st.text("az09-./%?#\\ \n", max_size=8))
def test_whatever_passes_for_a_name_leads_nowhere_else(name: str) -> None:
    if NAME.fullmatch(name):
        assert not set(name) & set("/%?#\\ \n")
        assert name.strip(".") == name
