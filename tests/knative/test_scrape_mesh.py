"""Scraping where a service mesh may stand in between: real servers, real connections."""

import asyncio
import itertools
import socket
from collections.abc import Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace

import aiohttp
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from knative.network import Mesh, Network
from knative.queueproxy import PORT
from knative.scrape import TRIES, PodStat, Scraper
from knative.wire import Stat
from tests.knative.conftest import NOW_S
from tests.knative.test_scrape import (
    WINDOW_S,
    Page,
    Pods,
    address_of,
    hang,
    in_flight,
    run,
    says,
    target,
)

SERVICE = "cart-private.shop"
OLD_S, YOUNG_S = WINDOW_S, WINDOW_S - 1
MESHED = [says(Stat(), status=502), says(Stat(), status=503)]
ENABLED, DISABLED = Network(mesh=Mesh.ENABLED), Network(mesh=Mesh.DISABLED)
ADDRESSABLE = Network(pods_addressable=True)


class Names(AbstractResolver):
    """Knows one Service."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        if host != SERVICE:
            raise OSError(f"no {host}")
        return [
            ResolveResult(
                hostname=host,
                host=address_of(100),
                port=port,
                family=socket.AF_INET,
                proto=0,
                flags=0,
            )
        ]

    async def close(self) -> None:
        """Nothing is held."""


@dataclass
class Told:
    """What came of it."""

    stats: list[PodStat | None]
    asked: list[str] = field(default_factory=list)  # addresses of pods
    headers: list[dict[str, str]] = field(default_factory=list)  # that pods saw
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
    timeout_s: float = 0.5,
) -> Told:
    """Scrape once a network. behind: who answers through the Service, in turn; None = nobody."""

    async def story() -> Told:
        told, there = Told([]), Pods()
        turn = itertools.cycle(behind or [])

        async def answer(request: web.Request) -> web.StreamResponse:
            assert request.transport
            told.connections.append(request.transport.get_extra_info("peername")[1])
            return await next(turn)(request)

        def spied(page: Page | None) -> Page | None:
            async def spy(request: web.Request) -> web.StreamResponse:
                told.headers.append(dict(request.headers))
                assert page
                return await page(request)

            return spy if page else None

        limits = aiohttp.ClientTimeout(total=timeout_s)
        async with AsyncExitStack() as stack:
            if behind is not None:
                app = web.Application()
                app.router.add_get("/metrics", answer)
                runner = web.AppRunner(app, shutdown_timeout=0.01)
                await runner.setup()
                stack.push_async_callback(runner.cleanup)
                await web.TCPSite(runner, address_of(100), PORT).start()
            once = aiohttp.TCPConnector(force_close=True, resolver=Names())
            kept = await stack.enter_async_context(aiohttp.ClientSession(timeout=limits))
            fresh = await stack.enter_async_context(
                aiohttp.ClientSession(timeout=limits, connector=once)
            )
            found = [await there.start(stack, i, spied(p), 1000.0) for i, p in enumerate(pods)]
            scraper = Scraper(kept, fresh)
            for network in networks:
                scraper.follow(network)
                told.stats.append(await scraper.scrape(target(found, SERVICE), now=NOW_S))
            told.asked = there.asked
        return told

    return run(story())


def test_a_mesh_that_is_enabled_means_the_service_alone_is_asked() -> None:
    told = scrape(in_flight(9.0), behind=[one_of("a", 4.0)], networks=[ENABLED])
    assert told.stats == [PodStat(concurrency=4.0, requests=8.0)]
    assert told.asked == []


@pytest.mark.parametrize("page", MESHED)
def test_a_mesh_that_is_disabled_means_pods_alone_are_asked(page: Page) -> None:
    told = scrape(page, behind=[one_of("a", 4.0)], networks=[DISABLED])
    assert told.stats == [None]
    assert told.connections == []


@pytest.mark.parametrize("page", MESHED)
def test_a_mesh_is_found_out_when_all_pods_answer_as_a_mesh_does(page: Page) -> None:
    told = scrape(page, MESHED[0], behind=[one_of("a", 1.0), one_of("b", 2.0)])
    assert told.stats == [PodStat(concurrency=3.0, requests=6.0)]


NOT_A_MESH: dict[str, Page | None] = {
    "500": says(Stat(), status=500),
    "404": says(Stat(), status=404),
    "garbage": says(b"\xff\xff\xff"),
    "nobody listens": None,
    "silence": hang,
    "not a number": in_flight(float("nan")),
}


@pytest.mark.parametrize("page", NOT_A_MESH.values(), ids=NOT_A_MESH.keys())
def test_one_failure_of_another_kind_is_no_mesh(page: Page | None) -> None:
    told = scrape(page, MESHED[1], behind=[one_of("a", 1.0), one_of("b", 2.0)])
    assert told.stats == [None]
    assert told.connections == []


def test_one_pod_that_answers_is_no_mesh() -> None:
    told = scrape(in_flight(1.0), MESHED[1], behind=[one_of("a", 1.0), one_of("b", 2.0)])
    assert told.stats == [None]
    assert told.connections == []


def test_once_the_service_has_answered_it_stays() -> None:
    told = scrape(MESHED[1], behind=[one_of("a", 1.0)], networks=[Network()] * 3)
    assert told.stats == [PodStat(concurrency=1.0, requests=2.0)] * 3
    assert len(told.asked) == 1


def test_while_the_service_has_not_answered_pods_are_asked_first() -> None:
    told = scrape(MESHED[1], behind=[MESHED[1]], networks=[Network()] * 2)
    assert told.stats == [None, None]
    assert len(told.asked) == 2


def test_a_change_of_config_is_followed_and_what_was_found_out_is_tried_anew() -> None:
    networks = [Network(), Network(), DISABLED, Network()]
    told = scrape(MESHED[1], behind=[one_of("a", 1.0)], networks=networks)
    there = PodStat(concurrency=1.0, requests=2.0)
    assert told.stats == [there, there, None, there]
    assert len(told.asked) == 3  # found out, disabled, found out again


def test_a_revision_that_went_is_tried_anew() -> None:
    async def story() -> None:
        async with Scraper.open(Network()) as scraper:
            scraper._meshed |= {"shop/cart", "shop/till"}
            scraper.forget_unless({"shop/till"}.__contains__)
            assert scraper._meshed == {"shop/till"}

    run(story())


def test_pods_that_the_mesh_makes_addressable_are_asked_by_their_services_name() -> None:
    told = scrape(in_flight(2.0), behind=[one_of("a", 9.0)], networks=[ADDRESSABLE])
    assert told.stats == [PodStat(concurrency=2.0, requests=4.0)]
    assert told.headers[0]["Host"] == SERVICE
    assert told.headers[0]["Knative-Direct-Lb"] == "true"


def test_pods_are_asked_by_their_address_where_there_is_no_mesh() -> None:
    (headers,) = scrape(in_flight(2.0)).headers
    assert headers["Host"] == f"{address_of(0)}:{PORT}"
    assert "Knative-Direct-Lb" not in headers
    assert headers["Accept"] == "application/protobuf"


def test_addressable_pods_that_refuse_have_no_stand_in() -> None:
    told = scrape(MESHED[1], behind=[one_of("a", 1.0)], networks=[ADDRESSABLE])
    assert told.stats == [None]
    assert told.connections == []


def test_an_enabled_mesh_has_the_word_over_addressable_pods() -> None:
    both = replace(ENABLED, pods_addressable=True)
    told = scrape(in_flight(9.0), behind=[one_of("a", 1.0)], networks=[both])
    assert told.stats == [PodStat(concurrency=1.0, requests=2.0)]


def test_each_question_to_a_service_has_a_connection_of_its_own() -> None:
    pages = [one_of(name, 1.0) for name in "abc"]
    told = scrape(*[None] * 3, behind=pages, networks=[ENABLED] * 2)
    assert len(told.connections) == len(set(told.connections)) >= 6


def test_a_pod_met_twice_counts_once() -> None:
    pages = [one_of("a", 1.0), one_of("a", 1.0), one_of("b", 2.0), one_of("c", 4.0)]
    told = scrape(*[None] * 3, behind=pages, networks=[ENABLED])
    assert told.stats == [PodStat(concurrency=7.0, requests=14.0)]


def test_a_service_that_shows_too_few_pods_has_no_statistic() -> None:
    pages = [one_of("a", 1.0), one_of("b", 1.0)]
    told = scrape(*[None] * 3, behind=pages, networks=[ENABLED])
    assert told.stats == [None]
    assert len(told.connections) <= 3 * TRIES


def test_a_sample_behind_a_service_stands_for_all() -> None:
    pages = [one_of(f"pod-{i}", 3.0) for i in range(10)]
    told = scrape(*[None] * 10, behind=pages, networks=[ENABLED])
    assert told.stats[0] is not None
    assert told.stats[0].concurrency == pytest.approx(30.0)


def test_young_pods_behind_a_service_are_taken_when_there_are_no_old_ones() -> None:
    pages = [one_of(name, 1.0, YOUNG_S) for name in "abc"]
    told = scrape(*[None] * 3, behind=pages, networks=[ENABLED])
    assert told.stats == [PodStat(concurrency=3.0, requests=6.0)]


def test_old_pods_behind_a_service_come_first() -> None:
    young = [one_of(f"young-{i}", 100.0, YOUNG_S) for i in range(2)]
    old = [one_of(f"old-{i}", 1.0, OLD_S) for i in range(4)]
    told = scrape(*[None] * 4, behind=[*young, *old], networks=[ENABLED])
    assert told.stats == [PodStat(concurrency=4.0, requests=8.0)]


def test_young_pods_without_end_come_to_an_end() -> None:
    endless = (one_of(f"pod-{i}", 1.0, YOUNG_S) for i in range(10**6))
    told = scrape(*[None] * 3, behind=endless, networks=[ENABLED])
    assert told.stats == [PodStat(concurrency=3.0, requests=6.0)]


def test_a_service_that_fails_now_and_then_is_asked_again() -> None:
    pages = [says(Stat(), status=503), one_of("a", 5.0)]
    told = scrape(None, behind=pages, networks=[ENABLED])
    assert told.stats == [PodStat(concurrency=5.0, requests=10.0)]


@pytest.mark.parametrize(("last", "there"), [(one_of("a", 5.0, YOUNG_S), True), (None, False)])
def test_a_search_for_settled_pods_that_ends_in_a_failure_is_one(
    last: Page | None, there: bool
) -> None:
    fails = says(Stat(), status=500)
    pages = [one_of("a", 5.0, YOUNG_S), *[fails] * (TRIES - 2), last or fails]
    told = scrape(None, behind=pages, networks=[ENABLED])
    assert told.stats == [PodStat(concurrency=5.0, requests=10.0) if there else None]


def test_a_service_is_asked_so_often_and_no_more() -> None:
    told = scrape(None, behind=[says(Stat(), status=500)], networks=[ENABLED])
    assert told.stats == [None]
    assert len(told.connections) == TRIES


@pytest.mark.parametrize("page", NOT_A_MESH.values(), ids=NOT_A_MESH.keys())
def test_a_service_that_does_not_answer_has_no_statistic(page: Page | None) -> None:
    behind = None if page is None else [page]
    timeout_s = 0.05 if page is hang else 0.5
    told = scrape(None, behind=behind, networks=[ENABLED], timeout_s=timeout_s)
    assert told.stats == [None]


def test_a_service_that_is_not_set_up_yet_is_not_asked() -> None:
    async def story() -> PodStat | None:
        async with Scraper.open(ENABLED) as scraper, AsyncExitStack() as stack:
            pod = await Pods().start(stack, 0, None, 1000.0)
            return await scraper.scrape(target([pod]), now=NOW_S)

    assert asyncio.run(story()) is None
