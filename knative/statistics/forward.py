"""Passes activators' statistics on to the leader.

An activator dials the Service, and so any of us. Who follows takes its frames, because an activator
without a socket is restarted, and sends each on as it came, over one WebSocket to the leader: ours
or Knative's own autoscaler, they speak the same protocol. Frames are of use for a second or two
only, as they are counted when they arrive: what cannot be sent by then is dropped and counted, and
nobody ever waits.
"""

import asyncio
import ipaddress
import logging
import random
from collections import deque
from collections.abc import Callable

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from autoscaler.limits import FORWARDED_BYTES, FORWARDED_S
from knative.statistics.wire import FORWARDED, PORT

SHORTEST_S, LONGEST_S = 0.1, 5.0  # s of back-off
HANDSHAKE_S = 3.0
PING_S = 5.0  # between pings, and until a leader that does not answer one is dialled anew

log = logging.getLogger(__name__)


class Forwarder:
    """Sends frames to one address at a time, the newest in order."""

    def __init__(
        self,
        identity: str,
        lost: Callable[[], None],
        *,
        port: int = PORT,
        most_bytes: float = FORWARDED_BYTES.most,
    ) -> None:
        """identity: who forwards. lost: hears that a leader we were connected to has gone."""
        self._identity, self._lost, self._port = identity, lost, port
        self._most_bytes = most_bytes
        self._waiting: deque[tuple[float, bytes]] = deque()  # when it came, s of the loop; frame
        self._bytes = 0
        self._address = ""
        self._moved, self._more = asyncio.Event(), asyncio.Event()
        self.sent = 0  # frames
        self.dropped = 0  # frames

    def aim(self, address: str) -> None:
        """Send to this IP address from now on; "" = to nobody."""
        if address != self._address:
            self._address = address
            self._moved.set()

    def send(self, frame: bytes) -> None:
        """Pass a frame on, or drop the oldest; never waits."""
        self._waiting.append((asyncio.get_running_loop().time(), frame))
        self._bytes += len(frame)
        self._shed()
        self._more.set()

    def refuse(self) -> None:
        """Count a frame that is not passed on: it was forwarded once."""
        self.dropped += 1

    async def run(self) -> None:
        """Keep connected to where it is aimed until cancelled."""
        while True:
            self._moved.clear()
            link = asyncio.create_task(self._keep_linked(self._address), name="forward")
            try:
                await self._moved.wait()
            finally:
                link.cancel()
                await asyncio.gather(link, return_exceptions=True)

    async def _keep_linked(self, address: str) -> None:
        wait_s, said = SHORTEST_S, ""
        while address:
            try:
                async with self._dial(address) as link:
                    log.info("forwarding to the leader at %s", address)
                    wait_s, said = SHORTEST_S, ""
                    await self._pour(link)
                self._lost()
            except Exception as error:  # noqa: BLE001
                # Whatever a lease names: the next word may name another.
                if repr(error) != said:
                    log.warning("leader at %s: %r; trying again", address, error)
                said = repr(error)
            await asyncio.sleep(wait_s * random.uniform(0.5, 1.0))  # noqa: S311
            wait_s = min(2 * wait_s, LONGEST_S)

    def _dial(self, address: str) -> connect:
        host = f"[{address}]" if ipaddress.ip_address(address).version == 6 else address
        return connect(
            f"ws://{host}:{self._port}",
            additional_headers={FORWARDED: self._identity},
            compression=None,
            proxy=None,
            open_timeout=HANDSHAKE_S,
            ping_interval=PING_S,
            ping_timeout=PING_S,
            close_timeout=HANDSHAKE_S,
        )

    async def _pour(self, link: ClientConnection) -> None:
        """Send what comes until the link is closed."""
        closed = asyncio.create_task(link.wait_closed())
        closed.add_done_callback(lambda _: self._more.set())
        try:
            while not closed.done():
                self._more.clear()
                while frame := self._next():
                    await self._send(link, frame)
                if not closed.done():
                    await self._more.wait()
        finally:
            closed.cancel()

    async def _send(self, link: ClientConnection, frame: bytes) -> None:
        try:
            await link.send(frame)
        except WebSocketException:
            self.dropped += 1  # the link has closed, which is seen at once
        else:
            self.sent += 1

    def _next(self) -> bytes:
        """The oldest frame that is still of use; b"" = none waits."""
        self._shed()
        if not self._waiting:
            return b""
        frame = self._waiting.popleft()[1]
        self._bytes -= len(frame)
        return frame

    def _shed(self) -> None:
        oldest_s = asyncio.get_running_loop().time() - FORWARDED_S.most
        while self._waiting and (self._waiting[0][0] < oldest_s or self._bytes > self._most_bytes):
            self._bytes -= len(self._waiting.popleft()[1])
            self.dropped += 1
