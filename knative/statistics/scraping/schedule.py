"""Scrapes every revision with ready pods, once a second.

Each revision has its own moment within the second, as in Knative, which has a ticker for each: all
at once would block the event loop (500 pods: 0.2 s), and frames of activators would wait.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable
from zlib import crc32

import numpy as np

from autoscaler.clock import Clock
from autoscaler.core.types import FloatArray
from autoscaler.logs import get_logger
from knative.settings.network import Network
from knative.statistics.scraping.outage import Outage
from knative.statistics.scraping.scraper import PodStat, Scraper, ScrapeTarget

PERIOD_S = 1.0
MOMENTS = 50  # of a second, at which revisions are scraped
GATHER_S = 0.1  # s in which answers are gathered into one event

log = get_logger(__name__)


class Scraping:
    """Scrapes each revision in a task of its own, so that a slow one delays no other."""

    def __init__(
        self,
        clock: Clock,
        *,
        targets: Callable[[], Iterable[str]],
        target: Callable[[str], ScrapeTarget],
        received: Callable[[list[str], FloatArray], None],
        took: Callable[[str, float], None],
        connections: int,
    ) -> None:
        """targets: revisions to scrape now. target: what to scrape for one.

        received: called with n revisions and their samples (2, n): requests in flight and per
        second of all their pods. took: called with how long a revision's scrape took, s.
        connections: of each of two pools, persistent and new ones.
        """
        self._clock, self._targets, self._target = clock, targets, target
        self._received, self._took, self._connections = received, took, connections
        self._network = Network()
        self._gathered: dict[str, PodStat] = {}
        self.outage = Outage()

    def follow(self, network: Network) -> None:
        """Apply a changed config-network."""
        self._network = network

    async def run(self) -> None:
        """Scrape until cancelled."""
        running: dict[str, asyncio.Task[None]] = {}
        loop = asyncio.get_running_loop()
        async with Scraper.open(self._network, self._connections) as scraper:
            while True:
                begin_s = loop.time()
                scraper.follow(self._network)
                running = {key: task for key, task in running.items() if not task.done()}
                keys = list(self._targets())
                scraper.retain(set(keys))
                if not keys:
                    self.outage.succeeded()
                for moment_s, some in _by_moment(keys):
                    await asyncio.sleep(begin_s + moment_s - loop.time())
                    for key in some:
                        if key not in running or running[key].done():
                            running[key] = asyncio.create_task(self.scrape(key, scraper))
                await asyncio.sleep(begin_s + PERIOD_S - loop.time())

    async def scrape(self, key: str, scraper: Scraper) -> None:
        """Scrape one revision; an error is logged and concerns it only."""
        loop = asyncio.get_running_loop()
        begin_s = loop.time()
        try:
            target = self._target(key)
            stat = await scraper.scrape(target, now=self._clock.now())
            if stat:
                self._gather(key, stat)
                self.outage.succeeded()
            elif target.pods:
                self.outage.failed(key, begin_s)
            if target.pods:
                self._took(key, loop.time() - begin_s)
        except Exception:
            log.exception("scrape failed", revision=key)

    def _gather(self, key: str, stat: PodStat) -> None:
        """Gather answers for `GATHER_S`: one event for each would cost much more."""
        if not self._gathered:
            asyncio.get_running_loop().call_later(GATHER_S, self._flush)
        self._gathered[key] = stat

    def _flush(self) -> None:
        gathered, self._gathered = self._gathered, {}
        samples = [[s.concurrency, s.requests] for s in gathered.values()]
        try:
            self._received(list(gathered), np.array(samples, dtype=np.float64).T)
        except Exception:
            log.exception("statistics of pods not taken")


def _by_moment(keys: Iterable[str]) -> list[tuple[float, list[str]]]:
    """Revisions by their moment within a period, s; a revision's moment never changes."""
    found: dict[int, list[str]] = defaultdict(list)
    for key in keys:
        found[crc32(key.encode()) % MOMENTS].append(key)
    return [(moment * PERIOD_S / MOMENTS, found[moment]) for moment in sorted(found)]
