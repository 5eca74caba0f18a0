"""The controller as a process: sources of events, the state machine, and what carries it out.

Each source of events is a task of its own. An event is handled in one turn of the event loop; one
that raises is logged and concerns no other. A task that ends is a bug: the process ends
with the exit code `BROKEN`, and is started again.
"""

import asyncio
import gc
import signal
from collections.abc import Coroutine, Mapping
from functools import partial
from typing import Any

from autoscaler.clock import Clock
from autoscaler.errors import PermanentError
from autoscaler.limits import Limit
from autoscaler.logs import get_logger
from autoscaler.refusals import Refusals
from autoscaler.tick_durations import TickDurations
from knative.client.api import Api
from knative.controller.runtime.activator import activator_answers
from knative.controller.runtime.advice_file import AdviceFile
from knative.controller.runtime.display import Display, Parts
from knative.controller.runtime.intake import Intake
from knative.controller.runtime.recording import Recorder
from knative.controller.runtime.settings import ControllerSettings
from knative.controller.runtime.snapshots import Snapshots
from knative.controller.runtime.sources import FollowConfig, Sources
from knative.controller.runtime.ticking import Ticking
from knative.controller.runtime.writer import Writer
from knative.controller.state import events as seen
from knative.controller.state.controller import WRITES, Controller
from knative.controller.state.events import Event
from knative.controller.state.instructions import ForwardTo
from knative.leadership.elector import Elector, identity_of
from knative.settings.election import Election, election
from knative.settings.network import network_of

DEBOUNCE_S = 0.05  # s in which changes of objects are gathered
CLEAN, BROKEN = 0, 1  # exit codes

log = get_logger(__name__)


