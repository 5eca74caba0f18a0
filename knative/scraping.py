"""Every second, the pods of every revision that has some are asked."""

import asyncio
import logging
from collections.abc import Callable

from autoscaler.clock import Clock
from knative.network import Network
from knative.scrape import Scraper, Target
from knative.seat import Seat
from knative.silence import Silence

PERIOD_S = 1.0

log = logging.getLogger(__name__)


class Scraping:
    """A task a revision; whoever is slow or hangs keeps nobody else waiting."""

    def __init__(self, seat: Seat, clock: Clock) -> None:
        self._seat, self._clock = seat, clock
        self.network = Network()  # as config-network has it now
        self.silence = Silence()

    async def run(self, wanted: Callable[[], bool]) -> None:
        """Go on until cancelled. wanted: whether anybody asks for statistics now."""
        running: dict[str, asyncio.Task[None]] = {}
        async with Scraper.open(self.network) as scraper:
            while True:
                scraper.follow(self.network)
                scraper.forget_unless(self._seat.fleet.__contains__)
                running = {key: task for key, task in running.items() if not task.done()}
                keys = self._seat.scrapable() if wanted() else []
                if not keys:
                    self.silence.heard()
                for key in keys:
                    if key not in running:
                        running[key] = asyncio.create_task(self.scrape(key, scraper))
                await asyncio.sleep(PERIOD_S)

    async def scrape(self, key: str, scraper: Scraper) -> None:
        """Take in one statistic of a revision's pods; whatever fails concerns it alone."""
        begin = asyncio.get_running_loop().time()
        try:
            target = self._target(key)
            stat = await scraper.scrape(target, now=self._clock.now())
            if stat:
                self._seat.statistics.record_pods(key, stat.concurrency, stat.requests)
                self.silence.heard()
            elif target.pods:
                self.silence.missed(key, begin)
            if target.pods:
                self._seat.gauges.scraped(key, asyncio.get_running_loop().time() - begin)
        except Exception:
            log.exception("%s could not be scraped", key)

    def _target(self, key: str) -> Target:
        sks = self._seat.serverlessservice(key)
        service = f"{sks.private}.{key.partition('/')[0]}" if sks and sks.private else ""
        return Target(
            key=key,
            pods=self._seat.ready_pods(key),
            service=service,
            stable_window_s=self._seat.stable_window_s(key),
        )
