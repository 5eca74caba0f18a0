"""Every second, every revision is asked; what comes is gathered, and taken in together."""

import asyncio
from collections.abc import Callable

import numpy as np
import pytest

from autoscaler.clock import SimulatedClock
from autoscaler.core.types import FloatArray
from knative.settings.network import Mesh, Network
from knative.statistics.scraping.outage import OUTAGE_S
from knative.statistics.scraping.schedule import GATHER_S, Scraping
from knative.statistics.scraping.scraper import PodStat, Scraper, ScrapeTarget
from tests.knative.fast_loop import run_fast
from tests.knative.objects import NOW_S
from tests.knative.statistics.queue_proxies import WINDOW_S, a_pod_at

KEYS = ["shop/cart", "shop/till", "jobs/nightly"]
STAT = PodStat(concurrency=3.0, requests=6.0)


class Answering(Scraper):
    """Answers with what it was given for a revision, after a while; an exception is raised."""

    def __init__(self, takes_s: float = 0.2, **answers: PodStat | Exception | None) -> None:
        """answers: by the revision's own name; who has none answers `STAT`."""
        self._takes_s, self._answers = takes_s, answers

    async def scrape(self, target: ScrapeTarget, *, now: float) -> PodStat | None:
        await asyncio.sleep(self._takes_s)
        answer = self._answers.get(target.key.partition("/")[2], STAT) if target.pods else None
        if isinstance(answer, Exception):
            raise answer
        return answer


class ShopScenario:
    """Scraping of some revisions, and what came of it."""

    def __init__(self, scraper: Scraper, *keys: str, pods: int = 1) -> None:
        self.scraper, self.keys, self.pods = scraper, list(keys), pods
        self.came: list[dict[str, list[float]]] = []
        self.took: list[tuple[str, float]] = []
        self.faults: list[Exception] = []  # of who takes it in
        self.scraping = Scraping(
            SimulatedClock(NOW_S),
            targets=lambda: self.keys,
            target=self._target,
            received=self._take,
            took=lambda key, seconds: self.took.append((key, seconds)),
            connections=1,
        )

    def _target(self, key: str) -> ScrapeTarget:
        pods = [a_pod_at("127.0.0.1")] * self.pods
        return ScrapeTarget(key=key, pods=pods, service="", stable_window_s=WINDOW_S)

    def _take(self, keys: list[str], samples: FloatArray) -> None:
        if self.faults:
            raise self.faults.pop()
        assert samples.shape == (2, len(keys))
        self.came.append(dict(zip(keys, np.transpose(samples).tolist(), strict=True)))

    def once(self) -> None:
        """Ask everybody once."""

        async def story() -> None:
            await asyncio.gather(*(self.scraping.scrape(key, self.scraper) for key in self.keys))
            await asyncio.sleep(2 * GATHER_S)

        run_fast(story())


def test_what_many_revisions_report_within_a_moment_is_taken_in_together() -> None:
    till = PodStat(concurrency=1.5, requests=0.0)
    story = ShopScenario(Answering(till=till), *KEYS)
    story.once()
    assert story.came == [
        {"shop/cart": [3.0, 6.0], "shop/till": [1.5, 0.0], "jobs/nightly": [3.0, 6.0]}
    ]


def test_who_answers_late_delays_nobody() -> None:
    async def answers() -> None:
        scrapers = Answering(5.0), Answering()
        pairs = zip(story.keys, scrapers, strict=True)
        tasks = [asyncio.create_task(story.scraping.scrape(*pair)) for pair in pairs]
        await asyncio.sleep(0.5)
        assert story.came == [{"shop/till": [3.0, 6.0]}]
        await asyncio.gather(*tasks)
        await asyncio.sleep(2 * GATHER_S)

    story = ShopScenario(Answering(), *KEYS[:2])
    run_fast(answers())
    assert [list(came) for came in story.came] == [["shop/till"], ["shop/cart"]]


def test_who_does_not_answer_has_no_statistic_and_the_others_have() -> None:
    story = ShopScenario(Answering(cart=None), *KEYS)
    story.once()
    assert [set(came) for came in story.came] == [{"shop/till", "jobs/nightly"}]


def test_how_long_it_took_is_told_whether_it_went_well_or_not() -> None:
    story = ShopScenario(Answering(till=None), *KEYS)
    story.once()
    assert [key for key, _ in story.took] == KEYS
    assert all(seconds == pytest.approx(0.2, abs=0.05) for _, seconds in story.took)


