"""When the API server asks us to come back later, we do."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from aiohttp import web

from knative.api import LONGEST_ASKED_S, MERGE_PATCH, Api, ApiError, Object
from knative.cache import LONGEST_S, Cache
from knative.objects import replicas
from tests.knative.conftest import Cluster, FakeApi, path_of, run_fast
from tests.knative.test_cache import PATH, refusal, with_api


class BusyApi(Api):
    """Refuses to list for a while, asking for patience; remembers when it was asked."""

    def __init__(self, refusals: list[ApiError]) -> None:
        self.refusals = refusals
        self.asked_s: list[float] = []

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> Object:
        self.asked_s.append(asyncio.get_running_loop().time())
        if self.refusals:
            raise self.refusals.pop(0)
        return {"metadata": {"resourceVersion": "1"}, "items": []}

    async def watch(self, path: str, query: Mapping[str, str]) -> AsyncIterator[Object]:
        await asyncio.Event().wait()
        yield {}


def waits(refusals: list[ApiError]) -> list[float]:
    """s between the attempts to list."""

    async def story() -> list[float]:
        api, cache = BusyApi(refusals), Cache(PATH, replicas, lambda key, pods: None)
        task = asyncio.create_task(cache.follow(api))
        await cache.synced.wait()
        task.cancel()
        return [b - a for a, b in zip(api.asked_s, api.asked_s[1:], strict=False)]

    return run_fast(story())


def test_a_cache_lists_again_when_the_server_wants_it_back() -> None:
    asked = [ApiError("busy", status=429, retry_after_s=s) for s in (7.0, 20.0)]
    first, second = waits(asked)
    assert first == pytest.approx(7.0, abs=0.5)
    assert second == pytest.approx(20.0, abs=0.5)


def test_a_cache_backs_off_longer_where_that_is_longer() -> None:
    asked = [ApiError("busy", status=503, retry_after_s=1.0) for _ in range(9)]
    last = waits(asked)[-1]
    assert 0.5 * LONGEST_S <= last <= LONGEST_S + 0.5


def test_a_cache_that_is_not_asked_backs_off_briefly_at_first() -> None:
    assert waits([ApiError("away", status=0)])[0] < 1.0


@pytest.mark.parametrize(
    ("said", "asked_s"),
    [("7", 7.0), ("86400", LONGEST_ASKED_S), ("9" * 400, LONGEST_ASKED_S), ("soon", 0.0), ("", 0)],
)
def test_what_the_server_asks_for_is_bounded(said: str, asked_s: float) -> None:
    answer = refusal(503, **{"Retry-After": said})
    with pytest.raises(ApiError) as refused:
        asyncio.run(with_api(answer, lambda api: api.get(PATH)))
    assert refused.value.retry_after_s == asked_s


def test_only_a_server_that_asks_makes_us_wait() -> None:
    async def plain(request: web.Request) -> web.StreamResponse:
        return web.Response(status=503)

    with pytest.raises(ApiError) as refused:
        asyncio.run(with_api(plain, lambda api: api.get(PATH)))
    assert refused.value.retry_after_s == 0.0


class BusyCluster(FakeApi):
    """Refuses every write to a path once, asking for patience."""

    def __init__(self, path: str, retry_after_s: float) -> None:
        super().__init__()
        self._path, self._retry_after_s = path, retry_after_s
        self.asked_s: list[float] = []

    async def patch(self, path: str, body: Any, kind: str = MERGE_PATCH) -> Object:
        if path == self._path:
            self.asked_s.append(asyncio.get_running_loop().time())
            if len(self.asked_s) == 1:
                raise ApiError("busy", status=429, retry_after_s=self._retry_after_s)
        return await super().patch(path, body, kind)


def busy(retry_after_s: float) -> tuple[Cluster, BusyCluster, str]:
    api = BusyCluster(f"{path_of('deployment')}/scale", retry_after_s)
    cluster = Cluster()
    cluster.api = api
    cluster.actor._api = api  # the cluster's own was made before
    return cluster, api, cluster.has_revision()


def test_a_write_that_was_put_off_is_tried_when_the_server_wants_it() -> None:
    async def story() -> list[float]:
        cluster, api, key = busy(12.0)
        cluster.hears(key, concurrency=350.0, seconds=6)
        await cluster.tick()
        await asyncio.sleep(60.0)
        return api.asked_s

    first, second = run_fast(story())
    assert second - first == pytest.approx(12.0, abs=0.5)


def test_new_demand_is_written_at_once_though_the_last_write_was_put_off() -> None:
    """A request from zero must not wait for a minute because of what another one met."""

    async def story() -> list[float]:
        cluster, api, key = busy(50.0)
        cluster.hears(key, concurrency=350.0, seconds=6)
        await cluster.tick()
        cluster.clock.advance(1.0)
        cluster.hears(key, concurrency=950.0, seconds=6)
        await cluster.tick()
        return api.asked_s

    first, second = run_fast(story())
    assert second - first < 5.0
