"""Who may ask, as an API server sees it; the server is a small one of ours, over real HTTP."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import pytest
from aiohttp import web
from kubernetes.aio.client import Configuration

from knative.advisor import review
from knative.advisor.review import CACHED_S, MOST_CACHED, Reviewer
from knative.client.api import Api, ApiError
from tests.knative.advisor.api_server import PROMETHEUS, UNKNOWN_TOKEN, USER, ApiServer, connected

T = TypeVar("T")
METRICS = "/metrics"


class ShopScenario:
    """A reviewer of an API server, with a time of our own."""

    def __init__(self, server: ApiServer, api: Api) -> None:
        self.server, self.now = server, 0.0
        self.reviewer = Reviewer(api, lambda: self.now)

    async def asks(self, token: str = PROMETHEUS, path: str = METRICS) -> bool | None:
        return await self.reviewer.authorize(token, path)


def tell(story: Callable[[ShopScenario], Coroutine[Any, Any, T]]) -> T:
    """Run a story with a server whose known token may read metrics."""

    async def run() -> T:
        server = ApiServer(METRICS)
        async with connected(server) as api:
            return await story(ShopScenario(server, api))

    return asyncio.run(asyncio.wait_for(run(), 30.0))


def test_a_token_is_known_or_not_and_goes_with_a_path_or_not() -> None:
    async def story(it: ShopScenario) -> list[bool | None]:
        return [
            await it.asks(),
            await it.asks(path="/v1/services"),
            await it.asks(UNKNOWN_TOKEN),
            await it.asks(""),
        ]

    assert tell(story) == [True, False, None, None]


def test_who_bears_the_token_is_asked_about_as_the_server_knows_it() -> None:
    async def story(it: ShopScenario) -> None:
        await it.asks()
        (asked,) = it.server.rights
        assert asked == {
            "user": USER["username"],
            "uid": USER["uid"],
            "groups": USER["groups"],
            "extra": USER["extra"],
            "nonResourceAttributes": {"path": METRICS, "verb": "get"},
        }

    tell(story)


def test_nobody_is_asked_about_the_rights_of_a_token_that_nobody_knows() -> None:
    async def story(it: ShopScenario) -> None:
        await it.asks(UNKNOWN_TOKEN)
        assert (it.server.tokens, it.server.rights) == ([UNKNOWN_TOKEN], [])

    tell(story)


@pytest.mark.parametrize("token", [PROMETHEUS, UNKNOWN_TOKEN])
def test_a_verdict_is_remembered_for_a_while_good_or_bad(token: str) -> None:
    async def story(it: ShopScenario) -> None:
        first = await it.asks(token)
        it.now = CACHED_S - 0.1
        assert await it.asks(token) == first
        assert it.server.tokens == [token]
        it.now = CACHED_S
        assert await it.asks(token) == first
        assert it.server.tokens == [token] * 2

    tell(story)


def test_a_right_that_is_taken_away_is_gone_after_that_while() -> None:
    async def story(it: ShopScenario) -> list[bool | None]:
        before = await it.asks()
        it.server.paths = ()
        it.now = CACHED_S
        return [before, await it.asks()]

    assert tell(story) == [True, False]


def test_a_verdict_is_of_one_token_and_one_path() -> None:
    async def story(it: ShopScenario) -> None:
        assert await it.asks(PROMETHEUS, METRICS)
        assert not await it.asks(PROMETHEUS, METRICS + "/")
        assert await it.asks(PROMETHEUS + " ", METRICS) is None

    tell(story)


def test_only_so_many_verdicts_are_remembered_the_eldest_goes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Anybody may come with tokens: they take so much memory and no more."""
    assert MOST_CACHED <= 10_000
    monkeypatch.setattr(review, "MOST_CACHED", 3)

    async def story(it: ShopScenario) -> None:
        for token in ("a", "b", "c", "d", "d", "b"):
            await it.asks(token)
        assert it.server.tokens == ["a", "b", "c", "d"]
        await it.asks("a")
        assert it.server.tokens == ["a", "b", "c", "d", "a"]

    tell(story)


def test_no_token_is_kept() -> None:
    async def story(it: ShopScenario) -> None:
        await it.asks()
        assert PROMETHEUS not in repr(vars(it.reviewer))

    tell(story)


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500])
def test_a_server_that_refuses_to_tell_is_an_error_that_is_not_remembered(status: int) -> None:
    """Such as 403: the advisor's own account may not review."""

    async def story(it: ShopScenario) -> None:
        it.server.odd = [lambda: web.json_response({"message": "no"}, status=status)]
        with pytest.raises(ApiError, match=f"{status} no"):
            await it.asks()
        assert await it.asks() is True

    tell(story)


@pytest.mark.parametrize(
    "body", ["{}", '{"status": null}', '{"status": {}}', "[]", '{"status": {"authenticated": 0}}']
)
def test_a_server_that_says_nothing_of_a_token_does_not_know_it(body: str) -> None:
    async def story(it: ShopScenario) -> bool | None:
        it.server.odd = [lambda: web.Response(text=body, content_type="application/json")]
        return await it.asks()

    assert tell(story) is None


@pytest.mark.parametrize("body", ["{}", '{"status": {"denied": true}}', '{"status": null}'])
def test_a_server_that_says_nothing_of_a_right_does_not_give_it(body: str) -> None:
    async def story(it: ShopScenario) -> bool | None:
        it.server.odd = [
            lambda: web.json_response({"status": {"authenticated": True, "user": None}}),
            lambda: web.Response(text=body, content_type="application/json"),
        ]
        return await it.asks()

    assert tell(story) is False


def test_a_server_that_is_not_there_is_an_error() -> None:
    async def ask() -> None:
        configuration = Configuration()
        configuration.host = "http://127.0.0.1:1"
        api = Api(configuration)
        try:
            await Reviewer(api, lambda: 0.0).authorize(PROMETHEUS, METRICS)
        finally:
            await api.close()

    with pytest.raises(ApiError) as refused:
        asyncio.run(ask())
    assert refused.value.status == 0
    assert PROMETHEUS not in str(refused.value)  # it goes to the log
