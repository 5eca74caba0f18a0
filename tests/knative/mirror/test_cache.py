import asyncio

import pytest
from aiohttp import web

from tests.knative.client.test_api import PATIENCE_S, Answer, page, refusal
from tests.knative.mirror.following import (
    ApiServer,
    Follower,
    a_deployment,
    a_server,
    connected,
    follow,
)

# --- when all goes well ---------------------------------------------------------------------------


def test_lists_then_watches() -> None:
    async def story(server: ApiServer, follower: Follower) -> None:
        await follower.catches_up()
        assert follower.cache.synced.is_set()
        server.put(a_deployment("shelf", 7))
        server.put(a_deployment("cart", 9))
        server.remove("till")
        await follower.catches_up()
        assert follower.kept == {"shop/shelf": 7, "shop/cart": 9}

    server = a_server("cart", "till")
    changes = follow(story, server)
    assert changes == [
        ("shop/cart", 1),
        ("shop/till", 2),
        ("shop/shelf", 7),
        ("shop/cart", 9),
        ("shop/till", None),
    ]
    assert server.lists == 1


def test_a_long_list_comes_in_pages() -> None:
    async def story(server: ApiServer, follower: Follower) -> None:
        await follower.catches_up()

    server = a_server(*[f"d{i:04d}" for i in range(25)])
    server.page_of = 10
    assert len(follow(story, server)) == 25
    assert [query.get("continue") for query in server.queries[:3]] == [None, "10", "20"]


def test_watches_from_where_it_listed() -> None:
    async def story(server: ApiServer, follower: Follower) -> None:
        await follower.catches_up()

    server = a_server("cart")
    follow(story, server)
    watch = server.queries[1]
    assert watch["resourceVersion"] == str(server.version)
    assert watch["allowWatchBookmarks"] == "true"


def test_a_watch_that_ends_is_taken_up_where_the_last_bookmark_was() -> None:
    async def story(server: ApiServer, follower: Follower) -> None:
        await follower.catches_up()
        server.event("BOOKMARK", {"metadata": {"resourceVersion": "777"}})
        server.tell(None)
        await server.watched.wait()
        server.put(a_deployment("till", 3))
        await follower.catches_up()

    server = a_server("cart")
    assert follow(story, server) == [("shop/cart", 1), ("shop/till", 3)]
    assert server.lists == 1
    assert server.queries[-1]["resourceVersion"] == "777"


def test_what_is_not_kept_of_an_object_may_change_unheard() -> None:
    async def story(server: ApiServer, follower: Follower) -> None:
        await follower.catches_up()
        server.put(a_deployment("cart", 1, labels={"new": "label"}))
        server.put(a_deployment("till", 3))
        await follower.catches_up()

    assert follow(story, a_server("cart")) == [("shop/cart", 1), ("shop/till", 3)]


def test_only_objects_with_the_labels_are_asked_for() -> None:
    async def run() -> None:
        server = a_server("cart")
        async with connected(server) as api:
            follower = Follower(server, labels="app")
            task = asyncio.create_task(follower.cache.follow(api))
            await follower.catches_up()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        assert {query["labelSelector"] for query in server.queries} == {"app"}

    asyncio.run(asyncio.wait_for(run(), PATIENCE_S))


def test_an_object_that_is_not_understood_hides_no_other() -> None:
    async def story(server: ApiServer, follower: Follower) -> None:
        await follower.until(lambda: "shop/till" in follower.kept)

    server = a_server("cart", "till")
    server.objects["cart"]["spec"]["replicas"] = "many"
    assert follow(story, server) == [("shop/till", 2)]


# --- when it does not -----------------------------------------------------------------------------


def test_what_went_while_the_watch_was_broken_is_reported_gone() -> None:
    async def story(server: ApiServer, follower: Follower) -> None:
        await follower.catches_up()
        server.remove("till", told=False)
        server.put(a_deployment("cart", 5), told=False)
        server.tell(b"cut")
        await follower.catches_up()
        assert follower.cache.fault == ""

    changes = follow(story, a_server("cart", "till", "shelf"))
    assert sorted(changes[3:], key=str) == [("shop/cart", 5), ("shop/till", None)]


