"""The copy of a bundle that a learner serves: current while it can be asked, kept when not."""

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from autoscaler.advisor.fetch import Fetcher
from autoscaler.limits import MIB, Limit
from autoscaler.refusals import Refusals
from tests.misbehaving import Answer, dripping, endless, head, misbehaving, packed_zeros, sent


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
        port = runner.addresses[0][1]
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


FEW = Limit("few_bytes", MIB, "bytes", "for tests")
SOON = Limit("soon_s", 0.3, "s", "for tests")


def refusal(answer: Answer, copy: Path, refusals: Refusals | None = None) -> str:
    """What a fetcher says that asks such a server; nothing may be left of the answer."""

    async def fetch(url: str) -> str:
        async with aiohttp.ClientSession(auto_decompress=False) as session:
            fetcher = Fetcher(url, copy, session, most=FEW, within=SOON, refusals=refusals)
            return await fetcher.poll()

    with misbehaving(answer) as url:
        said = asyncio.run(fetch(f"{url}/forecasts.npz"))
    assert said.startswith(url)
    assert not copy.exists()
    return said


@pytest.mark.parametrize(
    ("answer", "said", "limit"),
    [
        (sent(b"", "Content-Length: 900000000"), "400, message", None),
        (
            lambda _: iter([head("Content-Length: 900000000"), bytes(1000)]),
            "the bundle has more than 1048576 bytes; allowed: up to those",
            "few_bytes",
        ),
        (
            endless(head("Content-Type: application/octet-stream"), bytes(MIB)),
            "the bundle has more than 1048576 bytes",
            "few_bytes",
        ),
        (
            endless(head("Transfer-Encoding: chunked"), b"100000\r\n" + bytes(MIB) + b"\r\n"),
            "the bundle has more than 1048576 bytes",
            "few_bytes",
        ),
        (dripping(head("Content-Length: 1000")), "not whole within 0.3 s", "soon_s"),
        (dripping(head()), "not whole within 0.3 s", "soon_s"),
        (dripping(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x"), "not whole within 0.3 s", "soon_s"),
        (
            dripping(head("Transfer-Encoding: chunked"), b"1\r\nx\r\n"),
            "not whole within 0.3 s",
            "soon_s",
        ),
        (lambda _: iter([]), "Server disconnected", None),
        (
            sent(packed_zeros(64 * MIB), "Content-Encoding: gzip"),
            "answered packed as gzip; allowed: identity",
            None,
        ),
        (sent(b"x", "Content-Encoding: br"), "answered packed as br", None),
        (
            lambda _: iter([head("Location: http://127.0.0.1:1/", status="302 Found")]),
            "answered 302; allowed: 200",
            None,
        ),
    ],
)
def test_whoever_answers_wrongly_holds_up_nothing_and_is_named(
    tmp_path: Path, answer: Answer, said: str, limit: str | None
) -> None:
    refusals = Refusals()
    assert said in refusal(answer, tmp_path / "copy.npz", refusals)
    assert refusals.counts == ({limit: 1} if limit else {})


def test_it_asks_for_nothing_packed(tmp_path: Path) -> None:
    heads = []

    def answer(asked: bytes) -> Iterator[bytes]:
        heads.append(asked)
        yield head(status="404 Not Found")

    refusal(answer, tmp_path / "copy.npz")
    assert b"Accept-Encoding: identity\r\n" in heads[0]


FETCH = """
import asyncio, resource, sys
from pathlib import Path
import aiohttp
from autoscaler.advisor.fetch import Fetcher

async def fetch():
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        fetcher = Fetcher(sys.argv[1], Path(sys.argv[2]), session)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        said = await fetcher.poll()
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, said)

asyncio.run(fetch())
"""


@pytest.mark.parametrize(
    ("answer", "most_mib"),
    [
        (lambda _: iter([head("Content-Length: 900000000"), *[bytes(MIB)] * 900]), 8),
        (endless(head(), bytes(MIB)), 100),
        (sent(packed_zeros(2048 * MIB), "Content-Encoding: gzip"), 8),
    ],
    ids=["900 MB", "endless", "2 GB of gzip"],
)
def test_what_is_too_much_takes_no_memory(tmp_path: Path, answer: Answer, most_mib: float) -> None:
    with misbehaving(answer) as url:
        command = [sys.executable, "-c", FETCH, url, str(tmp_path / "copy.npz")]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    kib, _, said = done.stdout.partition(" ")
    assert "allowed" in said
    assert float(kib) / 1024 < most_mib
