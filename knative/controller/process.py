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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np

from autoscaler.clock import Clock
from autoscaler.core.fleet import Fleet
from autoscaler.core.predictive import TICK_S
from autoscaler.core.types import FloatArray
from autoscaler.errors import PermanentError
from autoscaler.limits import CHANGES, Limit, Refusals
from autoscaler.pulse import Pulse
from knative.api import Api
from knative.controller import events as seen
from knative.controller.advice_file import AdviceFile
from knative.controller.controller import WRITES, Controller
from knative.controller.events import Event, StatisticsCame
from knative.controller.instructions import ForwardTo
from knative.controller.recording import Recorder
from knative.controller.snapshots import Snapshots
from knative.controller.sources import Sources
from knative.controller.writer import Writer
from knative.leadership.elector import Elector, Standing, identity_of
from knative.mirror.reporters import Reporter
from knative.settings.election import Election, election
from knative.settings.network import network_of
from knative.statistics.decode import decode
from knative.statistics.forward import Forwarder
from knative.statistics.peers import Peers, Policy
from knative.statistics.scraper import Target
from knative.statistics.scraping import Scraping
from knative.statistics.server import StatisticsServer

SOON_S = 0.05  # s in which changes are gathered
BREATH_S = 0.02  # s between the parts of a tick: a frame is followed by its write within
TICKS_FAILED = 3  # in a row, after which the fleet is made anew
CLEAN, BROKEN = 0, 1  # exit codes
PROBE_HEADERS = {"K-Network-Probe": "activator", "User-Agent": "Knative-Autoscaling-Probe"}

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where the controller listens, and what it reads and writes."""

    namespace: str = "knative-serving"
    """Where Knative's ConfigMaps lie."""

    host: str = "0.0.0.0"  # noqa: S104  # a pod's own address
    """Address to listen on."""

    port: int = 8080
    """Where activators dial and the kubelet probes."""

    statistics_from: Policy = Policy.AUTO
    """Who may report statistics."""

    advice: Path | None = None
    """Folder in which the advisor puts advice; None = Knative's rule alone."""

    snapshots: Path | None = None
    """Folder for what the advisor shows; None = nothing is shown."""

    record: Path | None = None
    """File for all events and instructions; None = they are not recorded."""

    cluster_domain: str = "cluster.local"
    """For asking the activator."""

    pod_name: str = ""
    """Of the pod we run in, by which leases name their holder; "" = we run in none."""

    pod_ip: str = ""
    """Its address, where whoever follows us passes activators' frames."""


