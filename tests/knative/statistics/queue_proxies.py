"""Queue-proxies: real servers on addresses of their own, which answer well or badly."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any, TypeVar

import aiohttp
from aiohttp import web

from knative.mirror.objects import Pod
from knative.statistics.scraping.queue_proxy import PORT, PROTOBUF
from knative.statistics.scraping.scraper import ScrapeTarget
from knative.statistics.wire import Stat
from tests.knative.objects import NOW_S

T = TypeVar("T")
TIMEOUT_S = 0.5  # of an answer
PATIENCE_S = 30.0  # until a test gives up
WINDOW_S = 60.0
KEY = "shop/cart"

Page = Callable[[web.Request], Awaitable[web.StreamResponse]]


def says(stat: Any, *, content_type: str = PROTOBUF, status: int = 200) -> Page:
    """A queue-proxy that answers so."""
    body = stat if isinstance(stat, bytes) else stat.SerializeToString()

    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(body=body, content_type=content_type, status=status)

    return answer


def in_flight(requests: float) -> Page:
    return says(Stat(average_concurrent_requests=requests, request_count=2 * requests))


async def hang(request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(30)
    return web.Response()


async def never_ends(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": PROTOBUF})
    await response.prepare(request)
    while True:
        await response.write(b"\x0a\x00" * 100)


async def in_two_pieces(request: web.Request) -> web.StreamResponse:
    """The same as of one piece, had the network not split it between two fields."""
    body = Stat(average_concurrent_requests=4.0, request_count=8.0).SerializeToString()
    response = web.StreamResponse(headers={"Content-Type": PROTOBUF})
    response.content_length = len(body)
    await response.prepare(request)
    await response.write(body[:9])
    await asyncio.sleep(0.05)
    await response.write(body[9:])
    return response


BAD: dict[str, Page | None] = {
    "nobody listens": None,
    "500": says(Stat(), status=500),
    "404": says(Stat(), status=404),
    "page of HTML": says(b"<html></html>", content_type="text/html"),
    "garbage": says(b"\xff\xff\xff"),
    "huge": says(Stat(pod_name="x" * 10**6)),
    "endless": never_ends,
    "not a number": in_flight(float("nan")),
    "infinity": in_flight(float("inf")),
    "negative infinity": in_flight(-float("inf")),
    "absurd concurrency": says(Stat(average_concurrent_requests=1e300)),
    "absurd count": says(Stat(request_count=1e300)),
    "requests below none": in_flight(-1.0),
    "more taken off than can be": says(Stat(proxied_request_count=1e300)),
    "silence": hang,
}
MESHED: dict[str, Page] = {
    str(status): says(Stat(), status=status)  # what a mesh's own proxy answers
    for status in (502, 503)
}


def address_of(number: int) -> str:
    """A loopback address of this process alone: tests may run side by side."""
    high, low = divmod(os.getpid() % 2**16, 256)
    return f"127.{high}.{low}.{number + 10}"


async def serve(stack: AsyncExitStack, address: str, page: Page) -> None:
    """Answer at an address until the stack ends."""
    app = web.Application()
    app.router.add_get("/metrics", page)
    runner = web.AppRunner(app, shutdown_timeout=0.01)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, address, PORT).start()


def a_pod_at(address: str, age_s: float = 1000.0) -> Pod:
    """A pod that is ready, and has been running for so long."""
    at = NOW_S - age_s
    return Pod(revision=KEY, state="ready", address=address, created_s=at, started_s=at, ready_s=at)


class Pods:
    """Pods of a revision: who was asked, with which headers."""

    def __init__(self) -> None:
        self.asked: list[str] = []  # addresses
        self.headers: list[dict[str, str]] = []

    async def start(
        self, stack: AsyncExitStack, number: int, page: Page | None, age_s: float = 1000.0
    ) -> Pod:
        """page: None = nobody listens there."""
        address = address_of(number)

        async def metrics(request: web.Request) -> web.StreamResponse:
            self.asked.append(address)
            self.headers.append(dict(request.headers))
            assert page
            return await page(request)

        if page:
            await serve(stack, address, metrics)
        return a_pod_at(address, age_s)


def target(pods: list[Pod], service: str = "") -> ScrapeTarget:
    return ScrapeTarget(key=KEY, pods=pods, service=service, stable_window_s=WINDOW_S)


def a_session(timeout_s: float = TIMEOUT_S, **options: Any) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=timeout_s), **options)


def run(story: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(story, PATIENCE_S))