def test_a_revision_that_went_before_it_was_its_turn_is_neither_taken_in_nor_timed() -> None:
    story = ShopScenario(Answering(), "shop/cart", pods=0)
    story.once()
    assert (story.came, story.took, story.scraping.outage.fault) == ([], [], "")


def test_a_fault_in_scraping_one_revision_is_logged_and_concerns_it_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    story = ShopScenario(Answering(cart=ValueError("a fault of ours")), *KEYS)
    story.once()
    assert [set(came) for came in story.came] == [{"shop/till", "jobs/nightly"}]
    assert "scrape failed revision=shop/cart" in caplog.text


def test_a_fault_in_taking_in_is_logged_and_the_next_answers_are_taken_in(
    caplog: pytest.LogCaptureFixture,
) -> None:
    story = ShopScenario(Answering(), *KEYS)
    story.faults = [ValueError("a fault of ours")]
    story.once()
    story.once()
    assert [set(came) for came in story.came] == [set(KEYS)]
    assert "statistics of pods not taken" in caplog.text


# --- second by second -----------------------------------------------------------------------------


class Watched(Scraping):
    """Counts scrapes instead of making them."""

    def __init__(self, *keys: str, takes_s: float = 0.1) -> None:
        self.keys, self.takes_s = list(keys), takes_s
        self.begun: list[str] = []
        self.begun_s: list[float] = []
        self.networks: list[Network] = []
        super().__init__(
            SimulatedClock(NOW_S),
            targets=lambda: self.keys,
            target=lambda key: ScrapeTarget(key=key, pods=[], service="", stable_window_s=WINDOW_S),
            received=lambda keys, samples: None,
            took=lambda key, seconds: None,
            connections=1,
        )

    async def scrape(self, key: str, scraper: Scraper) -> None:
        self.begun.append(key)
        self.begun_s.append(asyncio.get_running_loop().time())
        self.networks.append(scraper.network)
        await asyncio.sleep(self.takes_s)

    def run_for(self, seconds: float, then: Callable[[], object], more_s: float = 0.0) -> None:
        """Go on for so long, and after something happened for a while more."""

        async def story() -> None:
            task = asyncio.create_task(self.run())
            await asyncio.sleep(seconds)
            then()
            await asyncio.sleep(more_s)
            task.cancel()
            await asyncio.wait([task])

        run_fast(story())


def nothing() -> None:
    """Happens."""


@pytest.mark.parametrize(("takes_s", "begun"), [(0.1, 10), (2.5, 4), (100.0, 1)])
def test_each_second_has_its_scrape_unless_the_last_is_still_under_way(
    takes_s: float, begun: int
) -> None:
    scraping = Watched("shop/cart", takes_s=takes_s)
    scraping.run_for(9.9, nothing)
    assert len(scraping.begun) == begun


def test_revisions_are_asked_at_moments_of_their_own_and_not_all_at_once() -> None:
    """A frame of an activator never waits for all that are asked in a second."""
    keys = [f"shop/cart-{number:05d}" for number in range(500)]
    scraping = Watched(*keys)
    scraping.run_for(2.99, nothing)
    begun_s = np.array(scraping.begun_s).reshape(3, 500)
    order = np.array(scraping.begun).reshape(3, 500)
    assert (order == order[0]).all()
    assert np.diff(begun_s, axis=0) == pytest.approx(1.0, abs=0.1)
    at_once, _ = np.histogram(begun_s[0], bins=20)
    assert at_once.max() <= 2 * 500 / 20


def test_nobody_is_asked_while_nobody_is_to_be_asked_and_all_that_come_are() -> None:
    scraping = Watched()
    scraping.run_for(4.99, lambda: scraping.keys.extend(KEYS), 1.99)
    assert sorted(scraping.begun) == sorted(KEYS * 2)


def test_the_network_is_followed_live() -> None:
    scraping = Watched("shop/cart")
    scraping.run_for(1.99, lambda: scraping.follow(Network(mesh=Mesh.ENABLED)), 1.0)
    assert [n.mesh for n in scraping.networks] == [Mesh.AUTO, Mesh.AUTO, Mesh.ENABLED]


def test_an_outage_ends_when_there_is_nothing_to_scrape() -> None:
    scraping = Watched("shop/cart")
    scraping.outage.failed("shop/cart", 0.0)
    scraping.outage.failed("shop/cart", OUTAGE_S)
    assert scraping.outage.fault
    scraping.run_for(1.5, scraping.keys.clear, 1.0)
    assert scraping.outage.fault == ""