class Process:
    """Runs until it is told to stop."""

    def __init__(
        self, api: Api, settings: Settings, clock: Clock, *, plain: bool, scrapes: int
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
            self._ask_activator,
            report=self.handle,
            may_write=self._elector.may_write,
            uid_of=self.controller.uid_of,
        )
        self._reporters: dict[str, Reporter] = {}  # by "namespace/pod"
        self._peers = Peers(settings.statistics_from, self.refusals)
        self._server = StatisticsServer(
            self._take, peers=self._peers, refusals=self.refusals, leads=self._elector.may_write
        )
        self._scraping = Scraping(
            clock,
            targets=self._targets,
            target=self._target,
            came=self._pods_reported,
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
        self._snapshots = Snapshots(settings.snapshots) if settings.snapshots else None
        self._recorder = (
            Recorder(settings.record, plain=plain, now=clock.now()) if settings.record else None
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

    @property
    def _following(self) -> bool:
        return self.controller.standing is Standing.FOLLOWING

    # --- ticks --------------------------------------------------------------------------------

    async def _tick(self) -> None:
        await self._sources.podautoscalers.synced.wait()
        log.info("%d revisions are ours", len(self.controller.fleet))
        # What was listed stays: a collection that walks through it stalls the loop (10,000
        # revisions: 0.3 s, again and again) and finds nothing.
        gc.collect()
        gc.freeze()
        loop, failed = asyncio.get_running_loop(), 0
        while True:
            begin_s = loop.time()
            try:
                await self._tick_once()
                failed = 0
            except Exception:
                # The socket that activators need must outlive any fault of a tick.
                log.exception("a tick failed; the next one comes")
                failed += 1
            if failed == TICKS_FAILED:
                # What we made of the cluster is wrong, not the cluster: as after a restart.
                log.error("%d ticks failed in a row; beginning anew from what is listed", failed)
                self.handle(seen.BegunAnew())
                failed = 0
            await asyncio.sleep(max(0.0, TICK_S - (loop.time() - begin_s)))

    async def _tick_once(self) -> None:
        """Read advice, decide for all, show it; what came meanwhile is seen to in between."""
        took_s = self._turn(self._read_advice)
        await asyncio.sleep(BREATH_S)
        took_s += self._turn(lambda: self.handle(seen.Ticked()))
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
            self.handle(seen.AdviceSeen(table=self._advice.table))

    def _show(self) -> None:
        """Write what was decided, for the advisor."""
        if self._snapshots is None:
            return
        controller, now = self.controller, self._clock.now()
        fleet = Fleet() if self._following else controller.fleet
        changes = controller.changes.take()
        self._snapshots.write(controller.revisions, fleet, changes, self._notes(now), now)

    def _notes(self, now: float) -> dict[str, Any]:
        """What is of the process, and no number a revision."""
        health = self.controller.health
        for part, fault in (
            ("statistics", self._peers.fault(asyncio.get_running_loop().time())),
            ("scrape", self._scraping.silence.fault),
            ("leases", self._elector.broken),
            ("advice", self._advice.fault if self._advice else ""),
            ("snapshots", self._snapshots.fault if self._snapshots else ""),
            ("recording", self._recorder.fault if self._recorder else ""),
        ):
            health.say(part, fault, now)
        counts, table = self._server.counts, self._advice.table if self._advice else None
        return {
            "standing": self.controller.standing_in_words,
            "leading": self.controller.standing is Standing.LEADING,
            "faults": {part: str(f) if f else "" for part, f in health.by_part.items()},
            "refused": {**self.refusals.counts, CHANGES.name: self.controller.changes.left_out},
            "forwarded": {"sent": self._forwarder.sent, "dropped": self._forwarder.dropped},
            "activators": {"known": counts.known, "unknown": counts.unknown},
            "advice_refused": table.refused if table else 0,
            "trust_namespaces": self.controller.revisions.config.across_namespaces,
            "tick_counts": self._pulse.counts,
            "tick_sum_s": self._pulse.sum_s,
            "writes": self._writer.writes,
        }

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

    def _take(self, frame: bytes, forwarded: bool) -> None:
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
            self.handle(event)

    def _pods_reported(self, keys: list[str], samples: FloatArray) -> None:
        seconds = np.zeros(len(keys), dtype=np.int64)
        event = StatisticsCame(keys=keys, samples=samples, seconds=seconds, by_activator=False)
        self.handle(event)

    # --- scraping -----------------------------------------------------------------------------

    async def _scrape(self) -> None:
        """Ask pods once they are known."""
        await self._sources.podautoscalers.synced.wait()
        await self._scraping.run()

    def _targets(self) -> list[str]:
        """Revisions with ready pods; none where whoever leads asks them."""
        if self._following:
            return []
        fleet = self.controller.fleet
        return [fleet.keys[row] for row in np.flatnonzero(fleet.observed.ready > 0).tolist()]

    def _target(self, key: str) -> Target:
        controller, fleet = self.controller, self.controller.fleet
        private = controller.private_service_of(key)
        window_s = fleet.spec.stable_window_s[fleet.row(key)] if key in fleet else 0.0
        return Target(
            key=key,
            pods=controller.revisions.ready_pods(key),
            service=f"{private}.{key.partition('/')[0]}" if private else "",
            stable_window_s=float(window_s),
        )

    async def _ask_activator(self, host: str) -> bool:
        """Whether the activator answers at "service.namespace"; over a connection of its own."""
        url = f"http://{host}.svc.{self._settings.cluster_domain}:80/healthz"
        connector = aiohttp.TCPConnector(force_close=True)
        timeout = aiohttp.ClientTimeout(total=2.0)
        try:
            async with (
                aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
                session.get(url, headers=PROBE_HEADERS) as answer,
            ):
                return answer.status == 200 and await answer.content.read(16) == b"activator"
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return False

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
