"""Asking pods through their Service, which answers with any of them."""

import pytest

from knative.statistics.scraping.scraper import TRIES, PodStat, Scraper
from tests.knative.objects import NOW_S
from tests.knative.statistics.meshed import (
    AWAY,
    ENABLED,
    FAILS,
    NOT_A_MESH,
    OLD_S,
    YOUNG_S,
    one_of,
    scrape,
)
from tests.knative.statistics.queue_proxies import (
    Page,
    a_pod_at,
    address_of,
    hang,
    run,
    target,
)


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
    pages = [AWAY, one_of("a", 5.0)]
    told = scrape(None, behind=pages, networks=[ENABLED])
    assert told.stats == [PodStat(concurrency=5.0, requests=10.0)]


@pytest.mark.parametrize(("last", "there"), [(one_of("a", 5.0, YOUNG_S), True), (None, False)])
def test_a_search_for_settled_pods_that_ends_in_a_failure_is_one(
    last: Page | None, there: bool
) -> None:
    pages = [one_of("a", 5.0, YOUNG_S), *[FAILS] * (TRIES - 2), last or FAILS]
    told = scrape(None, behind=pages, networks=[ENABLED])
    assert told.stats == [PodStat(concurrency=5.0, requests=10.0) if there else None]


def test_a_service_is_asked_so_often_and_no_more() -> None:
    told = scrape(None, behind=[FAILS], networks=[ENABLED])
    assert told.stats == [None]
    assert len(told.connections) == TRIES


@pytest.mark.parametrize("page", NOT_A_MESH.values(), ids=NOT_A_MESH)
def test_a_service_that_does_not_answer_has_no_statistic(page: Page | None) -> None:
    behind = None if page is None else [page]
    timeout_s = 0.05 if page is hang else 0.5
    told = scrape(None, behind=behind, networks=[ENABLED], timeout_s=timeout_s)
    assert told.stats == [None]


def test_a_service_that_is_not_set_up_yet_is_not_asked() -> None:
    async def story() -> PodStat | None:
        async with Scraper.open(ENABLED) as scraper:
            return await scraper.scrape(target([a_pod_at(address_of(0))]), now=NOW_S)

    assert run(story()) is None
