"""Every two seconds: read advice, decide for all, show it."""

import asyncio
import logging
from collections.abc import Callable

from autoscaler.clock import Clock
from autoscaler.core.prediction.predictive import TICK_S
from autoscaler.pulse import Pulse
from knative.controller.runtime.advice_file import AdviceFile
from knative.controller.runtime.display import Display
from knative.controller.state import events as seen
from knative.controller.state.events import Event

BREATH_S = 0.02  # s between the parts of a tick: a frame is followed by its write within
TICKS_FAILED = 3  # in a row, after which the fleet is made anew

log = logging.getLogger(__name__)


class Ticking:
    """Ticks, whatever fails: the socket that activators need must outlive any fault of a tick."""

    def __init__(
        self,
        clock: Clock,
        pulse: Pulse,
        *,
        handle: Callable[[Event], None],
        attend: Callable[[], None],
        advice: AdviceFile | None,
        display: Display | None,
    ) -> None:
        """attend: lets the controller know who leads at this moment."""
        self._clock, self._pulse = clock, pulse
        self._handle, self._attend = handle, attend
        self._advice, self._display = advice, display

    async def run(self) -> None:
        """Go on until cancelled."""
        loop, failed = asyncio.get_running_loop(), 0
        while True:
            begin_s = loop.time()
            try:
                await self._tick()
                failed = 0
            except Exception:
                log.exception("a tick failed; the next one comes")
                failed += 1
            if failed == TICKS_FAILED:
                # What we made of the cluster is wrong, not the cluster: as after a restart.
                log.error("%d ticks failed in a row; beginning anew from what is listed", failed)
                self._handle(seen.BegunAnew())
                failed = 0
            await asyncio.sleep(max(0.0, TICK_S - (loop.time() - begin_s)))

    async def _tick(self) -> None:
        """One part after the other; what came meanwhile is seen to in between."""
        took_s = self._turn(self._read_advice)
        await asyncio.sleep(BREATH_S)
        took_s += self._turn(lambda: self._handle(seen.Ticked()))
        await asyncio.sleep(BREATH_S)
        took_s += self._turn(self._show)
        self._pulse.beat(self._clock.now(), took_s)

    def _turn(self, work: Callable[[], None]) -> float:
        """Do a part of a tick; returns how long it kept the loop, s."""
        loop = asyncio.get_running_loop()
        begin_s = loop.time()
        self._attend()
        work()
        return loop.time() - begin_s

    def _read_advice(self) -> None:
        if self._advice and self._advice.poll():
            self._handle(seen.AdviceSeen(table=self._advice.table))

    def _show(self) -> None:
        if self._display:
            self._display.show(self._clock.now())
