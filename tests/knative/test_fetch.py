"""The copy of a bundle that a learner serves: current while it can be asked, kept when not."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
from aiohttp import web

from knative.fetch import Fetcher


class Learner:
    """Serves some bytes under a tag."""

    def __init__(self) -> None:
        self.body, self.tag, self.status = b"one", '"1"', 200
        self.sent = 0

    async def answer(self, request: web.Request) -> web.Response:
        if request.headers.get("If-None-Match") == self.tag:
            return web.Response(status=304)
        self.sent += 1
        return web.Response(body=self.body, status=self.status, headers={"ETag": self.tag})


def run(copy: Path, test: Callable[[Learner, Fetcher, web.AppRunner], Awaitable[None]]) -> None:
    async def with_server() -> None:
        learner, app = Learner(), web.Application()
        app.router.add_get("/forecasts.npz", learner.answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        async with aiohttp.ClientSession() as session:
            url = f"http://127.0.0.1:{port}/forecasts.npz"
            try:
                await test(learner, Fetcher(url, copy, session), runner)
            finally:
                await runner.cleanup()

    asyncio.run(with_server())


def test_a_bundle_is_fetched_once_and_again_when_it_is_another(tmp_path: Path) -> None:
    copy = tmp_path / "copy.npz"

    async def test(learner: Learner, fetcher: Fetcher, _: web.AppRunner) -> None:
        assert [await fetcher.poll() for _ in range(3)] == ["", "", ""]
        assert (copy.read_bytes(), learner.sent) == (b"one", 1)
        learner.body, learner.tag = b"two", '"2"'
        assert await fetcher.poll() == ""
        assert (copy.read_bytes(), learner.sent) == (b"two", 2)

    run(copy, test)


def test_a_copy_that_was_removed_is_fetched_again(tmp_path: Path) -> None:
    copy = tmp_path / "copy.npz"

    async def test(_: Learner, fetcher: Fetcher, __: web.AppRunner) -> None:
        await fetcher.poll()
        copy.unlink()
        assert await fetcher.poll() == ""
        assert copy.read_bytes() == b"one"

    run(copy, test)


def test_what_was_fetched_stays_when_the_learner_fails_or_goes(tmp_path: Path) -> None:
    copy = tmp_path / "copy.npz"

    async def test(learner: Learner, fetcher: Fetcher, runner: web.AppRunner) -> None:
        await fetcher.poll()
        learner.tag, learner.status = '"2"', 503
        assert "answered 503; allowed: 200" in await fetcher.poll()
        await runner.cleanup()
        assert "127.0.0.1" in await fetcher.poll()
        assert copy.read_bytes() == b"one"
        assert list(tmp_path.iterdir()) == [copy]

    run(copy, test)


def test_a_copy_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    async def test(_: Learner, fetcher: Fetcher, __: web.AppRunner) -> None:
        assert "cannot be written" in await fetcher.poll()

    run(tmp_path / "nowhere" / "copy.npz", test)
