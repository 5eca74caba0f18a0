"""Queue-proxies: what the pods of a revision report, in the real protocol."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Thread

from aiohttp import web

from knative.statistics.wire import Stat


@dataclass
class Load:
    """What the queue-proxies of a revision report, each."""

    in_flight: float = 0.0
    requests: float = 0.0
    proxied: float = 0.0  # of both
    answer: str = "stat"  # or: hang, refuse (503), garbage, gone (the connection ends)
    uptime_s: float = 1000.0
    asked: int = 0  # how often


async def answer_of(load: Load, pod: str, request: web.Request) -> web.StreamResponse:
    """What a queue-proxy says."""
    load.asked += 1
    if load.answer == "hang":
        await asyncio.sleep(30)
    if load.answer == "gone" and request.transport:
        request.transport.close()
    if load.answer == "refuse":
        return web.Response(status=503)
    body = stat_of(load, pod).SerializeToString()
    if load.answer == "garbage":
        body = b"\xff" * 40
    return web.Response(body=body, content_type="application/protobuf")


def stat_of(load: Load, pod: str) -> Stat:
    return Stat(
        pod_name=pod,
        average_concurrent_requests=load.in_flight,
        average_proxied_concurrent_requests=load.proxied,
        request_count=load.requests,
        proxied_request_count=load.proxied,
        process_uptime=load.uptime_s,
    )


@contextmanager
def serving(load: Load, address: str) -> Iterator[None]:
    """One queue-proxy at an address, for as many pods as are said to be there."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever, name="queue-proxy", daemon=True)
    thread.start()
    runner = asyncio.run_coroutine_threadsafe(_serve(load, address), loop).result(10)
    try:
        yield
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _serve(load: Load, address: str) -> web.AppRunner:
    async def metrics(request: web.Request) -> web.StreamResponse:
        return await answer_of(load, "pod", request)

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, address, 9090).start()
    return runner
