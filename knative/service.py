"""The process in the seat: caches, statistics, ticks and the REST API, each a task of its own."""

import asyncio
import gc
import logging
import signal
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import uvicorn

from autoscaler.api.app import create_app
from autoscaler.clock import Clock, SystemClock
from autoscaler.core.predictive import TICK_S
from autoscaler.errors import AutoscalerError
from autoscaler.faults import FORECASTS
from knative.activators import ActivatorStat, StatsServer
from knative.actor import Actor
from knative.api import Api, Object
from knative.bundles import UNREAD, Bundles, LoadBundle
from knative.cache import Cache
from knative.config import ClusterConfig, cluster_config, progress_deadline_s
from knative.events import Regarding
from knative.fetch import keep_fetching
from knative.forward import Forwarder
from knative.leader import Elector, Standing, identity_of
from knative.leadership import Leadership
from knative.network import network_of
from knative.objects import (
    DEPLOYMENTS,
    PODAUTOSCALERS,
    PODS,
    REVISION_LABEL,
    SERVERLESSSERVICES,
    pod,
    podautoscaler,
    replicas,
    serverlessservice,
)
from knative.reports import Reports
from knative.scraping import Scraping
from knative.seat import Seat
from knative.traffic import ROUTES, route

log = logging.getLogger(__name__)

