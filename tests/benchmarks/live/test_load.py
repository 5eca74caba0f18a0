"""Requests are sent when they are meant to be, whatever became of those before."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
import pytest
from aiohttp import web

from autoscaler.clock import SystemClock
from autoscaler.errors import PermanentError
from benchmarks.live.copies import Schedule
from benchmarks.live.load import Answer, Target, check_reachable, offer

CLOCK = SystemClock()


@asynccontextmanager
async def server(ended: asyncio.Event) -> AsyncIterator[str]:
    """Answers its host and a pod's name at once; /never only when it is over."""

    async def answered(request: web.Request) -> web.Response:
        return web.Response(text=f"{request.host} pod-1\n")

    async def never(_: web.Request) -> web.Response:
        await ended.wait()
        return web.Response()

    async def broken(_: web.Request) -> web.Response:
        return web.Response(status=503)

    app = web.Application()
    app.router.add_get("/", answered)
    app.router.add_get("/never", never)
    app.router.add_get("/broken", broken)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        ended.set()
        await runner.cleanup()


def reached(path: str, host: str = "") -> None:
    async def asked() -> None:
        async with server(asyncio.Event()) as url:
            target = Target(url=path if "://" in path else url + path, host=host)
            await check_reachable(target, 0.4)

    asyncio.run(asked())


def sent(at_s: list[float], paths: list[str], host: str = "") -> tuple[float, list[Answer]]:
    """What came of requests, one to each path, in order of their times; and when it began."""

    async def all_sent() -> tuple[float, list[Answer]]:
        answers: list[Answer] = []
        async with server(asyncio.Event()) as url:
            targets = [
                Target(url=path if "://" in path else url + path, host=host) for path in paths
            ]
            schedule = Schedule(at_s=np.array(at_s), copy=np.arange(len(paths)))
            begin_s = CLOCK.now()
            await offer(
                schedule, targets, begin_s=begin_s, timeout_s=0.4, clock=CLOCK,
                tell=answers.append,
            )  # fmt: skip
        return begin_s, sorted(answers, key=lambda answer: answer.copy)

    return asyncio.run(all_sent())


def test_no_request_waits_for_one_that_is_not_answered() -> None:
    begin_s, (first, second) = sent([0.0, 0.05], ["/never", "/"])
    assert first.timed_out
    assert (second.status, second.timed_out) == (200, False)
    assert second.intended_s == begin_s + 0.05
    assert second.done_s < first.done_s


def test_none_is_sent_before_it_is_meant_to_be() -> None:
    _, answers = sent([0.0, 0.02, 0.04, 0.06], ["/"] * 4)
    assert all(answer.intended_s <= answer.sent_s <= answer.done_s for answer in answers)
    assert all(answer.latency_s == answer.done_s - answer.intended_s for answer in answers)


def test_one_that_could_not_be_sent_in_time_counts_from_when_it_was_meant_to_be() -> None:
    begin_s, (answer,) = sent([-5.0], ["/"])
    assert answer.intended_s == begin_s - 5.0
    assert answer.latency_s >= 5.0


def test_the_pod_that_answered_and_the_host_that_was_asked_are_known() -> None:
    _, (answer,) = sent([0.0], ["/"], host="cart.shop.example.com")
    assert answer.words == ("cart.shop.example.com", "pod-1")


@pytest.mark.parametrize(
    ("path", "status"), [("/broken", 503), ("http://127.0.0.1:9/", 0), ("http://no.invalid/", 0)]
)
def test_failures_are_told_and_end_nothing(path: str, status: int) -> None:
    _, (failed, after) = sent([0.0, 0.0], [path, "/"])
    assert (failed.status, failed.timed_out) == (status, False)
    assert after.status == 200


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/broken", "HTTP 503"),
        ("/never", "no answer in 0.4 s"),
        ("http://127.0.0.1:9/", "Cannot connect"),
    ],
)
def test_an_address_that_does_not_answer_is_said_before_anything_is_measured(
    path: str, why: str
) -> None:
    with pytest.raises(PermanentError, match=f"for host cart.shop does not answer: {why}"):
        reached(path, host="cart.shop")
    reached("/", host="cart.shop")
