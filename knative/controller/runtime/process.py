"""The controller as a process: its event loop, and where events come from and instructions go.

Each source of events is a task of its own. An event is handled in one turn of the loop; whoever
fails to be handled is logged and concerns nobody else. A task that ends is a fault of ours: the
process ends with an exit code that says so, and is started again.
"""

import asyncio
import gc
import logging
import signal
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any

from autoscaler.clock import Clock
from autoscaler.errors import PermanentError
from autoscaler.limits import Limit
from autoscaler.pulse import Pulse
from autoscaler.refusals import Refusals
from knative.client.api import Api
from knative.controller.runtime.activator import activator_answers
from knative.controller.runtime.advice_file import AdviceFile
from knative.controller.runtime.display import Display, Parts
from knative.controller.runtime.intake import Intake
from knative.controller.runtime.recording import Recorder
from knative.controller.runtime.settings import ControllerSettings
from knative.controller.runtime.snapshots import Snapshots
from knative.controller.runtime.sources import Sources
from knative.controller.runtime.ticking import Ticking
from knative.controller.runtime.writer import Writer
from knative.controller.state import events as seen
from knative.controller.state.controller import WRITES, Controller
from knative.controller.state.events import Event
from knative.controller.state.instructions import ForwardTo
from knative.leadership.elector import Elector, identity_of
from knative.mirror.reporters import Reporter
from knative.settings.election import Election, election
from knative.settings.network import network_of
from knative.statistics.forward import Forwarder
from knative.statistics.peers import Peers
from knative.statistics.port.server import StatisticsServer
from knative.statistics.scraping.schedule import Scraping

SOON_S = 0.05  # s in which changes are gathered
CLEAN, BROKEN = 0, 1  # exit codes

log = logging.getLogger(__name__)


