"""What a cache meets never ends it, and one object never stands for the others."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web
from kubernetes.aio.client import Configuration

from autoscaler.limits import LIST_BYTES, OBJECT_BYTES, Limit
from knative.client.api import Object
from knative.mirror.quota import Quota, in_all, of_namespace
from tests.knative.client.test_api import PATIENCE_S, page, refusal
from tests.knative.mirror.following import (
    ApiServer,
    Follower,
    a_deployment,
    a_server,
    connected,
    follow,
    replicas,
)

# --- what may never end it ------------------------------------------------------------------------


def test_a_token_that_cannot_be_read_for_a_while_is_reported_and_survived() -> None:
    """The file is read anew for every list: with no descriptor left it cannot be opened."""

    async def run() -> None:
        server = a_server("cart")
        configuration: Any = Configuration()
        async with connected(server, configuration) as api:
            hook = failing(OSError(24, "Too many open files"), times=3)
            configuration.refresh_api_key_hook, configuration.api_key = hook, {"BearerToken": "x"}
            follower = Follower(server)
            task = asyncio.create_task(follower.cache.follow(api))
            await follower.catches_up()
            assert not task.done()
            task.cancel()
        assert "Too many open files" in follower.reports[0]
        assert follower.reports[-1] == ""

    asyncio.run(asyncio.wait_for(run(), PATIENCE_S))


def failing(error: Exception, times: int) -> Callable[[object], None]:
    """Fails so often, and then no more."""
    left = [error] * times

    def call(_: object) -> None:
        if left:
            raise left.pop()

    return call


def test_whoever_fails_to_hear_a_report_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def story(server: ApiServer, follower: Follower) -> None:
        await follower.catches_up()
        follower.report_faults = [RuntimeError("a fault of ours"), RuntimeError("another")]
        server.odd = [refusal(500)]
        server.put(a_deployment("till", 4), told=False)
        server.tell(b"cut")
        await follower.catches_up()
        assert not follower.report_faults

    assert follow(story, a_server("cart")) == [("shop/cart", 1), ("shop/till", 4)]
    assert "a fault of ours" in caplog.text


@pytest.mark.parametrize(
    "spec",
    ['{"replicas": ' + "9" * 5000 + "}", '{"replicas": 1e999}', '{"replicas": {}}', '"text"', "7"],
    ids=["5,000 digits", "infinite", "an object", "a text", "a number"],
)
def test_a_field_that_cannot_be_concerns_its_object_alone(spec: str) -> None:
    """The last of a list, and an event: both name it, and go on."""
    odd = '{"metadata": {"namespace": "shop", "name": "odd", "resourceVersion": "9"}, "spec": SPEC}'

    async def story(server: ApiServer, follower: Follower) -> None:
        await follower.until(lambda: "shop/cart" in follower.kept)
        await server.watched.wait()
        event = '{"type": "MODIFIED", "object": ' + odd.replace("SPEC", spec) + "}"
        server.tell(event.encode() + b"\n")
        server.put(a_deployment("till", 4))
        await follower.until(lambda: "shop/till" in follower.kept)
        assert follower.reports == []

    server = a_server()
    cart = json.dumps(a_deployment("cart", 1))
    items = f"[{odd.replace('SPEC', spec)}, {cart}]"
    server.odd = [page('{"items": ' + items + ', "metadata": {"resourceVersion": "9"}}')]
    assert follow(story, server) == [("shop/cart", 1), ("shop/till", 4)]
    assert server.lists == 0  # the odd answer was the only one


# --- 410 ------------------------------------------------------------------------------------------


def test_a_list_that_expires_in_the_middle_begins_anew_ever_more_rarely_and_is_reported() -> None:
    async def story(server: ApiServer, follower: Follower) -> None:
        await follower.until(lambda: bool(follower.reports))
        assert "410" in follower.reports[0]
        await asyncio.sleep(2.0)
        assert 2 <= server.lists <= 7  # every 0.2 s it would be ten or more
        server.gone_at = 0
        await follower.catches_up()

    server = a_server(*[f"d{i}" for i in range(6)])
    server.page_of, server.gone_at = 2, 4
    assert len(follow(story, server)) == 6


def test_watches_that_are_always_too_old_are_begun_ever_more_rarely_and_reported() -> None:
    async def story(server: ApiServer, follower: Follower) -> None:
        await follower.until(lambda: any("too old" in why for why in follower.reports))
        await asyncio.sleep(2.0)
        assert server.lists <= 8
        server.watch_gone = False
        await follower.catches_up()

    server = a_server("cart")
    server.watch_gone = True
    follow(story, server)


def test_a_watch_that_is_too_old_once_is_normal_and_not_reported() -> None:
    async def story(server: ApiServer, follower: Follower) -> None:
        await follower.catches_up()
        server.event("ERROR", {"kind": "Status", "code": 410, "message": "too old"})
        server.put(a_deployment("cart", 2), told=False)
        server.tell(None)
        await follower.catches_up()
        assert follower.reports == []

    follow(story, a_server("cart"))


# --- objects that are too large -------------------------------------------------------------------

LARGE = {"annotations": {"long": "x" * int(OBJECT_BYTES.most)}}
TOO_LARGE = (OBJECT_BYTES, "deployments shop/till")


def test_an_event_that_is_too_large_is_left_out_by_its_name_and_the_watch_goes_on() -> None:
    async def story(server: ApiServer, follower: Follower) -> None:
        await follower.catches_up()
        server.put(a_deployment("till", 4, **LARGE))
        server.put(a_deployment("cart", 3))
        await follower.until(lambda: follower.kept["shop/cart"] == 3)
        assert follower.kept["shop/till"] == 2  # what was known of it stays
        assert follower.refused == [TOO_LARGE]
        server.put(a_deployment("till", 5))
        await follower.catches_up()

    server = a_server("cart", "till")
    follow(story, server)
    assert server.lists == 1


def test_an_object_that_is_too_large_and_goes_is_seen_to_go() -> None:
    async def story(server: ApiServer, follower: Follower) -> None:
        await follower.catches_up()
        server.put(a_deployment("till", 4, **LARGE))
        server.remove("till")
        await follower.catches_up()

    server = a_server("cart", "till")
    assert follow(story, server)[2:] == [("shop/till", None)]
    assert server.lists == 1


def test_after_an_event_that_is_too_large_a_watch_goes_on_from_there() -> None:
    async def story(server: ApiServer, follower: Follower) -> None:
        await follower.catches_up()
        server.put(a_deployment("till", 4, **LARGE))
        server.tell(None)
        await server.watches()

    server = a_server("cart", "till")
    follow(story, server)
    assert server.queries[-1]["resourceVersion"] == str(server.version)


def test_many_large_objects_are_listed_in_smaller_pages() -> None:
    async def story(server: ApiServer, follower: Follower) -> None:
        await follower.catches_up()
        assert follower.refused == []

    server = ApiServer()
    for i in range(6):
        server.put(a_deployment(f"d{i}", i, annotations={"long": "x" * 1_000_000}))
    follow(story, server)
    assert len({query["limit"] for query in server.queries if "limit" in query}) > 3


@pytest.mark.parametrize("first", [True, False], ids=["metadata first", "items first"])
def test_an_object_that_is_too_large_for_a_list_is_left_out_by_its_name(first: bool) -> None:
    """Go writes the fields of a list in order, or sorted: the version may come last."""

    async def story(server: ApiServer, follower: Follower) -> None:
        await follower.until(lambda: follower.kept == {"shop/cart": 1, "shop/shelf": 3})
        await server.watched.wait()
        assert follower.refused == [TOO_LARGE]

    server = a_server("cart", "till", "shelf")
    server.metadata_first = first
    server.objects["till"]["metadata"]["annotations"] = {"long": "x" * int(LIST_BYTES.most)}
    follow(story, server)


def test_what_was_known_of_an_object_that_grew_too_large_stays() -> None:
    async def story(server: ApiServer, follower: Follower) -> None:
        await follower.catches_up()
        server.put(
            a_deployment("till", 9, annotations={"long": "x" * int(LIST_BYTES.most)}), told=False
        )
        server.put(a_deployment("cart", 5), told=False)
        server.tell(b"cut")
        await follower.until(lambda: follower.kept["shop/cart"] == 5)
        await server.watched.wait()
        assert follower.kept["shop/till"] == 2

    follow(story, a_server("cart", "till"))


# --- more objects than there is room for ----------------------------------------------------------

TWO = Limit("deployments", 2, "deployments", "for tests")
ONE_EACH = Limit("namespace_deployments", 1, "deployments of a namespace", "for tests")


def test_what_is_too_much_is_left_out_by_its_name_and_what_is_known_stays_current() -> None:
    async def story(server: ApiServer, follower: Follower) -> None:
        await follower.until(lambda: len(follower.kept) == 2)
        await server.watched.wait()
        server.put(a_deployment("cart", 7))
        server.put(a_deployment("shelf", 8))
        server.put(a_deployment("till", 9))
        await follower.until(lambda: follower.kept == {"shop/cart": 7, "shop/till": 9})
        assert follower.refused == [(TWO, "deployments shop/shelf")] * 2

    follow(story, a_server("cart", "till", "shelf"), quota=Quota((TWO, in_all)))


def test_what_was_left_out_comes_in_once_another_has_gone() -> None:
    async def story(server: ApiServer, follower: Follower) -> None:
        await follower.until(lambda: len(follower.kept) == 2)
        await server.watched.wait()
        server.remove("cart")
        server.tell(None)  # as it does every few minutes
        await follower.catches_up()

    follow(story, a_server("cart", "till", "shelf"), quota=Quota((TWO, in_all)))


def test_one_namespace_does_not_use_up_the_room_of_others() -> None:
    async def story(server: ApiServer, follower: Follower) -> None:
        await follower.until(lambda: len(follower.kept) == 2)
        assert follower.kept == {"shop/cart": 1, "bank/vault": 4}

    server = a_server("cart", "till", "shelf", "vault")
    server.objects["vault"]["metadata"]["namespace"] = "bank"
    follow(story, server, quota=Quota((TWO, in_all), (ONE_EACH, of_namespace)))


def test_a_list_that_never_ends_is_given_up_and_reported() -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        more = str(int(request.query.get("continue", "0")) + 1)
        return web.json_response(
            {"items": [], "metadata": {"resourceVersion": "1", "continue": more}}
        )

    async def story(server: ApiServer, follower: Follower) -> None:
        await follower.until(lambda: bool(follower.reports))
        assert "does not end" in follower.reports[0]
        server.odd.clear()
        await follower.catches_up()

    server = a_server("cart")
    server.odd = [endless] * 100
    follow(story, server)


def test_what_does_not_concern_us_is_not_kept() -> None:
    async def story(server: ApiServer, follower: Follower) -> None:
        await follower.until(lambda: follower.kept == {"shop/till": 2})
        await server.watched.wait()
        server.put(a_deployment("cart", 2))
        await follower.catches_up()
        server.put(a_deployment("cart", 1))
        await follower.until(lambda: follower.kept == {"shop/till": 2})

    def but_one(o: Object) -> int | None:
        pods = replicas(o)
        return None if pods == 1 else pods

    follow(story, a_server("cart", "till"), parse=but_one)
