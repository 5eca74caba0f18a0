"""Statistics of pods, asked of their queue-proxies every second.

A sample of the pods stands for all of them; pods older than the stable window come first, as young
ones have not settled. If any of the sample cannot be had, there is no statistic for that second,
and the rule holds. Behind a service mesh pods do not answer at their addresses: then their Service
is asked, again and again over new connections, until enough different pods have answered.
Source: knative/serving pkg/autoscaler/metrics/stats_scraper.go.
"""

import asyncio
import math
import random
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp

from autoscaler.limits import SCRAPE_CONNECTIONS
from knative.mirror.objects import Pod
from knative.settings.network import Mesh, Network
from knative.statistics.scraping.queue_proxy import PORT, Answer, RefusedError, ask

TIMEOUT_S = 3.0
TRIES = 10  # of each of the sample, through a Service
FEW = 3  # up to so many pods all are asked
SPREAD = 1.96**2 * 100 / 25  # of a sample: 95 % within five requests at a deviation of ten


@dataclass(frozen=True, slots=True, kw_only=True)
class ScrapeTarget:
    """Whom to ask for a revision."""

    key: str  # "namespace/revision"
    pods: Sequence[Pod]  # ready
    service: str  # the private one, "service.namespace"; "" = not yet known
    stable_window_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PodStat:
    """What all pods of a revision report together, without what the activator reports itself."""

    concurrency: float  # requests in flight
    requests: float  # a second


@dataclass(slots=True)
class _Round:
    """What one round of questions has found."""

    answers: list[Answer] = field(default_factory=list)
    only_mesh: bool = True  # whether whoever refused did as a mesh does


def sample_size(pods: int) -> int:
    """How many of so many pods are asked."""
    return pods if pods <= FEW else math.ceil(pods * SPREAD / (pods + SPREAD - 1))


class Scraper:
    """Asks queue-proxies, as the network allows."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        fresh: aiohttp.ClientSession,
        network: Network | None = None,
    ) -> None:
        """session: keeps its connections. fresh: makes a new one for every question."""
        self._session, self._fresh = session, fresh
        self._network = network or Network()
        self._meshed: set[str] = set()  # revisions whose Service answered when no pod did
        self.failed = 0  # samples that could not be had

    @classmethod
    @asynccontextmanager
    async def open(
        cls, network: Network, connections: int = int(SCRAPE_CONNECTIONS.most)
    ) -> AsyncIterator["Scraper"]:
        """With so many connections of its own that are kept, and as many that are not."""
        limits = aiohttp.ClientTimeout(total=TIMEOUT_S)
        kept = aiohttp.TCPConnector(limit=connections, ttl_dns_cache=10)
        once = aiohttp.TCPConnector(limit=connections, ttl_dns_cache=10, force_close=True)
        async with (
            aiohttp.ClientSession(connector=kept, timeout=limits) as session,
            aiohttp.ClientSession(connector=once, timeout=limits) as fresh,
        ):
            yield cls(session, fresh, network)

    def follow(self, network: Network) -> None:
        """config-network has changed: what was found out before is tried anew."""
        if network != self._network:
            self._network = network
            self._meshed.clear()

    def forget_unless(self, known: Callable[[str], bool]) -> None:
        """Revisions went. known: whether one is still there."""
        self._meshed = {key for key in self._meshed if known(key)}

    async def scrape(self, target: ScrapeTarget, *, now: float) -> PodStat | None:
        """One statistic of a revision's ready pods; None = there is none this second."""
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
        mesh, network = self._network.mesh, self._network
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
        if found and network is self._network:  # which may have changed meanwhile
            self._meshed.add(target.key)
        return found

    async def _pods(self, target: ScrapeTarget, size: int, now: float) -> _Round:
        """Ask pods at their addresses; whoever fails is stood in for by the next."""
        old = [p for p in target.pods if now - p.started_s >= target.stable_window_s]
        young = [p for p in target.pods if now - p.started_s < target.stable_window_s]
        random.shuffle(old)
        random.shuffle(young)
        asked, left = _Round(), iter([*old, *young])
        await asyncio.gather(*(self._one_pod(left, target, asked) for _ in range(size)))
        return asked

    async def _one_pod(self, left: Iterator[Pod], target: ScrapeTarget, asked: _Round) -> None:
        headers = {}
        if self._network.pods_addressable:
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
        """Ask the Service for a sample of different pods, old ones first; None = too few."""
        if not target.service:
            return None
        met = _Met(size=size, settled_s=target.stable_window_s)
        url = f"http://{target.service}:{PORT}/metrics"
        ends = await asyncio.gather(*(self._one_of_service(url, met) for _ in range(size)))
        # That others had met all pods there are is no failure while there are enough.
        if not all(ends) or len(met.old) + len(met.young) < size:
            return None
        return [*met.old, *met.young][:size]

    async def _one_of_service(self, url: str, met: "_Met") -> bool:
        """Ask until a settled pod answers, or there is nobody new; whether nothing failed."""
        tries = 0
        while True:
            tries += 1
            try:
                answer = await ask(self._fresh, url)
            except RefusedError:
                failed = True
            else:
                failed = False
                if answer.pod not in met.names:
                    if met.keep(answer):
                        return True
                    continue  # young ones are kept, up to a sample of them, while an old is sought
            if tries >= TRIES:
                return not failed


@dataclass(slots=True)
class _Met:
    """Pods met through a Service."""

    size: int  # of the sample
    settled_s: float  # age of a pod that has settled
    names: set[str] = field(default_factory=set)
    old: list[Answer] = field(default_factory=list)
    young: list[Answer] = field(default_factory=list)

    def keep(self, answer: Answer) -> bool:
        """Keep an answer of a pod not met before; whether no more has to be sought."""
        self.names.add(answer.pod)
        if answer.uptime_s >= self.settled_s:
            self.old.append(answer)
            return True
        if len(self.young) < self.size:
            self.young.append(answer)
            return False
        return True
