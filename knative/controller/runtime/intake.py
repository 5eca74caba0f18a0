"""Statistics as they come in: frames of activators, and what pods answer."""

from collections.abc import Callable

import numpy as np

from autoscaler.core.types import FloatArray
from autoscaler.limits import Limit
from knative.controller.state.controller import Controller
from knative.controller.state.events import StatisticsCame
from knative.leadership.elector import Standing
from knative.statistics.decode import decode
from knative.statistics.forward import Forwarder
from knative.statistics.scraping.scraper import ScrapeTarget


class Intake:
    """Makes events of statistics, or passes frames on to who leads."""

    def __init__(
        self,
        controller: Controller,
        forwarder: Forwarder,
        *,
        handle: Callable[[StatisticsCame], None],
        attend: Callable[[], None],
        refuse: Callable[[Limit, str, int], None],
    ) -> None:
        """attend: lets the controller know who leads at this moment."""
        self._controller, self._forwarder = controller, forwarder
        self._handle, self._attend, self._refuse = handle, attend, refuse

    @property
    def _following(self) -> bool:
        return self._controller.standing is Standing.FOLLOWING

    def take(self, frame: bytes, forwarded: bool) -> None:
        """A frame of an activator: taken in, or passed on to who leads."""
        self._attend()
        if not self._following:
            self._take_in(frame)
        elif forwarded:
            # Its sender and we do not agree on who leads: it would go round in circles.
            self._forwarder.refuse()
        else:
            self._forwarder.send(frame)

    def _take_in(self, frame: bytes) -> None:
        reported = decode(frame, self._refuse)
        if reported.keys:
            event = StatisticsCame(
                keys=reported.keys,
                samples=np.stack([reported.concurrency, reported.requests]),
                seconds=reported.second,
                by_activator=True,
            )
            self._handle(event)

    def take_answers(self, keys: list[str], samples: FloatArray) -> None:
        """What pods of revisions answered: samples (2, n), requests in flight and arrived."""
        seconds = np.zeros(len(keys), dtype=np.int64)
        self._handle(
            StatisticsCame(keys=keys, samples=samples, seconds=seconds, by_activator=False)
        )

    def targets(self) -> list[str]:
        """Revisions with ready pods; none where whoever leads asks them."""
        if self._following:
            return []
        fleet = self._controller.fleet
        return [fleet.keys[row] for row in np.flatnonzero(fleet.observed.ready > 0).tolist()]

    def target(self, key: str) -> ScrapeTarget:
        """Where a revision's pods are asked."""
        controller, fleet = self._controller, self._controller.fleet
        private = controller.private_service_of(key)
        window_s = fleet.spec.stable_window_s[fleet.row(key)] if key in fleet else 0.0
        return ScrapeTarget(
            key=key,
            pods=controller.revisions.ready_pods(key),
            service=f"{private}.{key.partition('/')[0]}" if private else "",
            stable_window_s=float(window_s),
        )
