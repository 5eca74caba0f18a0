"""An activator: it holds its socket to the autoscaler open and reports what it holds back."""

import asyncio
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import websockets
from websockets.asyncio.client import connect

from knative.statistics.wire import Stat, WireStatMessage, WireStatMessages
from tests.apiserver.plane import wait_until
from tests.apiserver.standins import World

PING_S, PONG_S = 10 / 3, 10.0  # Knative's


@dataclass
class Activator:
    """Connects as Knative's does, and reports every second."""

    port: int
    host: str = "127.0.0.1"
    in_flight: dict[str, float] = field(default_factory=dict)  # by "namespace/revision"
    skew_s: float = math.nan  # of the time stamps; NaN = none are sent
    connections: int = 0
    closed: list[int] = field(default_factory=list)  # codes
    socket: Any = None

    async def keep_connected(self) -> None:
        wait_s = 0.1
        while True:
            try:
                async with connect(
                    f"ws://{self.host}:{self.port}/",
                    compression=None,
                    open_timeout=3,
                    ping_interval=PING_S,
                    ping_timeout=PONG_S,
                ) as self.socket:
                    self.connections += 1
                    wait_s = 0.1
                    await asyncio.gather(self._report(), self._listen())
            except websockets.ConnectionClosed as error:
                self.closed.append(error.rcvd.code if error.rcvd else 1006)
            except (OSError, TimeoutError, websockets.InvalidHandshake):
                pass
            self.socket = None
            await asyncio.sleep(wait_s)
            wait_s = min(1.3 * wait_s, 5.0)

    async def poke(self, key: str) -> None:
        """The first request of a revision is told at once."""
        await self.send({key: (1.0, 1.0)})

    async def send(self, stats: dict[str, tuple[float, float]]) -> None:
        """One frame. stats: in flight and requests, by "namespace/revision"."""
        await self.socket.send(self.frame(stats))

    async def ping(self) -> None:
        """A ping is answered. Raises TimeoutError."""
        async with asyncio.timeout(3):
            await (await self.socket.ping())

    def frame(self, stats: dict[str, tuple[float, float]]) -> bytes:
        stamp = 0
        if not math.isnan(self.skew_s):
            stamp = int(datetime.now(UTC).timestamp() + self.skew_s)  # noqa: TID251
        return frame({key: (n, requests, 0.0) for key, (n, requests) in stats.items()}, stamp)

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(1)
            if self.in_flight:
                await self.send({key: (n, n) for key, n in self.in_flight.items()})

    async def _listen(self) -> None:
        async for _ in self.socket:
            pass
        raise websockets.ConnectionClosedOK(self.socket.protocol.close_rcvd, None)


def frame(stats: dict[str, tuple[float, float, float]], second: int = 0) -> bytes:
    """stats: in flight, requests, and in flight that were proxied, by "namespace/revision"."""
    messages = []
    for key, (in_flight, requests, proxied) in stats.items():
        namespace, _, name = key.partition("/")
        stat = Stat(
            pod_name="activator",
            average_concurrent_requests=in_flight,
            average_proxied_concurrent_requests=proxied,
            request_count=requests,
            timestamp=second,
        )
        messages.append(WireStatMessage(namespace=namespace, name=name, stat=stat))
    return bytes(WireStatMessages(messages=messages).SerializeToString())


@contextmanager
def connected(world: World, port: int, host: str = "127.0.0.1") -> Iterator[Activator]:
    """An activator that is connected until the end."""
    made = Activator(port, host=host)
    task = world.spawn(made.keep_connected())
    try:
        wait_until(lambda: made.socket is not None, 30, "the activator's socket")
        yield made
    finally:
        world.cancel(task)
