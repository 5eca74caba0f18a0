import asyncio

import pytest

from knative.network import Mesh, Network
from knative.scrape import PodStat, Scraper, Target
from knative.scraping import Scraping
from tests.knative.conftest import Cluster, a_serverlessservice, run_fast

KEY = "shop/cart"


class FakeScraper(Scraper):
    """Answers at once, or fails in a way that nobody foresaw."""

    def __init__(self, stat: PodStat | None = None) -> None:
        self.stat = stat
        self.asked: list[Target] = []

    async def scrape(self, target: Target, *, now: float) -> PodStat | None:
        self.asked.append(target)
        await asyncio.sleep(0.2)
        if self.stat is None:
            raise ValueError("a fault of ours")
        return self.stat


def scrapes(cluster: Cluster) -> float:
    """How many were timed."""
    families = {family.name: family for family in cluster.seat.gauges.collect()}
    samples = families["kn_autoscaler_scrape_duration_seconds"].samples
    return sum(s.value for s in samples if s.name.endswith("_count"))


def test_whom_to_ask_is_what_the_caches_hold() -> None:
    cluster, scraper = Cluster(), FakeScraper(PodStat(concurrency=3.0, requests=6.0))
    cluster.has_revision(ready=2)
    run_fast(Scraping(cluster.seat, cluster.clock).scrape(KEY, scraper))
    (target,) = scraper.asked
    assert (target.key, len(target.pods), target.service) == (KEY, 2, "cart-private.shop")
    assert target.stable_window_s == 60.0
    assert cluster.seat.decide().stable.tolist() == [3.0]


def test_the_private_services_name_is_as_its_controller_says() -> None:
    cluster, scraper = Cluster(), FakeScraper(PodStat(concurrency=3.0, requests=6.0))
    cluster.has_revision()
    sks = a_serverlessservice()
    sks["status"]["privateServiceName"] = "cart-of-a-name-too-long-for-what-is-to-follow"
    cluster.has(sks)
    run_fast(Scraping(cluster.seat, cluster.clock).scrape(KEY, scraper))
    assert scraper.asked[0].service == "cart-of-a-name-too-long-for-what-is-to-follow.shop"


def test_how_long_it_took_is_timed() -> None:
    cluster, scraper = Cluster(), FakeScraper(PodStat(concurrency=3.0, requests=6.0))
    cluster.has_revision()
    for _ in range(3):
        run_fast(Scraping(cluster.seat, cluster.clock).scrape(KEY, scraper))
    assert scrapes(cluster) == 3


def test_a_revision_that_went_before_it_was_its_turn_is_not_scraped() -> None:
    cluster = Cluster()
    cluster.has_revision()
    cluster.seat.saw_podautoscaler(KEY, None)

    async def story() -> None:
        async with Scraper.open(Network()) as scraper:
            await Scraping(cluster.seat, cluster.clock).scrape("shop/nobody", scraper)

    asyncio.run(story())
    assert scrapes(cluster) == 0


def test_a_fault_in_scraping_one_revision_is_said_and_ends_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    cluster, scraper = Cluster(), FakeScraper()
    cluster.has_revision()
    run_fast(Scraping(cluster.seat, cluster.clock).scrape(KEY, scraper))
    assert len(scraper.asked) == 1
    assert KEY in caplog.text


class Watched(Scraping):
    """Counts scrapes instead of making them."""

    def __init__(self, cluster: Cluster, takes_s: float) -> None:
        super().__init__(cluster.seat, cluster.clock)
        self.takes_s, self.begun = takes_s, 0
        self.networks: list[Network] = []

    async def scrape(self, key: str, scraper: Scraper) -> None:
        self.begun += 1
        self.networks.append(scraper._network)
        await asyncio.sleep(self.takes_s)


def run_for(scraping: Scraping, seconds: float, *, wanted: bool = True) -> None:
    async def story() -> None:
        task = asyncio.create_task(scraping.run(lambda: wanted))
        await asyncio.sleep(seconds)
        task.cancel()
        await asyncio.wait([task])

    run_fast(story())


@pytest.mark.parametrize(("takes_s", "begun"), [(0.1, 10), (2.5, 4), (100.0, 1)])
def test_each_second_has_its_scrape_unless_the_last_is_still_under_way(
    takes_s: float, begun: int
) -> None:
    cluster = Cluster()
    cluster.has_revision()
    scraping = Watched(cluster, takes_s)
    run_for(scraping, 9.9)
    assert scraping.begun == begun


def test_nobody_is_asked_while_nobody_wants_to_know() -> None:
    cluster = Cluster()
    cluster.has_revision()
    scraping = Watched(cluster, 0.1)
    run_for(scraping, 5.0, wanted=False)
    assert scraping.begun == 0


def test_the_network_is_followed_live() -> None:
    cluster = Cluster()
    cluster.has_revision()
    scraping = Watched(cluster, 0.1)

    async def story() -> None:
        task = asyncio.create_task(scraping.run(lambda: True))
        await asyncio.sleep(1.5)
        scraping.network = Network(mesh=Mesh.ENABLED)
        await asyncio.sleep(1.0)
        task.cancel()
        await asyncio.wait([task])

    run_fast(story())
    assert [n.mesh for n in scraping.networks] == [Mesh.AUTO, Mesh.AUTO, Mesh.ENABLED]