ROUTES_WAIT_S = 2.0  # s after all else was listed
SOON_S = 0.05  # s in which changes are gathered
TICKS_FAILED = 3  # in a row, after which the fleet is made anew
PROBE_HEADERS = {"K-Network-Probe": "activator", "User-Agent": "Knative-Autoscaling-Probe"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSettings:
    """Where the autoscaler listens and what it reads."""

    namespace: str = "knative-serving"
    """Where Knative's ConfigMaps lie."""

    host: str = "0.0.0.0"  # noqa: S104  # a pod's own address
    """Address to listen on."""

    stats_port: int = 8080
    """Where activators dial and the kubelet probes."""

    api_port: int = 9090
    """Of the REST API and our metrics."""

    bundle: Path | None = None
    """Forecasts that the learner publishes; None = Knative's rule alone."""

    bundle_url: str = ""
    """Where the learner serves them, to be copied to that path; "" = it writes there itself."""

    cluster_domain: str = "cluster.local"
    """For the activator's probe."""

    pod_name: str = ""
    """Of the pod we run in, by which leases name their holder; "" = we run in none."""

    pod_ip: str = ""
    """Its address, where whoever follows us passes activators' frames."""

    pod_uid: str = ""
    """Its uid, by which `kubectl describe` finds Events about us."""


class Service:
    """Runs until it is told to stop."""

    def __init__(
        self, api: Api, settings: ServiceSettings, clock: Clock, load_bundle: LoadBundle
    ) -> None:
        self._api, self._settings, self._clock = api, settings, clock
        self._load_bundle = load_bundle
        self.seat = Seat(clock, ClusterConfig())
        self._reports = Reports(api, self.seat, clock, _own_pod(settings))
        identity = identity_of(settings.pod_name, settings.pod_ip)
        elector = Elector(api, settings.namespace, identity, clock)
        self._actor = Actor(api, self.seat, clock, self._probe, may_write=elector.may_write)
        self._actor.failures.ailing = self._reports.part("writes")
        self._forwarder = Forwarder(identity, elector.wake, port=settings.stats_port)
        self._leadership = Leadership(elector, self._forwarder, self.seat, self._actor)
        self._stats = StatsServer(
            self._receive, divert=self._leadership.divert, leads=elector.may_write
        )
        seat = self.seat
        self._scraping = Scraping(seat, clock)
        self._scraping.silence.ailing = self._reports.part("scrape")
        owned = REVISION_LABEL
        self._caches: list[Cache[Any]] = [
            Cache(SERVERLESSSERVICES, serverlessservice, seat.saw_serverlessservice),
            Cache(DEPLOYMENTS, replicas, seat.saw_deployment, labels=owned),
            Cache(PODS, pod, seat.saw_pod, labels=owned),
        ]
        config = f"/api/v1/namespaces/{settings.namespace}/configmaps"
        self._config = Cache(config, lambda o: o.get("data") or {}, self._saw_config)
        # Not every cluster lets us see its Routes: nobody waits long for them.
        self._routes: Cache[Any] = Cache(ROUTES, route, seat.traffic.saw_route)
        # Last, so that a revision is admitted with its pods known.
        self._pas = Cache(PODAUTOSCALERS, podautoscaler, seat.saw_podautoscaler)
        for cache in (*self._caches, self._config, self._pas, self._routes):
            cache.ailing = self._heard_of(self._reports.part(cache.kind))

    async def run(self) -> None:
        """Listen at once, list, then tick."""
        s = self._settings
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await self._stats.start(s.host, s.stats_port)
        log.info("listening for activators on %s:%d", s.host, s.stats_port)
        parts = self._parts()
        tasks = [asyncio.create_task(part, name=name) for name, part in parts.items()]
        await asyncio.wait(
            [asyncio.create_task(stop.wait()), *tasks], return_when=asyncio.FIRST_COMPLETED
        )
        for task in tasks:
            if task.done() and not task.cancelled() and task.exception():
                log.error("%s ended: %r", task.get_name(), task.exception())
            task.cancel()
        await asyncio.wait(tasks, timeout=1.0)  # nothing of ours is under way any more
        # Before the sockets close: whoever follows looks at the leases when ours does.
        await self._leadership.resign()
        await self._stats.stop()

    def _parts(self) -> dict[str, Coroutine[None, None, None]]:
        parts = {
            "caches": self._follow(),
            "ticks": self._tick(),
            "reactions": self._react(),
            "leadership": self._campaign(),
            "forwarding": self._forwarder.run(),
            "scrapes": self._keep_scraping(),
            "api": self._serve_api(),
            "forecasts": self._read_bundles(),
            "events": self._reports.events.run(),
        }
        s = self._settings
        if s.bundle and s.bundle_url:
            ailing = self._reports.part("learner")
            parts["learner"] = keep_fetching(s.bundle_url, s.bundle, ailing)
        return parts

    def _heard_of(self, say: Callable[[str], None]) -> Callable[[str], None]:
        """Report how a cache is; once one is well again, so is what failed for the same cause."""

        def ailing(why: str) -> None:
            say(why)
            if not why:
                self._actor.retry()

        return ailing

    async def _follow(self) -> None:
        """Follow every kind: the fleet is admitted when all else has been listed."""
        async with asyncio.TaskGroup() as group:
            for cache in (self._config, self._routes, *self._caches):
                group.create_task(cache.follow(self._api))
            for cache in (self._config, *self._caches):
                await cache.synced.wait()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._routes.synced.wait(), ROUTES_WAIT_S)
            group.create_task(self._pas.follow(self._api))

    async def _campaign(self) -> None:
        """Stand for election once it is known how many leases there are."""
        await self._config.synced.wait()
        await self._leadership.campaign()

    def _decide(self, keys: Sequence[str] | None = None) -> None:
        """Decide for the fleet, or for some revisions, and act, as far as our standing allows."""
        standing = self._leadership.attend()
        if standing is Standing.FOLLOWING or not len(self.seat.fleet):
            return
        decisions = self.seat.decide(keys)
        if standing is Standing.LEADING:
            self._actor.act(self.seat.to_act_for(decisions))

    async def _tick(self) -> None:
        await self._pas.synced.wait()
        log.info("%d revisions are ours", len(self.seat.fleet))
        # What was listed stays: a collection that walks through it stalls the loop (10,000
        # revisions: 0.3 s, again and again) and finds nothing.
        gc.collect()
        gc.freeze()
        failed = 0
        while True:
            begin = asyncio.get_running_loop().time()
            try:
                self._decide()
                took = asyncio.get_running_loop().time() - begin
                self.seat.board.pulse.beat(self._clock.now(), took)
                failed = 0
            except Exception:
                # The socket that activators need must outlive any fault of a tick.
                log.exception("a tick failed; the next one comes")
                failed += 1
            if failed == TICKS_FAILED:
                # What we made of the cluster is wrong, not the cluster: as after a restart.
                log.error("%d ticks failed in a row; beginning anew from what is listed", failed)
                self.seat.begin_anew()
                failed = 0
            took = asyncio.get_running_loop().time() - begin
            await asyncio.sleep(max(0.0, TICK_S - took))

    async def _react(self) -> None:
        """What changes between ticks shows at once; only what is new is decided then."""
        changed = asyncio.Event()
        self.seat.on_change = changed.set
        await self._pas.synced.wait()
        while True:
            await changed.wait()
            await asyncio.sleep(SOON_S)
            changed.clear()
            try:
                if self._leadership.attend() is Standing.LEADING:
                    new = self.seat.undecided()
                    if new:
                        self._decide(new)
                    self._actor.act(self.seat.follow_up())
            except Exception:
                log.exception("a change could not be followed; the next tick comes")

    def _receive(self, stats: list[ActivatorStat]) -> None:
        """Statistics of an activator; a revision at zero is decided in this very turn."""
        poked = self.seat.statistics.record(stats)
        if poked:
            self._decide(sorted(set(poked)))

    async def _keep_scraping(self) -> None:
        """Ask pods once they are known, unless whoever leads does."""
        await self._pas.synced.wait()
        await self._scraping.run(lambda: self._leadership.attend() is not Standing.FOLLOWING)

    async def _probe(self, service: str) -> bool:
        """Whether the activator answers at a service; over a connection of its own each time."""
        url = f"http://{service}.svc.{self._settings.cluster_domain}:80/healthz"
        connector = aiohttp.TCPConnector(force_close=True)
        timeout = aiohttp.ClientTimeout(total=2.0)
        try:
            async with (
                aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
                session.get(url, headers=PROBE_HEADERS) as answer,
            ):
                return answer.status == 200 and await answer.text() == "activator"
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False

    def _saw_config(self, key: str, data: Object | None) -> None:
        name = key.rpartition("/")[2]
        try:
            if name == "config-autoscaler":
                self.seat.reconfigure(cluster_config(data or {}))
            elif name == "config-deployment":
                self.seat.progress_deadline_s = progress_deadline_s(data or {})
                self.seat.reconfigure(self.seat.config)
            elif name == "config-network":
                self._scraping.network = network_of(data or {})
            elif name == "config-leader-election":
                self._leadership.reconfigure(data)
        except (AutoscalerError, ValueError) as error:
            log.error("%s; the former values stay", error)

    async def _serve_api(self) -> None:
        app = create_app(self.seat.board, self._clock, [self._leadership, self.seat.gauges])
        config = uvicorn.Config(
            app,
            host=self._settings.host,
            port=self._settings.api_port,
            log_level="warning",
            lifespan="off",  # there is none, and being stopped would be logged as its fault
        )
        server = uvicorn.Server(config)
        server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        await server.serve()

    async def _read_bundles(self) -> None:
        """Put every bundle that appears in force; without one, this is Knative."""
        if self._settings.bundle is None:
            await asyncio.Event().wait()
            return
        bundles = Bundles(self._settings.bundle, self._load_bundle)
        ailing = self._reports.part(FORECASTS)
        while True:
            if await bundles.poll(self._clock.now()):
                self.seat.forecast(bundles.bundle)
            unread = self.seat.bundle is not bundles.bundle
            ailing(UNREAD if unread else bundles.fault(self._clock.now()))
            await asyncio.sleep(1.0)


def _own_pod(s: ServiceSettings) -> Regarding | None:
    if not (s.pod_name and s.pod_uid):
        return None
    return Regarding(
        api_version="v1", kind="Pod", namespace=s.namespace, name=s.pod_name, uid=s.pod_uid
    )


async def serve(settings: ServiceSettings, load_bundle: LoadBundle) -> None:
    """Connect, and run until told to stop. load_bundle: reads what the learner published."""
    api = await Api.connect()
    try:
        await Service(api, settings, SystemClock(), load_bundle).run()
    finally:
        await api.close()