@pytest.mark.parametrize("code", [410, 500])
def test_an_error_in_the_watch_leads_to_a_new_list(code: int) -> None:
    async def story(server: ApiServer, follower: Follower) -> None:
        await follower.catches_up()
        server.remove("till", told=False)
        server.event("ERROR", {"kind": "Status", "code": code, "message": "too old"})
        server.tell(None)
        await follower.catches_up()

    changes = follow(story, a_server("cart", "till"))
    assert changes[2:] == [("shop/till", None)]


def test_a_word_that_something_is_gone_and_was_not_taken_in_is_told_again() -> None:
    async def story(server: ApiServer, follower: Follower) -> None:
        await follower.catches_up()
        follower.faults = [RuntimeError("a fault of whoever hears")]
        server.remove("till")
        while follower.faults:
            await asyncio.sleep(0.01)
        await follower.catches_up()

    changes = follow(story, a_server("cart", "till"))
    assert changes[2:] == [("shop/till", None)]


async def half(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    response.content_length = 1000
    await response.prepare(request)
    await response.write(b'{"metadata": ')
    assert request.transport
    request.transport.abort()
    return response


ODD: dict[str, Answer] = {
    "500": refusal(500),
    "429": refusal(429, **{"Retry-After": "1"}),
    "410": refusal(410),
    "403": refusal(403),
    "503 without a body": lambda request: _empty(503),
    "half an answer": half,
    "no JSON": page("<html></html>"),
    "a number": page("17"),
    "another object": page("{}"),
}


async def _empty(status: int) -> web.StreamResponse:
    return web.Response(status=status)


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD.keys())
def test_a_list_that_fails_is_tried_again(odd: Answer) -> None:
    async def story(server: ApiServer, follower: Follower) -> None:
        await follower.catches_up()
        assert follower.cache.fault == ""

    server = a_server("cart", "till")
    server.odd = [odd, odd]
    assert follow(story, server) == [("shop/cart", 1), ("shop/till", 2)]


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD.keys())
def test_a_watch_that_fails_is_begun_anew(odd: Answer) -> None:
    async def story(server: ApiServer, follower: Follower) -> None:
        await follower.catches_up()
        server.odd = [odd]
        server.put(a_deployment("till", 4), told=False)
        server.tell(None)
        await follower.catches_up()

    assert follow(story, a_server("cart")) == [("shop/cart", 1), ("shop/till", 4)]


@pytest.mark.parametrize("line", [b"garbage\n", b"[]\n", b"{}\n", b'{"type": "ADDED"}\n'])
def test_a_line_that_is_no_event_leads_to_a_new_list(line: bytes) -> None:
    async def story(server: ApiServer, follower: Follower) -> None:
        await follower.catches_up()
        server.put(a_deployment("till", 4), told=False)
        server.tell(line)
        server.tell(None)
        await follower.catches_up()

    assert follow(story, a_server("cart")) == [("shop/cart", 1), ("shop/till", 4)]


def test_an_object_of_a_megabyte_is_watched_like_any_other() -> None:
    async def story(server: ApiServer, follower: Follower) -> None:
        await follower.catches_up()
        server.put(a_deployment("till", 4, annotations={"long": "x" * 2**20}))
        await follower.catches_up()

    server = a_server("cart")
    assert follow(story, server) == [("shop/cart", 1), ("shop/till", 4)]
    assert server.lists == 1


def test_while_it_cannot_list_the_cache_keeps_what_it_has_and_says_why() -> None:
    async def story(server: ApiServer, follower: Follower) -> None:
        await follower.catches_up()
        server.odd = [refusal(500)] * 3
        asked = len(server.queries)
        server.tell(b"cut")
        while len(server.queries) < asked + 2:
            await asyncio.sleep(0.01)
        assert follower.kept == {"shop/cart": 1}
        assert follower.cache.fault
        assert "\n" not in follower.cache.fault

    assert follow(story, a_server("cart")) == [("shop/cart", 1)]


def test_what_could_not_be_taken_in_is_told_again_and_hides_no_other() -> None:
    async def story(server: ApiServer, follower: Follower) -> None:
        await follower.catches_up()
        follower.faults = [TypeError("a fault of ours")]
        server.put(a_deployment("cart", 2))
        server.put(a_deployment("till", 4))
        await follower.catches_up()

    changes = follow(story, a_server("cart"))
    assert sorted(changes, key=str) == [("shop/cart", 1), ("shop/cart", 2), ("shop/till", 4)]