class Process:
    """Runs until it is told to stop."""

    def __init__(
        self, api: Api, settings: ControllerSettings, clock: Clock, *, plain: bool, scrapes: int
    ) -> None:
        """plain: as of `Controller`. scrapes: connections to queue-proxies, at most."""
        self._api, self._settings, self._clock = api, settings, clock
        self.controller = Controller(plain=plain)
        self.refusals = Refusals()
        self._pulse = Pulse()
        self._changed = asyncio.Event()
        identity = identity_of(settings.pod_name, settings.pod_ip)
        self._elector = Elector(api, settings.namespace, identity, clock)
        self._forwarder = Forwarder(identity, self._elector.wake, port=settings.port)
        self._writer = Writer(
            api,
            partial(activator_answers, cluster_domain=settings.cluster_domain),
            report=self.handle,
            may_write=self._elector.may_write,
            uid_of=self.controller.uid_of,
        )
        self._reporters: dict[str, Reporter] = {}  # by "namespace/pod"
        self._peers = Peers(settings.statistics_from, self.refusals)
        self._intake = Intake(
            self.controller,
            self._forwarder,
            handle=self.handle,
            attend=self._attend,
            refuse=self._refuse,
        )
        self._server = StatisticsServer(
            self._intake.take,
            peers=self._peers,
            refusals=self.refusals,
            leads=self._elector.may_write,
        )
        self._scraping = Scraping(
            clock,
            targets=self._intake.targets,
            target=self._intake.target,
            came=self._intake.take_answers,
            took=self.controller.note_scrape,
            connections=scrapes,
        )
        self._sources = Sources(
            settings.namespace,
            tell=self._saw,
            config=self._configs(),
            reporters=self._saw_reporter,
            report=self._saw_cache,
            refuse=self._refuse,
        )
        for part in (*self._sources.parts, WRITES):
            self.controller.health.say(part, "", clock.now())  # shown from the start
        self._advice = AdviceFile(settings.advice) if settings.advice else None
        self._recorder = (
            Recorder(settings.record, plain=plain, now=clock.now()) if settings.record else None
        )
        display = (
            Display(Snapshots(settings.snapshots), self._shown()) if settings.snapshots else None
        )
        self._ticking = Ticking(
            clock,
            self._pulse,
            handle=self.handle,
            attend=self._attend,
            advice=self._advice,
            display=display,
        )

    def _shown(self) -> Parts:
        return Parts(
            controller=self.controller,
            elector=self._elector,
            forwarder=self._forwarder,
            peers=self._peers,
            server=self._server,
            scraping=self._scraping,
            writer=self._writer,
            refusals=self.refusals,
            pulse=self._pulse,
            advice=self._advice,
            recorder=self._recorder,
        )

    # --- life ---------------------------------------------------------------------------------

    async def run(self) -> int:
        """Go on until a signal tells to stop; returns the exit code."""
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        return await self.serve(stop)

    async def serve(self, stop: asyncio.Event) -> int:
        """Listen at once, list, then tick, until told to stop; returns the exit code."""
        s = self._settings
        port = await self._server.start(s.host, s.port)
        log.info("listening for activators on %s:%d", s.host, port)
        tasks = [asyncio.create_task(part, name=name) for name, part in self._parts().items()]
        told = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait([told, *tasks], return_when=asyncio.FIRST_COMPLETED)
            ended = [task for task in tasks if task.done()]
            for task in ended:
                log.error("%s ended: %r", task.get_name(), task.exception())
            await self._give_up(told, *tasks)
            # Before the sockets close: whoever follows looks at the leases when ours does.
            await self._elector.resign()
        finally:
            await self._give_up(told, *tasks)
            await self._server.stop()
            if self._recorder:
                self._recorder.end()
        return BROKEN if ended else CLEAN

    async def _give_up(self, *tasks: asyncio.Task[Any]) -> None:
        """Nothing of ours is under way any more."""
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=1.0)
        self._writer.give_up()

    def _parts(self) -> dict[str, Coroutine[None, None, None]]:
        return {
            "sources": self._sources.follow(self._api),
            "ticks": self._tick(),
            "changes": self._settle(),
            "leadership": self._campaign(),
            "forwarding": self._forwarder.run(),
            "scrapes": self._scrape(),
        }

    def handle(self, event: Event) -> None:
        """Let the controller take in an event, and see to what it asks for."""
        now = self._clock.now()
        todo = self.controller.handle(event, now)
        if self._recorder:
            self._recorder.record(event, todo, now)
        for instruction in todo:
            if isinstance(instruction, ForwardTo):
                self._forwarder.aim(instruction.address)
        self._writer.carry_out(todo)

    def _attend(self) -> None:
        """Let the controller know what we may do at this moment: leases run out by themselves."""
        standing, leader = self._elector.standing, self._elector.leader
        if (standing, leader) != (self.controller.standing, self.controller.leader):
            log.info("%s: %s", self._elector.identity, standing.value)
            self.handle(seen.StandingChanged(standing=standing, leader=leader))

    # --- ticks --------------------------------------------------------------------------------

    async def _tick(self) -> None:
        await self._sources.podautoscalers.synced.wait()
        log.info("%d revisions are ours", len(self.controller.fleet))
        # What was listed stays: a collection that walks through it stalls the loop (10,000
        # revisions: 0.3 s, again and again) and finds nothing.
        gc.collect()
        gc.freeze()
        await self._ticking.run()

    async def _settle(self) -> None:
        """What changes between ticks shows at once."""
        await self._sources.podautoscalers.synced.wait()
        while True:
            await self._changed.wait()
            await asyncio.sleep(SOON_S)
            self._changed.clear()
            try:
                self._attend()
                self.handle(seen.Settled())
            except Exception:
                log.exception("a change could not be followed; the next tick comes")

    async def _campaign(self) -> None:
        """Stand for election once it is known how many leases there are."""
        await self._sources.config.synced.wait()
        await self._elector.run(self._attend)

    # --- what comes in ------------------------------------------------------------------------

    def _saw(self, event: Event) -> None:
        self.handle(event)
        self._changed.set()

    def _saw_cache(self, kind: str, fault: str) -> None:
        self.controller.health.say(kind, fault, self._clock.now())
        if not fault:
            self.handle(seen.Recovered())

    def _refuse(self, limit: Limit, who: str, n: int = 1) -> None:
        self.refusals.count(limit, who, asyncio.get_running_loop().time(), n)

    def _saw_reporter(self, key: str, reporter: Reporter | None) -> None:
        if reporter:
            self._reporters[key] = reporter
        else:
            self._reporters.pop(key, None)
        self._peers.follow(self._reporters.values())

    # --- scraping -----------------------------------------------------------------------------

    async def _scrape(self) -> None:
        """Ask pods once they are known."""
        await self._sources.podautoscalers.synced.wait()
        await self._scraping.run()

    # --- settings -----------------------------------------------------------------------------

    def _configs(self) -> dict[str, Callable[[Mapping[str, str] | None], None]]:
        """Who hears of each ConfigMap."""

        def decides(name: str) -> Callable[[Mapping[str, str] | None], None]:
            return lambda data: self._saw(seen.ConfigSeen(name=name, data=data))

        return {
            "config-autoscaler": decides("config-autoscaler"),
            "config-deployment": decides("config-deployment"),
            "config-network": self._own("config-network", self._follow_network),
            "config-leader-election": self._own("config-leader-election", self._follow_election),
        }

    def _own(
        self, name: str, follow: Callable[[Mapping[str, str] | None], None]
    ) -> Callable[[Mapping[str, str] | None], None]:
        """A ConfigMap of the process itself: a wrong value keeps the former ones, and is said."""

        def hear(data: Mapping[str, str] | None) -> None:
            fault = ""
            try:
                follow(data)
            except PermanentError as error:
                fault = f"{error}; the former values stay"
            self.controller.health.say(name, fault, self._clock.now())

        return hear

    def _follow_network(self, data: Mapping[str, str] | None) -> None:
        self._scraping.follow(network_of(data or {}))

    def _follow_election(self, data: Mapping[str, str] | None) -> None:
        self._elector.adopt(Election() if data is None else election(data))
