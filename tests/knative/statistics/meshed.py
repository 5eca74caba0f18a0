"""Pods behind a service mesh and their Service: real servers, real connections."""

import itertools
import socket
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from knative.settings.network import Mesh, Network
from knative.statistics.scraping.scraper import PodStat, Scraper
from knative.statistics.wire import Stat
from tests.knative.objects import NOW_S
from tests.knative.statistics.queue_proxies import (
    BAD,
    MESHED,
    TIMEOUT_S,
    WINDOW_S,
    Page,
    Pods,
    a_session,
    address_of,
    run,
    says,
    serve,
    target,
)

SERVICE = "cart-private.shop"
OLD_S, YOUNG_S = WINDOW_S, WINDOW_S - 1
BUSY, AWAY = MESHED.values()
FAILS = says(Stat(), status=500)
ENABLED, DISABLED = Network(mesh=Mesh.ENABLED), Network(mesh=Mesh.DISABLED)
ADDRESSABLE = Network(pods_addressable=True)
NOT_A_MESH = {
    kind: BAD[kind]
    for kind in ("500", "404", "garbage", "nobody listens", "silence", "not a number")
}


class Names(AbstractResolver):
    """Knows one Service."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        if host != SERVICE:
            raise OSError(f"no {host}")
        address = address_of(100)
        return [
            ResolveResult(
                hostname=host, host=address, port=port, family=socket.AF_INET, proto=0, flags=0
            )
        ]

    async def close(self) -> None:
        """Nothing is held."""


@dataclass
class Told:
    """What came of it."""

    stats: list[PodStat | None] = field(default_factory=list)
    pods: Pods = field(default_factory=Pods)
    connections: list[int] = field(default_factory=list)  # to the Service, by the caller's port


def one_of(name: str, requests: float, uptime_s: float = OLD_S) -> Page:
    """A pod behind the Service."""
    return says(
        Stat(
            pod_name=name,
            process_uptime=uptime_s,
            average_concurrent_requests=requests,
            request_count=2 * requests,
        )
    )


def scrape(
    *pods: Page | None,
    behind: Iterable[Page] | None = None,
    networks: Iterable[Network] = (Network(),),
    timeout_s: float = TIMEOUT_S,
    between: Callable[[Scraper], None] = lambda _: None,
) -> Told:
    """Scrape once a network. behind: who answers through the Service, in turn; None = nobody."""
    told, turn = Told(), itertools.cycle(behind or [])

    async def answer(request: web.Request) -> web.StreamResponse:
        assert request.transport
        told.connections.append(request.transport.get_extra_info("peername")[1])
        return await next(turn)(request)

    async def story() -> Told:
        once = aiohttp.TCPConnector(force_close=True, resolver=Names())
        async with AsyncExitStack() as stack:
            if behind is not None:
                await serve(stack, address_of(100), answer)
            kept = await stack.enter_async_context(a_session(timeout_s))
            fresh = await stack.enter_async_context(a_session(timeout_s, connector=once))
            found = [await told.pods.start(stack, i, page) for i, page in enumerate(pods)]
            scraper = Scraper(kept, fresh)
            for network in networks:
                scraper.follow(network)
                told.stats.append(await scraper.scrape(target(found, SERVICE), now=NOW_S))
                between(scraper)
        return told

    return run(story())
