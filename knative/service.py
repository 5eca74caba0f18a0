"""The process in the seat: caches, statistics, ticks and the REST API, each a task of its own."""

import asyncio
import logging
import signal
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import uvicorn

from autoscaler.api.app import create_app
from autoscaler.clock import Clock, SystemClock
from autoscaler.errors import AutoscalerError
from autoscaler.forecasts import ForecastBundle
from autoscaler.predictive import TICK_S
from knative.activators import ActivatorStat, StatsServer
from knative.actor import Actor
from knative.api import Api, Object
from knative.cache import Cache
from knative.config import ClusterConfig, cluster_config
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
from knative.quantities import duration_s
from knative.scrape import TIMEOUT_S, Scraper
from knative.seat import Seat

log = logging.getLogger(__name__)

LoadBundle = Callable[[Path], ForecastBundle]

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

    cluster_domain: str = "cluster.local"
    """For the activator's probe."""


class Service:
    """Runs until it is told to stop."""

    def __init__(
        self, api: Api, settings: ServiceSettings, clock: Clock, load_bundle: LoadBundle
    ) -> None:
        self._api, self._settings, self._clock = api, settings, clock
        self._load_bundle = load_bundle
        self.seat = Seat(clock, ClusterConfig())
        self._stats = StatsServer(self._receive)
        self._actor: Actor
        seat = self.seat
        owned = REVISION_LABEL
        self._caches: list[Cache[Any]] = [
            Cache(SERVERLESSSERVICES, serverlessservice, seat.saw_serverlessservice),
            Cache(DEPLOYMENTS, replicas, seat.saw_deployment, labels=owned),
            Cache(PODS, pod, seat.saw_pod, labels=owned),
        ]
        config = f"/api/v1/namespaces/{settings.namespace}/configmaps"
        self._config = Cache(config, lambda o: o.get("data") or {}, self._saw_config)
        # Last, so that a revision is admitted with its pods known.
        self._pas = Cache(PODAUTOSCALERS, podautoscaler, seat.saw_podautoscaler)

    async def run(self) -> None:
        """Listen at once, list, then tick."""
        s = self._settings
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await self._stats.start(s.host, s.stats_port)
        log.info("listening for activators on %s:%d", s.host, s.stats_port)
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=256, ttl_dns_cache=10),
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
        ) as session:
            self._actor = Actor(self._api, self.seat, self._clock, self._probe)
            parts = self._parts(Scraper(session))
            tasks = [asyncio.create_task(part, name=name) for name, part in parts.items()]
            await asyncio.wait(
                [asyncio.create_task(stop.wait()), *tasks], return_when=asyncio.FIRST_COMPLETED
            )
            for task in tasks:
                if task.done() and not task.cancelled() and task.exception():
                    log.error("%s ended: %r", task.get_name(), task.exception())
                task.cancel()
            await self._stats.stop()

    def _parts(self, scraper: Scraper) -> dict[str, Coroutine[None, None, None]]:
        return {
            "caches": self._follow(),
            "ticks": self._tick(),
            "scrapes": self._keep_scraping(scraper),
            "api": self._serve_api(),
            "forecasts": self._read_bundles(),
        }

    async def _follow(self) -> None:
        """Follow every kind: the fleet is admitted when all else has been listed."""
        async with asyncio.TaskGroup() as group:
            for cache in (self._config, *self._caches):
                group.create_task(cache.follow(self._api))
            for cache in (self._config, *self._caches):
                await cache.synced.wait()
            group.create_task(self._pas.follow(self._api))

    async def _tick(self) -> None:
        await self._pas.synced.wait()
        log.info("%d revisions are ours", len(self.seat.fleet))
        while True:
            begin = asyncio.get_running_loop().time()
            try:
                if len(self.seat.fleet):
                    self._actor.act(self.seat.to_act_for(self.seat.decide()))
            except Exception:
                # The socket that activators need must outlive any fault of a tick.
                log.exception("a tick failed; the next one comes")
            took = asyncio.get_running_loop().time() - begin
            await asyncio.sleep(max(0.0, TICK_S - took))

    def _receive(self, stats: list[ActivatorStat]) -> None:
        """Statistics of an activator; a revision at zero is decided in this very turn."""
        poked = self.seat.record(stats)
        if poked:
            self._actor.act(self.seat.to_act_for(self.seat.decide(sorted(set(poked)))))

    async def _keep_scraping(self, scraper: Scraper) -> None:
        """Every second, ask the pods of every revision that has some."""
        await self._pas.synced.wait()
        running: dict[str, asyncio.Task[None]] = {}
        while True:
            running = {key: task for key, task in running.items() if not task.done()}
            for key in self.seat.scrapable():
                if key not in running:
                    running[key] = asyncio.create_task(self.scrape(key, scraper))
            await asyncio.sleep(1.0)

    async def scrape(self, key: str, scraper: Scraper) -> None:
        """Take in one statistic of a revision's pods; whatever fails concerns it alone."""
        try:
            window_s = self.seat.stable_window_s(key)
            pods = self.seat.ready_pods(key)
            stat = await scraper.scrape(pods, stable_window_s=window_s, now=self._clock.now())
            if stat:
                self.seat.record_pods(key, stat.concurrency, stat.requests)
        except Exception:
            log.exception("%s could not be scraped", key)

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
                text = (data or {}).get("progress-deadline", "600s")
                self.seat.progress_deadline_s = duration_s(text)
                self.seat.reconfigure(self.seat.config)
        except (AutoscalerError, ValueError) as error:
            log.error("%s; the former values stay", error)

    async def _serve_api(self) -> None:
        app = create_app(self.seat.board, self._clock)
        config = uvicorn.Config(
            app, host=self._settings.host, port=self._settings.api_port, log_level="warning"
        )
        server = uvicorn.Server(config)
        server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        await server.serve()

    async def _read_bundles(self) -> None:
        """Put every bundle that appears in force; without one, this is Knative."""
        path, seen = self._settings.bundle, 0.0
        while path:
            try:
                changed = path.stat().st_mtime
                if changed != seen:
                    seen = changed
                    self.seat.forecast(self._load_bundle(path))
            except (AutoscalerError, OSError) as error:
                if self.seat.bundle is not None:
                    log.error("forecasts are gone: %s; deciding as Knative alone would", error)
                self.seat.forecast(None)
            await asyncio.sleep(1.0)
        await asyncio.Event().wait()


async def serve(settings: ServiceSettings, load_bundle: LoadBundle) -> None:
    """Connect, and run until told to stop. load_bundle: reads what the learner published."""
    api = await Api.connect()
    try:
        await Service(api, settings, SystemClock(), load_bundle).run()
    finally:
        await api.close()
