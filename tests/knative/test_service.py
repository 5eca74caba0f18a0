import asyncio
from collections.abc import Sequence
from pathlib import Path

import aiohttp
import pytest

from autoscaler.clock import SimulatedClock
from autoscaler.forecasts import ForecastBundle
from knative.objects import Pod, pod, podautoscaler
from knative.scrape import PodStat, Scraper
from knative.service import Service, ServiceSettings
from tests.knative.conftest import NAMESPACE, NOW_S, FakeApi, a_bundle, a_pod, a_podautoscaler


class FaultyScraper(Scraper):
    """Fails in a way that nobody foresaw."""

    def __init__(self) -> None:
        self.asked = 0

    async def scrape(
        self, pods: Sequence[Pod], *, stable_window_s: float, now: float
    ) -> PodStat | None:
        self.asked += 1
        raise ValueError("a fault of ours")


def no_bundle(path: Path) -> ForecastBundle:
    return a_bundle(1.0)


def a_service() -> Service:
    service = Service(FakeApi(), ServiceSettings(), SimulatedClock(NOW_S), no_bundle)
    service.seat.saw_pod(f"{NAMESPACE}/cart-0", pod(a_pod("cart-0", "cart")))
    service.seat.saw_podautoscaler(f"{NAMESPACE}/cart", podautoscaler(a_podautoscaler("cart")))
    return service


def test_a_revision_that_went_before_it_was_its_turn_is_not_scraped() -> None:
    async def story() -> None:
        service = a_service()
        service.seat.saw_podautoscaler(f"{NAMESPACE}/cart", None)
        async with aiohttp.ClientSession() as session:
            await service.scrape(f"{NAMESPACE}/cart", Scraper(session))

    asyncio.run(story())


def test_a_fault_in_scraping_one_revision_is_said_and_ends_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    scraper = FaultyScraper()
    asyncio.run(a_service().scrape(f"{NAMESPACE}/cart", scraper))
    assert scraper.asked == 1
    assert f"{NAMESPACE}/cart" in caplog.text
