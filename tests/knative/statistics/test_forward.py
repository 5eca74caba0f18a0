import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest
from websockets.asyncio.server import Server, ServerConnection, serve

from knative.statistics.forward import Forwarder
from knative.statistics.wire import FORWARDED
from tests.knative.statistics.clients import PATIENCE_S, Port, until
from tests.knative.statistics.clients import run as run_with_port
from tests.knative.statistics.examples import a_frame

US = "autoscaler-b_127.0.0.1"


@dataclass
class Leader:
    """A WebSocket server that keeps what it gets."""

    got: list[bytes | str] = field(default_factory=list)
    links: list[ServerConnection] = field(default_factory=list)
    reads: bool = True
    server: Server | None = None

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> int:
        self.server = await serve(
            self._take, host, port, compression=None, max_queue=1, ping_interval=None
        )
        return int(next(iter(self.server.sockets)).getsockname()[1])

    async def stop(self, code: int = 1012) -> None:
        if self.server:
            self.server.close(code=code)
            await self.server.wait_closed()

    async def _take(self, link: ServerConnection) -> None:
        self.links.append(link)
        if not self.reads:
            await link.wait_closed()
        async for frame in link:
            self.got.append(frame)


@dataclass
class Lost:
    times: int = 0

    def __call__(self) -> None:
        self.times += 1


ShopScenario = Callable[[Forwarder, Leader, Lost], Coroutine[Any, Any, None]]


def run(story: ShopScenario, *, host: str = "127.0.0.1", **options: Any) -> None:
    """Run a story with a leader, and a forwarder that is not yet aimed at it."""

    async def with_both() -> None:
        leader, lost = Leader(), Lost()
        port = await leader.start(host)
        forwarder = Forwarder(US, lost, port=port, **options)
        task = asyncio.create_task(forwarder.run())
        try:
            await story(forwarder, leader, lost)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await leader.stop()

    asyncio.run(asyncio.wait_for(with_both(), 2 * PATIENCE_S))


def test_frames_reach_the_leader_as_they_came_in_order_and_marked() -> None:
    async def story(forwarder: Forwarder, leader: Leader, lost: Lost) -> None:
        forwarder.forward_to("127.0.0.1")
        frames = [a_frame(f"r{i}") for i in range(50)] + [b"\xff\xff"]
        for frame in frames:
            forwarder.send(frame)
        await until(lambda: len(leader.got) == 51)
        assert leader.got == frames
        (link,) = leader.links
        assert link.request is not None
        assert link.request.headers[FORWARDED] == US
        assert (forwarder.sent, forwarder.dropped) == (51, 0)

    run(story)


def test_a_leader_is_dialled_before_the_first_frame_comes() -> None:
    async def story(forwarder: Forwarder, leader: Leader, lost: Lost) -> None:
        forwarder.forward_to("127.0.0.1")
        await until(lambda: leader.links)

    run(story)


def test_an_address_of_version_6_is_dialled() -> None:
    async def story(forwarder: Forwarder, leader: Leader, lost: Lost) -> None:
        forwarder.forward_to("::1")
        forwarder.send(b"frame")
        await until(lambda: leader.got == [b"frame"])

    run(story, host="::1")


def test_a_leader_that_goes_is_told_of_once_and_dialled_anew() -> None:
    async def story(forwarder: Forwarder, leader: Leader, lost: Lost) -> None:
        forwarder.forward_to("127.0.0.1")
        await until(lambda: leader.links)
        await leader.links[0].close(1012)
        await until(lambda: len(leader.links) == 2)
        assert lost.times == 1
        forwarder.send(b"after")
        await until(lambda: leader.got == [b"after"])

    run(story)


def test_a_leader_that_vanishes_without_a_word_is_dialled_anew() -> None:
    async def story(forwarder: Forwarder, leader: Leader, lost: Lost) -> None:
        forwarder.forward_to("127.0.0.1")
        await until(lambda: leader.links)
        leader.links[0].transport.abort()
        await until(lambda: len(leader.links) == 2)
        assert lost.times == 1

    run(story)


def test_a_leader_that_is_not_there_yet_is_found_when_it_comes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def story(forwarder: Forwarder, leader: Leader, lost: Lost) -> None:
        assert leader.server is not None
        port = next(iter(leader.server.sockets)).getsockname()[1]
        await leader.stop()
        forwarder.forward_to("127.0.0.1")
        await until(lambda: "trying again" in caplog.text)
        leader.server = None
        await leader.start(port=port)
        await until(lambda: leader.links)
        assert lost.times == 0

    run(story)


def test_another_leader_is_followed_and_the_former_left() -> None:
    async def story(forwarder: Forwarder, leader: Leader, lost: Lost) -> None:
        assert leader.server is not None
        port = next(iter(leader.server.sockets)).getsockname()[1]
        other = Leader()
        await other.start("127.0.0.2", port)
        forwarder.forward_to("127.0.0.1")
        await until(lambda: leader.links)
        forwarder.forward_to("127.0.0.2")
        await until(lambda: other.links)
        forwarder.send(b"frame")
        await until(lambda: other.got == [b"frame"])
        await until(lambda: leader.links[0].state.name == "CLOSED")
        forwarder.forward_to("")
        await until(lambda: other.links[0].state.name == "CLOSED")
        assert leader.got == []
        assert lost.times == 0
        await other.stop()

    run(story)


def test_what_cannot_be_sent_in_time_is_dropped_and_counted() -> None:
    async def story() -> None:
        loop = asyncio.get_running_loop()
        forwarder = Forwarder(US, lambda: None)
        for _ in range(10):
            forwarder.send(b"old")
        begin = loop.time()
        while loop.time() < begin + 2.1:
            await asyncio.sleep(0.3)
        forwarder.send(b"new")
        assert forwarder.dropped == 10
        assert forwarder.sent == 0

    asyncio.run(story())


def test_a_leader_that_does_not_read_costs_the_oldest_frames_and_nobody_waits() -> None:
    async def story(forwarder: Forwarder, leader: Leader, lost: Lost) -> None:
        leader.reads = False
        forwarder.forward_to("127.0.0.1")
        await until(lambda: leader.links)
        for _ in range(1000):
            forwarder.send(bytes(100_000))
            await asyncio.sleep(0)
        assert forwarder.dropped > 500
        assert forwarder.sent < 500
        leader.links[0].transport.abort()

    run(story, most_bytes=1_000_000)


def test_what_is_not_passed_on_is_counted() -> None:
    async def story() -> None:
        forwarder = Forwarder(US, lambda: None, most_bytes=3)
        forwarder.send(b"one")
        forwarder.send(b"two")
        forwarder.refuse()
        assert (forwarder.sent, forwarder.dropped) == (0, 2)

    asyncio.run(story())


class Follower(Port):
    """A server that passes on what it gets."""

    def __init__(self, forwarder: Forwarder) -> None:
        super().__init__()
        self._forwarder = forwarder

    def take(self, frame: bytes, forwarded: bool) -> None:
        assert not forwarded
        self._forwarder.send(frame)


def test_an_activators_frame_goes_over_who_follows_to_who_leads() -> None:
    async def story(leader: Port) -> None:
        forwarder = Forwarder(US, lambda: None, port=leader.number)
        follower = Follower(forwarder)
        follower.number = await follower.server.start("127.0.0.1", 0)
        task = asyncio.create_task(forwarder.run())
        forwarder.forward_to("127.0.0.1")
        async with await follower.dial() as activator:
            await activator.send(a_frame("cart"))
            await until(lambda: leader.frames)
        assert leader.frames == [(a_frame("cart"), True)]
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await follower.end()

    run_with_port(story)
