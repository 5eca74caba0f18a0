"""What became of each pod: when it was made, ready, asked to go, and gone.

Kubernetes tells whole seconds. A watch hears of a change within milliseconds, so a change counts
from when it was heard, unless that contradicts what Kubernetes says: after a gap of the watch.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from autoscaler.clock import Clock
from autoscaler.core.types import FloatArray
from knative.client.api import Api, ApiError, Object
from knative.controller.state.start_up import parts_of
from knative.mirror.objects import pod as parse

ROUNDED_S = 1.0  # s that a time of Kubernetes' may be short
PAGE = 250  # objects a page
AGAIN_S = 1.0  # until the watch is begun anew after a failure


@dataclass(frozen=True, slots=True, kw_only=True)
class PodTimes:
    """Of one pod, Unix s; infinite = it has not happened."""

    name: str
    revision: str  # without its namespace
    created_s: float
    ready_s: float = np.inf
    deleted_s: float = np.inf  # asked to go
    gone_s: float = np.inf
    parts: Mapping[str, float]  # s of its start-up, by part, in Kubernetes' whole seconds

    def was_ready(self, at_s: float) -> bool:
        """Whether it was ready and not asked to go."""
        return self.ready_s <= at_s < self.deleted_s


class PodLog:
    """All pods that were seen, those that are gone as well."""

    def __init__(self) -> None:
        self._pods: dict[str, PodTimes] = {}  # by uid
        self.gaps = 0  # times at which the watch broke

    def put(self, o: Object, now: float) -> None:
        """A pod is new or has changed. now: Unix s at which that was heard."""
        pod, uid, name = parse(o), o["metadata"]["uid"], o["metadata"]["name"]
        known = self._pods.get(uid) or PodTimes(
            name=name,
            revision=pod.revision.partition("/")[2],
            created_s=heard(now, pod.created_s),
            parts={},
        )
        if pod.ready_s and known.ready_s == np.inf:
            known = replace(known, ready_s=heard(now, pod.ready_s), parts=parts_of(pod))
        if pod.deleted_s and known.deleted_s == np.inf:
            known = replace(known, deleted_s=heard(now, pod.deleted_s))
        self._pods[uid] = known

    def drop(self, o: Object, now: float) -> None:
        """A pod is gone."""
        self.put(o, now)
        self._gone(o["metadata"]["uid"], now)

    def listed(self, items: Iterable[Object], now: float) -> None:
        """These are all that are there."""
        there = set()
        for o in items:
            there.add(o["metadata"]["uid"])
            self.put(o, now)
        for uid, pod in self._pods.items():
            if uid not in there and pod.gone_s == np.inf:
                self._gone(uid, now)

    def _gone(self, uid: str, now: float) -> None:
        pod = self._pods[uid]
        self._pods[uid] = replace(pod, deleted_s=min(pod.deleted_s, now), gone_s=now)

    def pods(self) -> tuple[PodTimes, ...]:
        """All of them."""
        return tuple(self._pods.values())


def heard(now: float, said_s: float) -> float:
    """When something happened that was heard now, and that Kubernetes says was in second said_s.

    >>> heard(100.25, 100.0), heard(170.0, 100.0), heard(99.5, 100.0)
    (100.25, 101.0, 100.0)
    """
    return min(max(now, said_s), said_s + ROUNDED_S)


def pod_seconds(pods: Iterable[PodTimes], edges_s: FloatArray) -> FloatArray:
    """(n,) pod-seconds, from creation to gone, between n + 1 times, Unix s."""
    life = np.array([(pod.created_s, pod.gone_s) for pod in pods]).reshape(-1, 2)
    begin = np.maximum(life[:, :1], edges_s[:-1])  # (pods, n)
    end = np.minimum(life[:, 1:], edges_s[1:])
    return np.asarray(np.maximum(end - begin, 0.0).sum(axis=0))


def started(pods: Iterable[PodTimes], edges_s: FloatArray) -> FloatArray:
    """(n,) pods that were made between n + 1 times, Unix s."""
    return np.histogram([pod.created_s for pod in pods], edges_s)[0].astype(np.float64)


async def follow(api: Api, path: str, selector: str, log: PodLog, clock: Clock) -> None:
    """Record pods until cancelled. path: of their list. selector: of labels."""
    while True:
        try:
            version = await _list(api, path, selector, log, clock)
            query = {"labelSelector": selector, "resourceVersion": version}
            async with api.watch(path, query) as events:
                async for event in events:
                    if event.kind == "ERROR":
                        break
                    if event.kind == "DELETED":
                        log.drop(event.object, clock.now())
                    elif event.kind != "BOOKMARK":
                        log.put(event.object, clock.now())
        except (ApiError, ValueError):
            log.gaps += 1
            await asyncio.sleep(AGAIN_S)


async def _list(api: Api, path: str, selector: str, log: PodLog, clock: Clock) -> str:
    """Record all that are there; returns the version from which to watch."""
    query, found = {"labelSelector": selector}, []
    while True:
        page = await api.page(path, query, PAGE)
        found += list(page.items())
        if not page.more:
            log.listed(found, clock.now())
            return page.version
        query = {**query, "continue": page.more}
