"""Every second, the pods of every revision that has some are asked.

Each revision has its own moment within the second, as with Knative, which has a ticker for each:
all at once would keep the event loop for as long as they take together (500 pods: 0.2 s), and a
frame that came meanwhile would wait for its pod.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable
from zlib import crc32

import numpy as np

from autoscaler.clock import Clock
from autoscaler.core.types import FloatArray
from knative.settings.network import Network
from knative.statistics.scraping.scraper import PodStat, Scraper, ScrapeTarget
from knative.statistics.scraping.silence import Silence

PERIOD_S = 1.0
MOMENTS = 50  # of a second, at which revisions are asked
GATHER_S = 0.1  # s in which answers are gathered, to be taken in together

log = logging.getLogger(__name__)


class Scraping:
    """A task a revision; whoever is slow or hangs keeps nobody else waiting."""

    def __init__(
        self,
        clock: Clock,
        *,
        targets: Callable[[], Iterable[str]],
        target: Callable[[str], ScrapeTarget],
        came: Callable[[list[str], FloatArray], None],
        took: Callable[[str, float], None],
        connections: int,
    ) -> None:
        """targets: revisions to ask now. target: whom to ask for one.

        came: takes statistics: n revisions, and (2, n) requests in flight and per second of all
        their pods together. took: hears how long asking for a revision took, s.
        connections: to queue-proxies, at most; and as many that are made anew each time.
        """
        self._clock, self._targets, self._target = clock, targets, target
        self._came, self._took, self._connections = came, took, connections
        self._network = Network()
        self._gathered: dict[str, PodStat] = {}
        self.silence = Silence()

    def follow(self, network: Network) -> None:
        """config-network has changed."""
        self._network = network

    async def run(self) -> None:
        """Go on until cancelled."""
        running: dict[str, asyncio.Task[None]] = {}
        loop = asyncio.get_running_loop()
        async with Scraper.open(self._network, self._connections) as scraper:
            while True:
                begin_s = loop.time()
                scraper.follow(self._network)
                running = {key: task for key, task in running.items() if not task.done()}
                keys = list(self._targets())
                scraper.forget_unless(set(keys).__contains__)
                if not keys:
                    self.silence.heard()
                for moment_s, some in _by_moment(keys):
                    await asyncio.sleep(begin_s + moment_s - loop.time())
                    for key in some:
                        if key not in running or running[key].done():
                            running[key] = asyncio.create_task(self.scrape(key, scraper))
                await asyncio.sleep(begin_s + PERIOD_S - loop.time())

    async def scrape(self, key: str, scraper: Scraper) -> None:
        """Take in one statistic of a revision's pods; whatever fails concerns it alone."""
        loop = asyncio.get_running_loop()
        begin_s = loop.time()
        try:
            target = self._target(key)
            stat = await scraper.scrape(target, now=self._clock.now())
            if stat:
                self._gather(key, stat)
                self.silence.heard()
            elif target.pods:
                self.silence.missed(key, begin_s)
            if target.pods:
                self._took(key, loop.time() - begin_s)
        except Exception:
            log.exception("%s could not be scraped", key)

    def _gather(self, key: str, stat: PodStat) -> None:
        """Keep an answer for a moment: taking them in one by one costs much more."""
        if not self._gathered:
            asyncio.get_running_loop().call_later(GATHER_S, self._pass_on)
        self._gathered[key] = stat

    def _pass_on(self) -> None:
        gathered, self._gathered = self._gathered, {}
        samples = [[s.concurrency, s.requests] for s in gathered.values()]
        try:
            self._came(list(gathered), np.array(samples, dtype=np.float64).T)
        except Exception:
            log.exception("what pods reported could not be taken in")


def _by_moment(keys: Iterable[str]) -> list[tuple[float, list[str]]]:
    """When within a period which revisions are asked, s; a revision's moment is always the same."""
    found: dict[int, list[str]] = defaultdict(list)
    for key in keys:
        found[crc32(key.encode()) % MOMENTS].append(key)
    return [(moment * PERIOD_S / MOMENTS, found[moment]) for moment in sorted(found)]
