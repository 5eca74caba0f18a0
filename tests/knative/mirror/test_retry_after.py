"""When the API server asks us to come back later, we do."""

import asyncio
from collections.abc import Mapping

import pytest
from aiohttp import web

from knative.client.answers import Page
from knative.client.api import LONGEST_RETRY_AFTER_S, ApiError
from knative.mirror.cache import LONGEST_S, Cache
from tests.knative.api_server import FakeApi
from tests.knative.client.test_api import PATH, refusal, with_api
from tests.knative.fast_loop import run_fast
from tests.knative.mirror.following import replicas


class BusyApi(FakeApi):
    """Refuses to list for a while, asking for patience; remembers when it was asked."""

    def __init__(self, refusals: list[ApiError]) -> None:
        super().__init__()
        self.busy = refusals
        self.asked_s: list[float] = []

    async def page(self, path: str, query: Mapping[str, str], limit: int) -> Page:
        self.asked_s.append(asyncio.get_running_loop().time())
        if self.busy:
            raise self.busy.pop(0)
        return Page.of([], "1")


def waits(refusals: list[ApiError]) -> list[float]:
    """s between the attempts to list."""

    async def story() -> list[float]:
        api = BusyApi(refusals)
        cache = Cache(PATH, replicas, changed=lambda key, pods: None, report=lambda why: None)
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
    [
        ("7", 7.0),
        ("86400", LONGEST_RETRY_AFTER_S),
        ("9" * 400, LONGEST_RETRY_AFTER_S),
        ("soon", 0.0),
        ("", 0),
    ],
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