class Process:
    """All parts of the controller on one event loop."""

    def __init__(
        self, api: Api, settings: ControllerSettings, clock: Clock, *, plain: bool, scrapes: int
    ) -> None:
        """plain: as of `Controller`. scrapes: connections to queue-proxies, at most."""
        self._api, self._settings, self._clock = api, settings, clock
        self.controller = Controller(plain=plain)
        if settings.snapshots:
            self.controller.revisions.resume(Snapshots(settings.snapshots).carried())
        self.refusals, self._changed = Refusals(), asyncio.Event()
        self._tick_durations = TickDurations()
        identity = identity_of(settings.pod_name, settings.pod_ip)
        self._elector = elector = Elector(api, settings.namespace, identity, clock)
        self._writer = Writer(
            api,
            partial(activator_answers, cluster_domain=settings.cluster_domain),
            report=self.handle,
            may_write=elector.may_write,
            uid_of=self.controller.uid_of,
        )
        self._intake = Intake(
            self.controller,
            elector,
            settings,
            clock,
            refusals=self.refusals,
            scrapes=scrapes,
            handle=self.handle,
            update_leadership=self._update_leadership,
        )
        self._sources = Sources(
            settings.namespace,
            handle=self._handle_change,
            config=self._config_followers(),
            reporters=self._intake.set_reporter,
            report=self._report_cache,
            refuse=self._refuse,
        )
        for part in (*self._sources.parts, WRITES):
            self.controller.health.report(part, "", clock.now())  # shown from the start
        self._advice = AdviceFile(settings.advice) if settings.advice else None
        record = settings.record
        self._recorder = Recorder(record, plain=plain, now=clock.now()) if record else None

    def _ticking(self) -> Ticking:
        """Ticks; they show what all other parts do."""
        snapshots, display = self._settings.snapshots, None
        if snapshots:
            parts = Parts(
                controller=self.controller,
                elector=self._elector,
                intake=self._intake,
                writer=self._writer,
                refusals=self.refusals,
                tick_durations=self._tick_durations,
                advice=self._advice,
                recorder=self._recorder,
            )
            display = Display(Snapshots(snapshots), parts)
        return Ticking(
            self._clock,
            self._tick_durations,
            handle=self.handle,
            update_leadership=self._update_leadership,
            advice=self._advice,
            display=display,
        )

    # --- start and stop -----------------------------------------------------------------------

    async def run(self) -> int:
        """Serve until SIGTERM or SIGINT; returns the exit code."""
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        return await self.serve(stop)

    async def serve(self, stop: asyncio.Event) -> int:
        """Listen at once, list objects, then tick, until `stop`; returns the exit code."""
        s = self._settings
        port = await self._intake.server.start(s.host, s.port)
        log.info("listening for activators", host=s.host, port=port)
        tasks = [asyncio.create_task(part, name=name) for name, part in self._parts().items()]
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait([stopped, *tasks], return_when=asyncio.FIRST_COMPLETED)
            ended = [task for task in tasks if task.done()]
            for task in ended:
                log.error("part ended", part=task.get_name(), error=repr(task.exception()))
            await self._cancel(stopped, *tasks)
            # Before the sockets close: a follower looks at the leases when its connection to us
            # closes.
            await self._elector.resign()
        finally:
            await self._cancel(stopped, *tasks)
            await self._intake.server.stop()
            if self._recorder:
                self._recorder.end()
        return BROKEN if ended else CLEAN

    async def _cancel(self, *tasks: asyncio.Task[Any]) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=1.0)
        self._writer.cancel()

    def _parts(self) -> dict[str, Coroutine[None, None, None]]:
        return {
            "sources": self._sources.follow(self._api),
            "ticks": self._tick(),
            "changes": self._handle_changes(),
            "leadership": self._campaign(),
            "forwarding": self._intake.forwarder.run(),
            "scrapes": self._scrape(),
        }

    # --- tasks --------------------------------------------------------------------------------

    async def _tick(self) -> None:
        await self._sources.podautoscalers.synced.wait()
        log.info("revisions listed", revisions=len(self.controller.fleet))
        # What was listed stays in memory: a collection that walks through it stalls the loop
        # (10,000 revisions: 0.3 s, again and again) and frees nothing.
        gc.collect()
        gc.freeze()
        await self._ticking().run()

    async def _handle_changes(self) -> None:
        """Between ticks, have the controller act on objects that changed."""
        await self._sources.podautoscalers.synced.wait()
        while True:
            await self._changed.wait()
            await asyncio.sleep(DEBOUNCE_S)
            self._changed.clear()
            try:
                self._update_leadership()
                self.handle(seen.ObjectsChanged())
            except Exception:
                log.exception("change not followed; the next tick comes")

    async def _campaign(self) -> None:
        """Stand for election once config-leader-election was listed."""
        await self._sources.config.synced.wait()
        await self._elector.run(self._update_leadership)

    async def _scrape(self) -> None:
        await self._sources.podautoscalers.synced.wait()
        await self._intake.scraping.run()

    # --- events -------------------------------------------------------------------------------

    def handle(self, event: Event) -> None:
        """Have the controller handle an event, and carry out its instructions."""
        now = self._clock.now()
        todo = self.controller.handle(event, now)
        if self._recorder:
            self._recorder.record(event, todo, now)
        for instruction in todo:
            if isinstance(instruction, ForwardTo):
                self._intake.forwarder.forward_to(instruction.address)
        self._writer.carry_out(todo)

    def _update_leadership(self) -> None:
        """Tell the controller what it may do at this moment: leases expire without an event."""
        leadership, leader = self._elector.leadership, self._elector.leader
        if (leadership, leader) != (self.controller.leadership, self.controller.leader):
            log.info("leadership changed", identity=self._elector.identity, to=leadership.value)
            self.handle(seen.LeadershipChanged(leadership=leadership, leader=leader))

    def _handle_change(self, event: Event) -> None:
        self.handle(event)
        self._changed.set()

    def _report_cache(self, kind: str, fault: str) -> None:
        self.controller.health.report(kind, fault, self._clock.now())
        if not fault:
            self.handle(seen.ApiRecovered())

    def _refuse(self, limit: Limit, who: str) -> None:
        self.refusals.count(limit, who, asyncio.get_running_loop().time())

    # --- ConfigMaps ---------------------------------------------------------------------------

    def _config_followers(self) -> dict[str, FollowConfig]:
        """What to call with the data of each ConfigMap."""

        def decides(name: str) -> FollowConfig:
            return lambda data: self._handle_change(seen.ConfigSeen(name=name, data=data))

        return {
            "config-autoscaler": decides("config-autoscaler"),
            "config-deployment": decides("config-deployment"),
            "config-network": self._checked("config-network", self._follow_network),
            "config-leader-election": self._checked(
                "config-leader-election", self._follow_election
            ),
        }

    def _checked(self, name: str, follow: FollowConfig) -> FollowConfig:
        """Reports a wrong value as a fault; the former values stay in force."""

        def checked(data: Mapping[str, str] | None) -> None:
            fault = ""
            try:
                follow(data)
            except PermanentError as error:
                fault = f"{error}; the former values stay"
            self.controller.health.report(name, fault, self._clock.now())

        return checked

    def _follow_network(self, data: Mapping[str, str] | None) -> None:
        self._intake.scraping.follow(network_of(data or {}))

    def _follow_election(self, data: Mapping[str, str] | None) -> None:
        self._elector.adopt(Election() if data is None else election(data))
