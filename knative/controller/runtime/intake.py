"""Statistics as they come in: frames of activators at the port, and answers of scraped pods."""

import asyncio
from collections.abc import Callable

import numpy as np

from autoscaler.clock import Clock
from autoscaler.core.types import FloatArray
from autoscaler.limits import Limit
from autoscaler.refusals import Refusals
from knative.controller.runtime.settings import ControllerSettings
from knative.controller.state.controller import Controller
from knative.controller.state.events import StatisticsReceived
from knative.leadership.elector import Elector, Leadership
from knative.mirror.reporters import Reporter
from knative.statistics.decode import decode
from knative.statistics.forward import Forwarder
from knative.statistics.peers import Peers
from knative.statistics.port.server import StatisticsServer
from knative.statistics.scraping.schedule import Scraping
from knative.statistics.scraping.scraper import ScrapeTarget


class Intake:
    """Makes events of statistics; a follower forwards activators' frames to the leader."""

    def __init__(
        self,
        controller: Controller,
        elector: Elector,
        settings: ControllerSettings,
        clock: Clock,
        *,
        refusals: Refusals,
        scrapes: int,
        handle: Callable[[StatisticsReceived], None],
        update_leadership: Callable[[], None],
    ) -> None:
        """scrapes: connections to queue-proxies, at most.

        update_leadership: has the controller know who leads at this moment.
        """
        self._controller, self._refusals = controller, refusals
        self._handle, self._update_leadership = handle, update_leadership
        self._reporters: dict[str, Reporter] = {}  # by "namespace/pod"
        self.peers = Peers(settings.statistics_from, refusals)
        self.forwarder = Forwarder(elector.identity, elector.wake, port=settings.port)
        self.server = StatisticsServer(
            self.take, peers=self.peers, refusals=refusals, leads=elector.may_write
        )
        self.scraping = Scraping(
            clock,
            targets=self._targets,
            target=self._target,
            received=self._take_answers,
            took=controller.note_scrape,
            connections=scrapes,
        )

    @property
    def _follows(self) -> bool:
        return self._controller.leadership is Leadership.FOLLOWING

    def set_reporter(self, key: str, reporter: Reporter | None) -> None:
        """A pod that may report came, changed or was deleted (None)."""
        if reporter:
            self._reporters[key] = reporter
        else:
            self._reporters.pop(key, None)
        self.peers.follow(self._reporters.values())

    # --- frames of activators -----------------------------------------------------------------

    def take(self, frame: bytes, forwarded: bool) -> None:
        """Take in a frame, or forward it. forwarded: whether another replica forwarded it."""
        self._update_leadership()
        if not self._follows:
            self._take_in(frame)
        elif forwarded:
            # Two replicas that take each other for the leader would forward it in a circle.
            self.forwarder.refuse()
        else:
            self.forwarder.send(frame)

    def _take_in(self, frame: bytes) -> None:
        decoded = decode(frame, self._refuse)
        if decoded.keys:
            event = StatisticsReceived(
                keys=decoded.keys,
                samples=np.stack([decoded.concurrency, decoded.requests]),
                seconds=decoded.second,
                by_activator=True,
            )
            self._handle(event)

    def _refuse(self, limit: Limit, who: str, n: int) -> None:
        self._refusals.count(limit, who, asyncio.get_running_loop().time(), n)

    # --- scraped pods -------------------------------------------------------------------------

    def _take_answers(self, keys: list[str], samples: FloatArray) -> None:
        """Take in what pods answered: samples (2, n), requests in flight and arrived."""
        seconds = np.zeros(len(keys), dtype=np.int64)
        self._handle(
            StatisticsReceived(keys=keys, samples=samples, seconds=seconds, by_activator=False)
        )

    def _targets(self) -> list[str]:
        """Revisions with ready pods; none while another replica leads, which scrapes them."""
        if self._follows:
            return []
        fleet = self._controller.fleet
        return [fleet.keys[row] for row in np.flatnonzero(fleet.observed.ready > 0).tolist()]

    def _target(self, key: str) -> ScrapeTarget:
        """Where a revision's pods are scraped."""
        controller, fleet = self._controller, self._controller.fleet
        private = controller.private_service_of(key)
        window_s = fleet.spec.stable_window_s[fleet.row(key)] if key in fleet else 0.0
        return ScrapeTarget(
            key=key,
            pods=controller.revisions.ready_pods(key),
            service=f"{private}.{key.partition('/')[0]}" if private else "",
            stable_window_s=float(window_s),
        )
