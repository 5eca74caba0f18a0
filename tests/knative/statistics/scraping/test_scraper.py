"""A statistic of all pods of a revision, from a sample of them."""

import asyncio
import random
from contextlib import AsyncExitStack

import pytest
from aiohttp import web

from knative.settings.network import Network
from knative.statistics.scraping.scraper import PodStat, Scraper, sample_size
from knative.statistics.wire import Stat
from tests.knative.objects import NOW_S
from tests.knative.statistics.queue_proxies import (
    BAD,
    MESHED,
    WINDOW_S,
    Page,
    Pods,
    a_pod_at,
    a_session,
    address_of,
    in_flight,
    run,
    says,
    target,
)

Scraped = tuple[PodStat | None, list[str], int]  # the statistic, who was asked, how many failed


def scrape(*pages: Page | None, ages_s: list[float] | None = None) -> Scraped:
    """One scrape of pods with these pages."""

    async def story() -> Scraped:
        random.seed(7)
        there = Pods()
        async with AsyncExitStack() as stack:
            session = await stack.enter_async_context(a_session())
            ages = ages_s or [1000.0] * len(pages)
            pods = [
                await there.start(stack, i, page, age)
                for i, (page, age) in enumerate(zip(pages, ages, strict=True))
            ]
            scraper = Scraper(session, session)
            stat = await scraper.scrape(target(pods), now=NOW_S)
            return stat, there.asked, scraper.failed

    return run(story())


def numbers(stat: PodStat | None) -> tuple[float, float]:
    assert stat is not None
    return stat.concurrency, stat.requests


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
    assert (len(asked), failed) == (3, 0)


def test_a_sample_stands_for_all() -> None:
    stat, asked, _ = scrape(*[in_flight(3.0)] * 10)
    assert numbers(stat) == pytest.approx((30.0, 60.0))
    assert len(asked) == len(set(asked)) == 7


def test_without_pods_there_is_no_statistic() -> None:
    assert scrape() == (None, [], 0)


def test_pods_older_than_the_window_are_asked_first() -> None:
    ages = [10.0] * 5 + [600.0] * 5
    stat, asked, _ = scrape(*[in_flight(1.0)] * 5, *[in_flight(2.0)] * 5, ages_s=ages)
    assert {address_of(i) for i in range(5, 10)} <= set(asked)  # the old ones
    assert len(asked) == 7
    assert numbers(stat) == pytest.approx((12 * 10 / 7, 24 * 10 / 7))


def test_a_pod_as_old_as_the_window_has_settled() -> None:
    ages = [WINDOW_S - 1] * 6 + [WINDOW_S] * 4
    _, asked, _ = scrape(*[in_flight(1.0)] * 10, ages_s=ages)
    assert {address_of(i) for i in range(6, 10)} <= set(asked)


@pytest.mark.parametrize("page", [*BAD.values(), *MESHED.values()], ids=[*BAD, *MESHED])
def test_another_pod_stands_in_for_one_that_fails(page: Page | None) -> None:
    stat, _, failed = scrape(page, *[in_flight(3.0)] * 9)
    assert numbers(stat) == pytest.approx((30.0, 60.0))
    assert failed == 0


@pytest.mark.parametrize("page", [None, *MESHED.values()], ids=["nobody listens", *MESHED])
def test_a_pod_that_fails_with_none_to_stand_in_means_no_statistic(page: Page | None) -> None:
    stat, _, failed = scrape(page, in_flight(1.0))
    assert (stat, failed) == (None, 1)


def test_when_too_few_pods_answer_there_is_no_statistic() -> None:
    bad = says(Stat(), status=500)
    stat, asked, failed = scrape(*[bad] * 4, *[in_flight(3.0)] * 6)
    assert (stat, failed) == (None, 1)
    assert len(asked) == 10


def test_a_pod_without_an_address_yet_fails_like_any_other() -> None:
    async def story() -> tuple[PodStat | None, int]:
        async with a_session() as session:
            scraper = Scraper(session, session)
            stat = await scraper.scrape(target([a_pod_at("")]), now=NOW_S)
            return stat, scraper.failed

    assert run(story()) == (None, 1)


@pytest.mark.parametrize("connections", [1, 3])
def test_only_so_many_are_asked_at_once_and_the_others_wait_their_turn(connections: int) -> None:
    asked, most = 0, 0

    async def answer(request: web.Request) -> web.StreamResponse:
        nonlocal asked, most
        asked += 1
        most = max(most, asked)
        await asyncio.sleep(0.05)
        asked -= 1
        return await in_flight(1.0)(request)

    async def story() -> PodStat | None:
        async with AsyncExitStack() as stack:
            pods = [await Pods().start(stack, i, answer) for i in range(6)]
            scraper = await stack.enter_async_context(Scraper.open(Network(), connections))
            return await scraper.scrape(target(pods), now=NOW_S)

    assert numbers(run(story())) == pytest.approx((6.0, 12.0))
    assert most == connections
