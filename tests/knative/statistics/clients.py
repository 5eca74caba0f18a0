"""What speaks to the port in tests: an activator, a kubelet, and a server of theirs."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from autoscaler.refusals import Refusals
from knative.statistics.decode import decode
from knative.statistics.peers import Peers, ReporterPolicy
from knative.statistics.port.server import StatisticsServer

PATIENCE_S = 10.0  # until a test gives up; none waits so long
PROBE = b"GET / HTTP/1.1\r\nHost: autoscaler\r\nUser-Agent: kube-probe/1.31\r\n\r\n"
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: autoscaler\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
HERE = "127.0.0.1"


class Clock:
    """The loop's time, and as much ahead as a test wants."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return asyncio.get_running_loop().time() + self.ahead_s


@dataclass
class Port:
    """A server that listens, and what it took in."""

    policy: ReporterPolicy = ReporterPolicy.AUTO
    leads: bool = True
    refusals: Refusals = field(default_factory=Refusals)
    clock: Clock = field(default_factory=Clock)
    raws: list["Raw"] = field(default_factory=list)
    frames: list[tuple[bytes, bool]] = field(default_factory=list)
    number: int = 0

    def __post_init__(self) -> None:
        self.peers = Peers(self.policy, self.refusals)
        self.server = StatisticsServer(
            self.take,
            peers=self.peers,
            refusals=self.refusals,
            leads=lambda: self.leads,
            now=self.clock,
        )

    def take(self, frame: bytes, forwarded: bool) -> None:
        self.frames.append((frame, forwarded))

    @property
    def keys(self) -> list[str]:
        """The revisions of all frames."""
        return [key for frame, _ in self.frames for key in decode(frame).keys]

    async def has(self, *keys: str) -> None:
        """Wait for revisions."""
        await until(lambda: set(keys) <= set(self.keys))

    def later(self, seconds: float) -> None:
        """So much time passes, and the server looks at its connections."""
        self.clock.ahead_s += seconds
        self.server.sweep()

    async def dial(self, address: str = HERE, **headers: str) -> ClientConnection:
        """As an activator dials: no compression, no proxy. address: from where."""
        return await connect(
            f"ws://{HERE}:{self.number}/",
            compression=None,
            proxy=None,
            local_addr=(address, 0),
            additional_headers=headers,
            ping_interval=None,
        )

    async def raw(self, address: str = HERE) -> "Raw":
        """A connection that says nothing yet. address: from where."""
        streams = await asyncio.open_connection(HERE, self.number, local_addr=(address, 0))
        self.raws.append(Raw(*streams))
        return self.raws[-1]

    async def answer(self, request: bytes = PROBE, address: str = HERE) -> bytes:
        """All that a request gets."""
        raw = await self.raw(address)
        raw.send(request)
        answer = await raw.rest()
        raw.leave()
        return answer

    async def end(self) -> None:
        """Stop, and hang up everywhere."""
        for raw in self.raws:
            raw.leave()
        await self.server.stop()


@dataclass
class Raw:
    """A connection without manners."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def upgrade(self) -> None:
        """Become a WebSocket."""
        self.send(UPGRADE)
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), PATIENCE_S)
        assert head.startswith(b"HTTP/1.1 101 ")

    async def rest(self) -> bytes:
        """All that comes until the server ends."""
        try:
            return await asyncio.wait_for(self.reader.read(), PATIENCE_S)
        except ConnectionError:
            return b""

    def stop_reading(self) -> None:
        transport = self.writer.transport
        assert isinstance(transport, asyncio.Transport)
        transport.pause_reading()

    def leave(self) -> None:
        self.writer.transport.abort()


def code(said: bytes) -> int:
    """With which a WebSocket was closed; `said` is what came last."""
    assert said[:1] == b"\x88"
    return int.from_bytes(said[2:4])


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


async def until(holds: Callable[[], object]) -> None:
    """Wait until something holds that only the network delays."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():
            await asyncio.sleep(0.005)


async def is_cut(activator: ClientConnection) -> int:
    """Wait until the server has closed; returns its code."""
    with pytest.raises(ConnectionClosed):
        await asyncio.wait_for(activator.recv(), PATIENCE_S)
    assert activator.close_code is not None
    return activator.close_code


ShopScenario = Callable[[Port], Coroutine[Any, Any, None]]


def run(story: ShopScenario, *, port: Port | None = None, host: str = HERE) -> None:
    """Run a story with a server that listens."""

    async def with_server() -> None:
        it = port or Port()
        it.number = await it.server.start(host, 0)
        try:
            await story(it)
        finally:
            await it.end()

    asyncio.run(asyncio.wait_for(with_server(), 3 * PATIENCE_S))
