"""Statistics of pods, asked of their queue-proxies every second.

A sample of the pods stands for all of them; pods older than the stable window are asked first, as
young ones have not settled. If any of the sample cannot be had, there is no statistic for that
second, and the rule holds. Source: knative/serving pkg/autoscaler/metrics/stats_scraper.go.
"""

import asyncio
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

import aiohttp
from google.protobuf.message import DecodeError

from autoscaler.fleet import LARGEST_SAMPLE
from knative.objects import Pod
from knative.wire import Stat

PORT = 9090
TIMEOUT_S = 3.0
LARGEST = 4096  # bytes of an answer that is read; a Stat has some sixty
FEW = 3  # up to so many pods all are asked
SPREAD = 1.96**2 * 100 / 25  # of a sample: 95 % within five requests at a deviation of ten


@dataclass(frozen=True, slots=True, kw_only=True)
class PodStat:
    """What all pods of a revision report together, without what the activator reports itself."""

    concurrency: float  # requests in flight
    requests: float  # a second


def sample_size(pods: int) -> int:
    """How many of so many pods are asked."""
    return pods if pods <= FEW else math.ceil(pods * SPREAD / (pods + SPREAD - 1))


class Scraper:
    """Asks queue-proxies over one pool of connections."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self.failed = 0  # samples that could not be had

    async def scrape(
        self, pods: Sequence[Pod], *, stable_window_s: float, now: float
    ) -> PodStat | None:
        """One statistic of a revision's ready pods; None = there is none this second."""
        if not pods:
            return None
        old = [p for p in pods if now - p.started_s > stable_window_s]
        young = [p for p in pods if now - p.started_s <= stable_window_s]
        random.shuffle(old)
        random.shuffle(young)
        candidates = iter([*old, *young])
        size = sample_size(len(pods))
        stats = await asyncio.gather(*(self._first(candidates) for _ in range(size)))
        found = [s for s in stats if s is not None]
        if len(found) < size:
            self.failed += 1
            return None
        share = len(pods) / size
        return PodStat(
            concurrency=share * sum(s.concurrency for s in found),
            requests=share * sum(s.requests for s in found),
        )

    async def _first(self, candidates: "object") -> PodStat | None:
        """The first pod of those left that answers."""
        for pod in candidates:  # type: ignore[attr-defined]
            stat = await self._ask(pod.address)
            if stat is not None:
                return stat
        return None

    async def _ask(self, address: str) -> PodStat | None:
        try:
            async with self._session.get(f"http://{address}:{PORT}/metrics") as answer:
                body = b""
                async for piece in answer.content.iter_any():
                    body += piece
                    if len(body) > LARGEST:
                        return None
                kind = answer.headers.get("Content-Type", "")
                if answer.status // 100 != 2 or "protobuf" not in kind:
                    return None
            return _decode(body)
        except (TimeoutError, aiohttp.ClientError, OSError):
            return None


def _decode(body: bytes) -> PodStat | None:
    """A queue-proxy's Stat; None for what is no number or cannot be."""
    try:
        stat = Stat.FromString(body)
    except DecodeError:
        return None
    concurrency = stat.average_concurrent_requests - stat.average_proxied_concurrent_requests
    requests = stat.request_count - stat.proxied_request_count
    sane = max(abs(concurrency), abs(requests)) <= LARGEST_SAMPLE  # NaN compares False
    sane = sane and not math.isnan(concurrency + requests)
    return PodStat(concurrency=concurrency, requests=requests) if sane else None
