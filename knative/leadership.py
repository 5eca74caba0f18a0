"""What follows from who leads: who decides, who writes, and where activators' frames go."""

import logging
from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from knative.actor import Actor
from knative.election import Election, election
from knative.forward import Forwarder
from knative.leader import Elector, Standing, address_of
from knative.seat import Seat

FAULT = "leases"  # of the parts that report faults

log = logging.getLogger(__name__)


class Leadership(Collector):
    """Applies each change of our standing to the seat, the actor and the forwarder."""

    def __init__(self, elector: Elector, forwarder: Forwarder, seat: Seat, actor: Actor) -> None:
        self._elector, self._forwarder = elector, forwarder
        self._seat, self._actor = seat, actor
        self._former = Standing.FOLLOWING

    def reconfigure(self, data: dict[str, str] | None) -> None:
        """Follow config-leader-election; None = it went. Raises PermanentError."""
        self._elector.adopt(Election() if data is None else election(data))

    def attend(self) -> Standing:
        """What we may do at this moment; a change of it takes effect here."""
        standing = self._elector.standing
        if standing is not self._former:
            self._change(standing)
        if standing is Standing.FOLLOWING:
            self._follow()
        self._seat.board.faults.say(FAULT, self._elector.broken, self._seat.clock.now())
        return standing

    def divert(self, frame: bytes, forwarded: bool) -> bool:
        """Whether an activator's frame is for somebody else; it is then on its way there."""
        if self.attend() is not Standing.FOLLOWING:
            return False
        if forwarded:
            # Its sender and we do not agree on who leads: it would go round in circles.
            self._forwarder.refuse()
        else:
            self._forwarder.send(frame)
        return True

    def collect(self) -> Iterator[Metric]:
        """For a registry of metrics."""
        leading = self._former is Standing.LEADING
        yield GaugeMetricFamily(
            "kn_ahead_leading", "1 while this process decides and writes", value=float(leading)
        )
        yield from self._forwarder.collect()

    def _change(self, standing: Standing) -> None:
        log.info("%s: %s, was %s", self._elector.identity, standing.value, self._former.value)
        if standing is Standing.LEADING and self._former is Standing.FOLLOWING:
            self._seat.begin_anew()
        elif standing is Standing.LEADING:
            self._seat.act_anew()
        else:
            self._actor.rest()
        self._former = standing
        self._seat.board.standing = ""
        if standing is Standing.FOLLOWING:
            self._seat.step_down()
        else:
            self._forwarder.aim("")

    def _follow(self) -> None:
        leader = self._elector.leader
        self._seat.board.standing = (
            f"following {leader}, which decides" if leader else "following: nobody leads yet"
        )
        self._forwarder.aim(address_of(leader))

    async def campaign(self) -> None:
        """Take part in the election until cancelled."""
        await self._elector.run(self.attend)

    async def resign(self) -> None:
        """Stop acting, and let the next lead at once."""
        self._actor.rest()
        await self._elector.resign()
