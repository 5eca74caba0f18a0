"""Statistics of a revision's pods, scraped from their queue-proxies.

A sample of the pods is scraped and scaled up to all; pods older than the stable window come first.
If one of the sample does not answer, there is no statistic for that second. Behind a service mesh
pods cannot be reached at their addresses: then their Service is scraped, over new connections,
until enough different pods have answered.
Source: knative/serving pkg/autoscaler/metrics/stats_scraper.go.
"""

import asyncio
import math
import random
from collections.abc import AsyncIterator, Iterator, Sequence, Set
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp

from autoscaler.limits import SCRAPE_CONNECTIONS
from knative.mirror.objects import Pod
from knative.settings.network import Mesh, Network
from knative.statistics.scraping.queue_proxy import PORT, Answer, RefusedError, ask

TIMEOUT_S = 3.0
TRIES = 10  # requests for each pod of the sample, through a Service
FEW = 3  # up to so many pods all are scraped
SPREAD = 1.96**2 * 100 / 25  # of a sample: 95 % within five requests at a deviation of ten


@dataclass(frozen=True, slots=True, kw_only=True)
class ScrapeTarget:
    """The pods and the Service of a revision."""

    key: str  # "namespace/revision"
    pods: Sequence[Pod]  # ready
    service: str  # the private one, "service.namespace"; "" = not yet known
    stable_window_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PodStat:
    """The sum over all pods of a revision, without what the activator reports itself."""

    concurrency: float  # requests in flight
    requests: float  # a second


@dataclass(slots=True)
class _PodSample:
    """Answers of pods that were scraped at their addresses."""

    answers: list[Answer] = field(default_factory=list)
    only_mesh: bool = True  # whether every refusal may be that of a mesh's proxy


def sample_size(pods: int) -> int:
    """How many of so many pods are scraped."""
    return pods if pods <= FEW else math.ceil(pods * SPREAD / (pods + SPREAD - 1))


class Scraper:
    """Scrapes queue-proxies directly or through Services."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        fresh: aiohttp.ClientSession,
        network: Network | None = None,
    ) -> None:
        """session: with persistent connections. fresh: with a new one for every request."""
        self._session, self._fresh = session, fresh
        self.network = network or Network()  # in force
        self._meshed: set[str] = set()  # revisions whose Service answered while no pod did
        self.failed = 0  # samples without enough answers

    @classmethod
    @asynccontextmanager
    async def open(
        cls, network: Network, connections: int = int(SCRAPE_CONNECTIONS.most)
    ) -> AsyncIterator["Scraper"]:
        """A scraper with so many persistent connections, and as many new ones."""
        limits = aiohttp.ClientTimeout(total=TIMEOUT_S)
        persistent = aiohttp.TCPConnector(limit=connections, ttl_dns_cache=10)
        once = aiohttp.TCPConnector(limit=connections, ttl_dns_cache=10, force_close=True)
        async with (
            aiohttp.ClientSession(connector=persistent, timeout=limits) as session,
            aiohttp.ClientSession(connector=once, timeout=limits) as fresh,
        ):
            yield cls(session, fresh, network)

    def follow(self, network: Network) -> None:
        """Apply a changed config-network: find out again which revisions are behind a mesh."""
        if network != self.network:
            self.network = network
            self._meshed.clear()

    def retain(self, keys: Set[str]) -> None:
        """Forget all revisions but these."""
        self._meshed &= keys

    async def scrape(self, target: ScrapeTarget, *, now: float) -> PodStat | None:
        """One statistic of a revision's ready pods; None = there is none for this second."""
        if not target.pods:
            return None
        size = sample_size(len(target.pods))
        found = await self._sample(target, size, now)
        if found is None:
            self.failed += 1
            return None
        share = len(target.pods) / size
        return PodStat(
            concurrency=share * sum(a.concurrency for a in found),
            requests=share * sum(a.requests for a in found),
        )

    async def _sample(self, target: ScrapeTarget, size: int, now: float) -> list[Answer] | None:
        mesh, network = self.network.mesh, self.network
        if mesh is Mesh.ENABLED:
            return await self._through_service(target, size)
        if target.key not in self._meshed:
            asked = await self._pods(target, size, now)
            if len(asked.answers) == size:
                return asked.answers
            behind_mesh = not asked.answers and asked.only_mesh
            if mesh is Mesh.DISABLED or network.pods_addressable or not behind_mesh:
                return None
        found = await self._through_service(target, size)
        if found and network is self.network:  # which may have changed meanwhile
            self._meshed.add(target.key)
        return found

    async def _pods(self, target: ScrapeTarget, size: int, now: float) -> _PodSample:
        """Scrape pods at their addresses; one that fails is replaced by the next."""
        old = [p for p in target.pods if now - p.started_s >= target.stable_window_s]
        young = [p for p in target.pods if now - p.started_s < target.stable_window_s]
        random.shuffle(old)
        random.shuffle(young)
        asked, left = _PodSample(), iter([*old, *young])
        await asyncio.gather(*(self._one_pod(left, target, asked) for _ in range(size)))
        return asked

    async def _one_pod(self, left: Iterator[Pod], target: ScrapeTarget, asked: _PodSample) -> None:
        headers = {}
        if self.network.pods_addressable:
            headers = {"Host": target.service, "Knative-Direct-Lb": "true"}
        for pod in left:
            try:
                url = f"http://{pod.address}:{PORT}/metrics"
                answer = await ask(self._session, url, headers)
            except RefusedError as refusal:
                asked.only_mesh &= refusal.mesh
            else:
                asked.answers.append(answer)
                return

    async def _through_service(self, target: ScrapeTarget, size: int) -> list[Answer] | None:
        """Scrape the Service for a sample of different pods, old ones first; None = too few."""
        if not target.service:
            return None
        sample = _ServiceSample(size=size, old_s=target.stable_window_s)
        url = f"http://{target.service}:{PORT}/metrics"
        ends = await asyncio.gather(*(self._one_of_service(url, sample) for _ in range(size)))
        # A request that found no new pod is no failure while there are enough answers.
        if not all(ends) or len(sample.old) + len(sample.young) < size:
            return None
        return [*sample.old, *sample.young][:size]

    async def _one_of_service(self, url: str, sample: "_ServiceSample") -> bool:
        """Request until an old pod or no new one answers; whether the last request succeeded."""
        tries = 0
        while True:
            tries += 1
            try:
                answer = await ask(self._fresh, url)
            except RefusedError:
                failed = True
            else:
                failed = False
                if answer.pod not in sample.names:
                    if sample.add(answer):
                        return True
                    continue  # young ones are stored while an old one is sought
            if tries >= TRIES:
                return not failed


@dataclass(slots=True)
class _ServiceSample:
    """Answers of different pods through a Service."""

    size: int  # of the sample
    old_s: float  # uptime from which a pod counts as old
    names: set[str] = field(default_factory=set)
    old: list[Answer] = field(default_factory=list)
    young: list[Answer] = field(default_factory=list)

    def add(self, answer: Answer) -> bool:
        """Store the answer of a new pod; returns whether no further one is needed."""
        self.names.add(answer.pod)
        if answer.uptime_s >= self.old_s:
            self.old.append(answer)
            return True
        if len(self.young) < self.size:
            self.young.append(answer)
            return False
        return True
