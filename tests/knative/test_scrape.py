import asyncio
import os
import random
import struct
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any, TypeVar

import aiohttp
import pytest
from aiohttp import web

from knative.objects import Pod
from knative.queueproxy import PORT
from knative.scrape import PodStat, Scraper, Target, sample_size
from knative.wire import Stat
from tests.knative.conftest import NOW_S

T = TypeVar("T")
PROTOBUF = "application/protobuf"
TIMEOUT_S = 0.5
WINDOW_S = 60.0

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


def address_of(number: int) -> str:
    """A loopback address of this process alone: tests may run side by side."""
    high, low = divmod(os.getpid() % 2**16, 256)
    return f"127.{high}.{low}.{number + 10}"


class Pods:
    """Queue-proxies on addresses of their own, and how often each was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def start(
        self, stack: AsyncExitStack, number: int, page: Page | None, age_s: float
    ) -> Pod:
        """page: None = nobody listens there."""
        address = address_of(number)

        async def metrics(request: web.Request) -> web.StreamResponse:
            self.asked.append(address)
            assert page is not None
            return await page(request)

        if page:
            app = web.Application()
            app.router.add_get("/metrics", metrics)
            runner = web.AppRunner(app, shutdown_timeout=0.01)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, address, PORT).start()
        return Pod(
            revision="shop/cart",
            state="ready",
            address=address,
            created_s=NOW_S - age_s,
            started_s=NOW_S - age_s,
            ready_s=NOW_S - age_s,
        )


def scrape(
    *pages: Page | None, ages_s: list[float] | None = None
) -> tuple[PodStat | None, list[str], int]:
    """One scrape of pods with these pages: the statistic, who was asked, how many failed."""

    async def story() -> tuple[PodStat | None, list[str], int]:
        random.seed(7)
        there = Pods()
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        async with AsyncExitStack() as stack:
            session = await stack.enter_async_context(aiohttp.ClientSession(timeout=timeout))
            ages = ages_s or [1000.0] * len(pages)
            pods = [
                await there.start(stack, i, page, age)
                for i, (page, age) in enumerate(zip(pages, ages, strict=True))
            ]
            scraper = Scraper(session, session)
            stat = await scraper.scrape(target(pods), now=NOW_S)
            return stat, there.asked, scraper.failed

    return run(story())


def target(pods: list[Pod], service: str = "") -> Target:
    return Target(key="shop/cart", pods=pods, service=service, stable_window_s=WINDOW_S)


def numbers(stat: PodStat | None) -> tuple[float, float]:
    assert stat is not None
    return stat.concurrency, stat.requests


def about(concurrency: float, requests: float) -> Any:
    return pytest.approx((concurrency, requests))


def run(story: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(story, 10.0))


@pytest.mark.parametrize(
    ("pods", "asked"),
    [
        (1, 1),
        (2, 2),
        (3, 3),
        (4, 4),
        (5, 4),
        (10, 7),
        (20, 9),
        (50, 12),
        (100, 14),
        (1000, 16),
        (100_000, 16),
    ],
)
def test_so_many_of_so_many_pods_are_asked(pods: int, asked: int) -> None:
    assert sample_size(pods) == asked


def test_a_few_pods_are_all_asked_and_summed() -> None:
    stat, asked, failed = scrape(in_flight(1.0), in_flight(2.0), in_flight(4.0))
    assert stat == PodStat(concurrency=7.0, requests=14.0)
    assert len(asked) == 3
    assert failed == 0


def test_a_sample_stands_for_all() -> None:
    stat, asked, _ = scrape(*[in_flight(3.0)] * 10)
    assert numbers(stat) == about(30.0, 60.0)
    assert len(asked) == len(set(asked)) == 7


def test_what_the_activator_reports_itself_is_subtracted() -> None:
    stat, _, _ = scrape(
        says(
            Stat(
                average_concurrent_requests=4.0,
                average_proxied_concurrent_requests=1.5,
                request_count=8.0,
                proxied_request_count=3.0,
            )
        )
    )
    assert stat == PodStat(concurrency=2.5, requests=5.0)


def test_an_idle_pod_says_nothing_on_the_wire_and_counts_as_zero() -> None:
    assert scrape(says(b""))[0] == PodStat(concurrency=0.0, requests=0.0)


def test_without_pods_there_is_no_statistic() -> None:
    assert scrape() == (None, [], 0)


def test_pods_older_than_the_window_are_asked_first() -> None:
    ages = [10.0] * 5 + [600.0] * 5
    stat, asked, _ = scrape(*[in_flight(1.0)] * 5, *[in_flight(2.0)] * 5, ages_s=ages)
    assert {address_of(i) for i in range(5, 10)} <= set(asked)  # the old ones
    assert len(asked) == 7
    assert numbers(stat) == about(12 * 10 / 7, 24 * 10 / 7)


def test_a_pod_as_old_as_the_window_has_settled() -> None:
    ages = [WINDOW_S - 1] * 6 + [WINDOW_S] * 4
    _, asked, _ = scrape(*[in_flight(1.0)] * 10, ages_s=ages)
    assert {address_of(i) for i in range(6, 10)} <= set(asked)


BAD: dict[str, Page | None] = {
    "nobody listens": None,
    "500": says(Stat(), status=500),
    "404": says(Stat(), status=404),
    "page of HTML": says(b"<html></html>", content_type="text/html"),
    "garbage": says(b"\xff\xff\xff"),
    "huge": says(Stat(pod_name="x" * 10**6)),
    "not a number": in_flight(float("nan")),
    "infinity": in_flight(float("inf")),
    "negative infinity": in_flight(-float("inf")),
    "absurd concurrency": says(Stat(average_concurrent_requests=1e300)),
    "absurd count": says(Stat(request_count=1e300)),
    "requests below none": in_flight(-1.0),
    "more taken off than can be": says(Stat(proxied_request_count=1e300)),
    "502": says(Stat(), status=502),
    "503": says(Stat(), status=503),
    "silence": hang,
}


@pytest.mark.parametrize("page", BAD.values(), ids=BAD.keys())
def test_a_pod_that_fails_with_none_to_stand_in_means_no_statistic(page: Page | None) -> None:
    stat, _, failed = scrape(page, in_flight(1.0))
    assert stat is None
    assert failed == 1


@pytest.mark.parametrize("page", BAD.values(), ids=BAD.keys())
def test_another_pod_stands_in_for_one_that_fails(page: Page | None) -> None:
    stat, _, failed = scrape(page, *[in_flight(3.0)] * 9)
    assert numbers(stat) == about(30.0, 60.0)
    assert failed == 0


def test_when_too_few_pods_answer_there_is_no_statistic() -> None:
    bad = says(Stat(), status=500)
    stat, asked, failed = scrape(*[bad] * 4, *[in_flight(3.0)] * 6)
    assert stat is None
    assert failed == 1
    assert len(asked) == 10


def test_an_answer_in_two_pieces_is_read_whole() -> None:
    assert scrape(in_two_pieces)[0] == PodStat(concurrency=4.0, requests=8.0)


def test_the_wire_form_of_a_real_queue_proxy_is_understood() -> None:
    fields = [(2, 3.99), (3, 2.0), (4, 8.0), (5, 4.0), (6, 12.5)]
    body = b"".join(bytes([n << 3 | 1]) + struct.pack("<d", value) for n, value in fields)
    assert numbers(scrape(says(body))[0]) == about(1.99, 4.0)


def test_a_pod_without_an_address_yet_fails_like_any_other() -> None:
    async def story() -> tuple[PodStat | None, int]:
        pod = Pod(
            revision="shop/cart", state="ready", address="", created_s=0, started_s=0, ready_s=1
        )
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S)) as session:
            scraper = Scraper(session, session)
            stat = await scraper.scrape(target([pod]), now=NOW_S)
            return stat, scraper.failed

    assert run(story()) == (None, 1)
