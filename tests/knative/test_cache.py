import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from kubernetes.aio.client import ApiClient, Configuration

from autoscaler.errors import AutoscalerError
from knative.api import JSON_PATCH, MERGE_PATCH, Api, ApiError, Object
from knative.cache import Cache
from knative.objects import replicas

PATH = "/apis/apps/v1/deployments"
PATIENCE_S = 20.0  # until a test gives up; none waits so long
Heard = list[tuple[str, int | None]]
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def a_deployment(name: str, pods: int, **metadata: Any) -> Object:
    return {"metadata": {"namespace": "shop", "name": name, **metadata}, "spec": {"replicas": pods}}


class ApiServer:
    """Lists in pages and watches, as Kubernetes does; fails when told to."""

    def __init__(self) -> None:
        self.objects: dict[str, Object] = {}
        self.version = 10
        self.page_of = 500  # objects
        self.odd: list[Answer] = []  # answers to the next requests, whatever is asked
        self.queries: list[dict[str, str]] = []
        self.lists = 0
        self._watchers: list[asyncio.Queue[bytes | None]] = []
        self.watched = asyncio.Event()

    async def get(self, request: web.Request) -> web.StreamResponse:
        self.queries.append(dict(request.query))
        if self.odd:
            return await self.odd.pop(0)(request)
        return await (self.watch(request) if "watch" in request.query else self.list(request))

    async def list(self, request: web.Request) -> web.StreamResponse:
        begin = int(request.query.get("continue", 0))
        self.lists += begin == 0
        end = begin + min(int(request.query["limit"]), self.page_of)
        metadata = {"resourceVersion": str(self.version)}
        if end < len(self.objects):
            metadata["continue"] = str(end)
        return web.json_response(
            {"metadata": metadata, "items": list(self.objects.values())[begin:end]}
        )

    async def watch(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        lines: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._watchers.append(lines)
        self.watched.set()
        while (line := await lines.get()) is not None:
            if line == b"cut":
                assert request.transport
                request.transport.abort()
                break
            await response.write(line)
        return response

    # --- what happens on the server -----------------------------------------------------------

    def tell(self, line: bytes | None) -> None:
        """Send a line to those who watch; b"cut" = the network, None = the end of a watch."""
        for lines in self._watchers:
            lines.put_nowait(line)
        if line is None or line == b"cut":
            self._watchers.clear()
            self.watched.clear()

    def event(self, kind: str, item: Object) -> None:
        self.tell(json.dumps({"type": kind, "object": item}).encode() + b"\n")

    def put(self, o: Object, *, told: bool = True) -> None:
        self.version += 1
        name = o["metadata"]["name"]
        kind = "MODIFIED" if name in self.objects else "ADDED"
        o["metadata"]["resourceVersion"] = str(self.version)
        self.objects[name] = o
        if told:
            self.event(kind, o)

    def remove(self, name: str, *, told: bool = True) -> None:
        self.version += 1
        gone = self.objects.pop(name)
        gone["metadata"]["resourceVersion"] = str(self.version)
        if told:
            self.event("DELETED", gone)

    @property
    def held(self) -> dict[str, int]:
        """What a cache of replicas should hold."""
        return {f"shop/{name}": o["spec"]["replicas"] for name, o in self.objects.items()}


@asynccontextmanager
async def connected(server: ApiServer) -> AsyncIterator[Api]:
    app = web.Application()
    app.router.add_get(PATH, server.get)
    runner = web.AppRunner(app, shutdown_timeout=0.01)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    configuration = Configuration()
    configuration.host = f"http://127.0.0.1:{runner.addresses[0][1]}"
    api = Api(ApiClient(configuration))
    try:
        yield api
    finally:
        await api.close()
        server.tell(None)
        await runner.cleanup()


class Follower:
    """A cache that follows, and what was heard of it."""

    def __init__(self, server: ApiServer, **options: Any) -> None:
        self.server = server
        self.heard: Heard = []
        self.faults: list[Exception] = []  # of those who hear
        self.cache = Cache(PATH, replicas, self._hear, **options)
        self.changed = asyncio.Event()

    def _hear(self, key: str, pods: int | None) -> None:
        if self.faults:
            raise self.faults.pop()
        self.heard.append((key, pods))
        self.changed.set()

    async def catches_up(self) -> None:
        """Wait until the cache holds what the server has, and watches."""
        while dict(self.cache) != self.server.held:
            self.changed.clear()
            await self.changed.wait()
        await self.server.watched.wait()


def follow(story: Callable[[ApiServer, Follower], Awaitable[None]], server: ApiServer) -> Heard:
    """Run a story while a cache follows; returns what was heard of it."""

    async def run() -> Heard:
        async with connected(server) as api:
            follower = Follower(server)
            task = asyncio.create_task(follower.cache.follow(api))
            told = asyncio.create_task(_as_task(story(server, follower)))
            try:
                await asyncio.wait([task, told], return_when=asyncio.FIRST_COMPLETED)
                if task.done():
                    told.cancel()
                    task.result()  # following never ends, unless by a fault
                told.result()
            finally:
                task.cancel()
                await asyncio.gather(task, told, return_exceptions=True)
            return follower.heard

    return asyncio.run(asyncio.wait_for(run(), PATIENCE_S))


async def _as_task(story: Awaitable[None]) -> None:
    await story


def a_server(*names: str) -> ApiServer:
    server = ApiServer()
    for i, name in enumerate(names):
        server.put(a_deployment(name, i + 1))
    return server


# --- when all goes well ---------------------------------------------------------------------------


def test_lists_then_watches() -> None:
    async def story(server: ApiServer, follower: Follower) -> None:
        await follower.catches_up()
        assert follower.cache.synced.is_set()
        server.put(a_deployment("shelf", 7))
        server.put(a_deployment("cart", 9))
        server.remove("till")
        await follower.catches_up()
        assert len(follower.cache) == 2
        assert follower.cache.get("shop/cart") == 9
        assert follower.cache.get("shop/till") is None

    server = a_server("cart", "till")
    heard = follow(story, server)
    assert heard == [
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
        while "shop/till" not in dict(follower.cache):
            follower.changed.clear()
            await follower.changed.wait()

    server = a_server("cart", "till")
    server.objects["cart"]["spec"]["replicas"] = "many"
    assert follow(story, server) == [("shop/till", 2)]


def test_the_answer_to_a_write_of_ours_is_taken_in() -> None:
    heard: Heard = []
    cache = Cache(PATH, replicas, lambda key, pods: heard.append((key, pods)))
    cache.put_own(a_deployment("cart", 4))
    cache.put_own(a_deployment("cart", 4))
    assert heard == [("shop/cart", 4)]


# --- when it does not -----------------------------------------------------------------------------


def test_what_went_while_the_watch_was_broken_is_reported_gone() -> None:
    async def story(server: ApiServer, follower: Follower) -> None:
        await follower.catches_up()
        server.remove("till", told=False)
        server.put(a_deployment("cart", 5), told=False)
        server.tell(b"cut")
        await follower.catches_up()
        assert follower.cache.broken == ""

    heard = follow(story, a_server("cart", "till", "shelf"))
    assert sorted(heard[3:], key=str) == [("shop/cart", 5), ("shop/till", None)]


@pytest.mark.parametrize("code", [410, 500])
def test_an_error_in_the_watch_leads_to_a_new_list(code: int) -> None:
    async def story(server: ApiServer, follower: Follower) -> None:
        await follower.catches_up()
        server.remove("till", told=False)
        server.event("ERROR", {"kind": "Status", "code": code, "message": "too old"})
        server.tell(None)
        await follower.catches_up()

    heard = follow(story, a_server("cart", "till"))
    assert heard[2:] == [("shop/till", None)]


def test_a_word_that_something_is_gone_and_was_not_taken_in_is_told_again() -> None:
    async def story(server: ApiServer, follower: Follower) -> None:
        await follower.catches_up()
        follower.faults = [RuntimeError("a fault of whoever hears")]
        server.remove("till")
        while follower.faults:
            await asyncio.sleep(0.01)
        await follower.catches_up()

    heard = follow(story, a_server("cart", "till"))
    assert heard[2:] == [("shop/till", None)]


def refusal(status: int, **headers: str) -> Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.json_response({"message": "not now"}, status=status, headers=headers)

    return answer


def page(text: str) -> Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(text=text, content_type="application/json")

    return answer


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
        assert follower.cache.broken == ""

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
        assert dict(follower.cache) == {"shop/cart": 1}
        assert follower.cache.broken
        assert "\n" not in follower.cache.broken

    assert follow(story, a_server("cart")) == [("shop/cart", 1)]


def test_what_could_not_be_taken_in_is_told_again_and_hides_no_other() -> None:
    async def story(server: ApiServer, follower: Follower) -> None:
        await follower.catches_up()
        follower.faults = [TypeError("a fault of ours")]
        server.put(a_deployment("cart", 2))
        server.put(a_deployment("till", 4))
        await follower.catches_up()

    heard = follow(story, a_server("cart"))
    assert sorted(heard, key=str) == [("shop/cart", 1), ("shop/cart", 2), ("shop/till", 4)]


# --- the API --------------------------------------------------------------------------------------


async def with_api(
    answer: Answer, ask: Callable[[Api], Awaitable[Object]], method: str = "GET"
) -> Object:
    app = web.Application()
    app.router.add_route(method, PATH, answer)
    runner = web.AppRunner(app, shutdown_timeout=0.01)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    configuration = Configuration()
    configuration.host = f"http://127.0.0.1:{runner.addresses[0][1]}"
    api = Api(ApiClient(configuration))
    try:
        return await asyncio.wait_for(ask(api), PATIENCE_S)
    finally:
        await api.close()
        await runner.cleanup()


async def echo(request: web.Request) -> web.StreamResponse:
    return web.json_response(
        {"kind": request.content_type, "method": request.method, "body": await request.json()}
    )


@pytest.mark.parametrize(
    ("kind", "body"),
    [(MERGE_PATCH, {"spec": {"mode": "Proxy"}}), (JSON_PATCH, [{"op": "add", "value": 0}])],
)
def test_a_patch_goes_out_as_it_is_with_its_kind(kind: str, body: Any) -> None:
    got = asyncio.run(with_api(echo, lambda api: api.patch(PATH, body, kind), "PATCH"))
    assert got == {"kind": kind, "method": "PATCH", "body": body}


def test_an_object_is_created_as_it_is() -> None:
    body = {"metadata": {"name": "cart"}, "spec": {"numActivators": 0}}
    got = asyncio.run(with_api(echo, lambda api: api.create(PATH, body), "POST"))
    assert got == {"kind": "application/json", "method": "POST", "body": body}


def test_a_refusal_carries_its_status_and_when_to_try_again() -> None:
    answer = refusal(429, **{"Retry-After": "7"})
    with pytest.raises(ApiError, match="429 not now") as refused:
        asyncio.run(with_api(answer, lambda api: api.get(PATH)))
    assert (refused.value.status, refused.value.retry_after_s) == (429, 7.0)


def test_a_server_that_is_not_there_is_status_zero() -> None:
    async def ask() -> None:
        configuration = Configuration()
        configuration.host = "http://127.0.0.1:1"
        api = Api(ApiClient(configuration))
        try:
            await api.get(PATH)
        finally:
            await api.close()

    with pytest.raises(AutoscalerError) as refused:
        asyncio.run(ask())
    assert isinstance(refused.value, ApiError)
    assert refused.value.status == 0
