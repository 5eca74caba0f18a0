import asyncio
import struct
from collections.abc import Callable, Coroutine
from typing import Any

import aiohttp
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from knative.activators import LARGEST_FRAME, ActivatorStat, StatsServer
from knative.wire import Stat, WireStatMessage, WireStatMessages

PATIENCE_S = 10.0  # until a test gives up; none waits so long


class Seat:
    """Receives statistics."""

    def __init__(self) -> None:
        self.got: list[ActivatorStat] = []
        self.came = asyncio.Event()

    def take(self, stats: list[ActivatorStat]) -> None:
        self.got += stats
        self.came.set()

    async def has(self, key: str) -> ActivatorStat:
        """Wait for a revision's statistic."""
        while True:
            for stat in self.got:
                if stat.key == key:
                    return stat
            self.came.clear()
            await asyncio.wait_for(self.came.wait(), PATIENCE_S)


def a_frame(name: str, concurrency: float = 1.0, second: int = 0) -> bytes:
    stat = Stat(average_concurrent_requests=concurrency, request_count=2.0, timestamp=second)
    message = WireStatMessage(namespace="shop", name=name, stat=stat)
    return bytes(WireStatMessages(messages=[message]).SerializeToString())


def dial(port: int) -> connect:
    """As an activator dials: no compression, no proxy."""
    return connect(f"ws://127.0.0.1:{port}/", compression=None, proxy=None)


Story = Callable[[StatsServer, int, Seat], Coroutine[Any, Any, None]]


def run(story: Story) -> None:
    """Run a story with a server on a free port."""

    async def with_server() -> None:
        seat = Seat()
        server = StatsServer(seat.take)
        port = await server.start("127.0.0.1", 0)
        try:
            await story(server, port, seat)
        finally:
            await server.stop()

    asyncio.run(asyncio.wait_for(with_server(), 2 * PATIENCE_S))


async def is_cut(activator: ClientConnection) -> int:
    """Wait until the server has closed; returns its code."""
    with pytest.raises(ConnectionClosed):
        await asyncio.wait_for(activator.recv(), PATIENCE_S)
    assert activator.close_code is not None
    return activator.close_code


def test_a_frame_is_handed_on() -> None:
    async def story(server: StatsServer, port: int, seat: Seat) -> None:
        async with dial(port) as activator:
            await activator.send(a_frame("cart", 3.5, 1_700_000_000))
            stat = await seat.has("shop/cart")
        assert stat == ActivatorStat("shop/cart", 3.5, 2.0, 1_700_000_000)

    run(story)


def test_two_activators_are_heard() -> None:
    async def story(server: StatsServer, port: int, seat: Seat) -> None:
        async with dial(port) as one, dial(port) as two:
            await one.send(a_frame("cart"))
            await two.send(a_frame("till"))
            await seat.has("shop/cart")
            await seat.has("shop/till")

    run(story)


def test_a_large_frame_is_read_whole() -> None:
    async def story(server: StatsServer, port: int, seat: Seat) -> None:
        stat = Stat(average_concurrent_requests=1.0)
        names = [f"revision-{i:05d}" for i in range(20_000)]
        messages = [WireStatMessage(namespace="shop", name=name, stat=stat) for name in names]
        async with dial(port) as activator:
            await activator.send(WireStatMessages(messages=messages).SerializeToString())
            await seat.has("shop/revision-19999")
        assert len(seat.got) == 20_000

    run(story)


@pytest.mark.parametrize(
    "headers", [{"User-Agent": "kube-probe/1.31"}, {"K-Kubelet-Probe": "queue"}]
)
def test_the_kubelet_is_answered_on_the_same_port(headers: dict[str, str]) -> None:
    async def story(server: StatsServer, port: int, seat: Seat) -> None:
        async with dial(port) as activator, aiohttp.ClientSession() as kubelet:
            async with kubelet.get(f"http://127.0.0.1:{port}/", headers=headers) as answer:
                assert (answer.status, await answer.text()) == (200, "")
            await activator.send(a_frame("cart"))
            await seat.has("shop/cart")

    run(story)


def test_whoever_does_not_upgrade_is_refused() -> None:
    async def story(server: StatsServer, port: int, seat: Seat) -> None:
        async with (
            aiohttp.ClientSession() as browser,
            browser.get(f"http://127.0.0.1:{port}/") as answer,
        ):
            assert answer.status == 426

    run(story)


@pytest.mark.parametrize(
    "frame",
    [
        b"\xff\xff\xff\xff",
        b"",
        "hello",
        "",
        WireStatMessages(
            messages=[WireStatMessage(namespace="shop", name="x")]
        ).SerializeToString(),
    ],
    ids=["garbage", "empty", "text", "empty text", "without a stat"],
)
def test_a_frame_that_says_nothing_harms_nobody(frame: bytes | str) -> None:
    async def story(server: StatsServer, port: int, seat: Seat) -> None:
        async with dial(port) as odd, dial(port) as other:
            await odd.send(frame)
            await odd.send(a_frame("cart"))
            await other.send(a_frame("till"))
            await seat.has("shop/cart")
            await seat.has("shop/till")
        assert {stat.key for stat in seat.got} == {"shop/cart", "shop/till"}
        assert server.refused == (1 if frame == b"\xff\xff\xff\xff" else 0)

    run(story)


def test_a_frame_that_is_too_large_cuts_its_sender_alone() -> None:
    async def story(server: StatsServer, port: int, seat: Seat) -> None:
        async with dial(port) as odd, dial(port) as other:
            # A binary frame, 64 bits of length, masked; the rest need not come.
            odd.transport.write(b"\x82\xff" + struct.pack(">Q", LARGEST_FRAME + 1) + bytes(4))
            assert await is_cut(odd) == 1009
            await other.send(a_frame("till"))
            await seat.has("shop/till")

    run(story)


def test_an_activator_that_vanishes_harms_nobody() -> None:
    async def story(server: StatsServer, port: int, seat: Seat) -> None:
        async with dial(port) as other:
            gone = await dial(port)
            await gone.send(a_frame("cart"))
            gone.transport.abort()
            await other.send(a_frame("till"))
            await seat.has("shop/till")

    run(story)


def test_a_fault_of_the_receiver_does_not_cut_the_activator() -> None:
    async def story() -> None:
        def fail(stats: list[ActivatorStat]) -> None:
            raise ValueError("a fault of ours")

        server = StatsServer(fail)
        port = await server.start("127.0.0.1", 0)
        try:
            async with dial(port) as activator:
                await activator.send(a_frame("cart"))
                pong = await activator.ping()  # answered after the frame was taken
                await asyncio.wait_for(pong, PATIENCE_S)
                pong = await activator.ping()
                await asyncio.wait_for(pong, PATIENCE_S)
        finally:
            await server.stop()

    asyncio.run(asyncio.wait_for(story(), PATIENCE_S))


def test_pings_are_answered() -> None:
    async def story(server: StatsServer, port: int, seat: Seat) -> None:
        async with dial(port) as activator:
            pong = await activator.ping()
            await asyncio.wait_for(pong, PATIENCE_S)

    run(story)


def test_on_stopping_activators_are_told_to_dial_again() -> None:
    async def story(server: StatsServer, port: int, seat: Seat) -> None:
        async with dial(port) as one, dial(port) as two:
            await server.stop()
            assert await is_cut(one) == 1012
            assert await is_cut(two) == 1012

    run(story)


def test_a_server_that_never_began_can_be_stopped() -> None:
    asyncio.run(StatsServer(lambda _: None).stop())
