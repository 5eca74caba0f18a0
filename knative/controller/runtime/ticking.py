"""Every two seconds: read advice, decide for all revisions, write a snapshot."""

import asyncio
from collections.abc import Callable

from autoscaler.clock import Clock
from autoscaler.core.prediction.predictive import TICK_S
from autoscaler.logs import get_logger
from autoscaler.tick_durations import TickDurations
from knative.controller.runtime.advice_file import AdviceFile
from knative.controller.runtime.display import Display
from knative.controller.state import events as seen
from knative.controller.state.events import Event

PAUSE_S = 0.02  # s between the parts of a tick, in which frames and their writes are handled
TICKS_FAILED = 3  # in a row, after which the fleet is rebuilt

log = get_logger(__name__)


class Ticking:
    """Ticks; one that fails is logged, as the port of activators has to stay open."""

    def __init__(
        self,
        clock: Clock,
        tick_durations: TickDurations,
        *,
        handle: Callable[[Event], None],
        update_leadership: Callable[[], None],
        advice: AdviceFile | None,
        display: Display | None,
    ) -> None:
        """update_leadership: has the controller know who leads at this moment."""
        self._clock, self._tick_durations = clock, tick_durations
        self._handle, self._update_leadership = handle, update_leadership
        self._advice, self._display = advice, display

    async def run(self) -> None:
        """Tick until cancelled."""
        loop, failed = asyncio.get_running_loop(), 0
        while True:
            begin_s = loop.time()
            try:
                await self._tick()
                failed = 0
            except Exception:
                log.exception("tick failed; the next one comes")
                failed += 1
            if failed == TICKS_FAILED:
                # The fleet may hold a wrong value: rebuild it from the objects, as after a restart.
                log.error("ticks failed in a row; the fleet is rebuilt", ticks=failed)
                self._handle(seen.TicksFailed())
                failed = 0
            await asyncio.sleep(max(0.0, TICK_S - (loop.time() - begin_s)))

    async def _tick(self) -> None:
        """Run the parts of a tick, with pauses between them for other events."""
        took_s = self._turn(self._read_advice)
        await asyncio.sleep(PAUSE_S)
        took_s += self._turn(lambda: self._handle(seen.Ticked()))
        await asyncio.sleep(PAUSE_S)
        took_s += self._turn(self._show)
        self._tick_durations.add(took_s)

    def _turn(self, work: Callable[[], None]) -> float:
        """Run a part of a tick; returns for how long it blocked the event loop, s."""
        loop = asyncio.get_running_loop()
        begin_s = loop.time()
        self._update_leadership()
        work()
        return loop.time() - begin_s

    def _read_advice(self) -> None:
        if self._advice and self._advice.poll():
            self._handle(seen.AdviceSeen(table=self._advice.table))

    def _show(self) -> None:
        if self._display:
            self._display.show(self._clock.now())
