"""Forwards activators' statistics to the leader.

An activator connects to the Service, and so to any replica. A follower accepts its frames, because
an activator without a connection is restarted, and forwards them unchanged over one WebSocket to
the leader: kn-ahead or Knative's own autoscaler, which have the same protocol. Frames count for the
second in which they arrive, so they are of use for a second or two: those that cannot be sent by
then are dropped and counted.
"""

import asyncio
import ipaddress
from collections import deque
from collections.abc import Callable

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from autoscaler.backoff import Backoff
from autoscaler.limits import FORWARDED_BYTES, FORWARDED_S
from autoscaler.logs import get_logger
from knative.statistics.wire import FORWARDED, PORT

SHORTEST_S, LONGEST_S = 0.1, 5.0  # s of back-off
HANDSHAKE_S = 3.0
PING_S = 5.0  # between pings, and until a connection without a pong is closed

log = get_logger(__name__)


class Forwarder:
    """Sends frames in order to one address at a time."""

    def __init__(
        self,
        identity: str,
        lost: Callable[[], None],
        *,
        port: int = PORT,
        most_bytes: float = FORWARDED_BYTES.most,
    ) -> None:
        """identity: of this replica. lost: called when a connection to a leader was closed."""
        self._identity, self._lost, self._port = identity, lost, port
        self._most_bytes = most_bytes
        self._waiting: deque[tuple[float, bytes]] = deque()  # arrival, s of the loop; frame
        self._bytes = 0
        self._address = ""
        self._address_changed, self._queued = asyncio.Event(), asyncio.Event()
        self.sent = 0  # frames
        self.dropped = 0  # frames

    def forward_to(self, address: str) -> None:
        """Send to this IP address from now on; "" = send nothing."""
        if address != self._address:
            self._address = address
            self._address_changed.set()

    def send(self, frame: bytes) -> None:
        """Queue a frame; the oldest are dropped beyond the limits. Returns at once."""
        self._waiting.append((asyncio.get_running_loop().time(), frame))
        self._bytes += len(frame)
        self._drop_old()
        self._queued.set()

    def refuse(self) -> None:
        """Count a frame as dropped: it was forwarded once already."""
        self.dropped += 1

    async def run(self) -> None:
        """Keep connected to the address of `forward_to` until cancelled."""
        while True:
            self._address_changed.clear()
            link = asyncio.create_task(self._keep_connected(self._address), name="forward")
            try:
                await self._address_changed.wait()
            finally:
                link.cancel()
                await asyncio.gather(link, return_exceptions=True)

    async def _keep_connected(self, address: str) -> None:
        backoff, logged = Backoff(SHORTEST_S, LONGEST_S), ""
        while address:
            try:
                async with self._dial(address) as link:
                    log.info("forwarding to the leader", address=address)
                    backoff.reset()
                    logged = ""
                    await self._send_all(link)
                self._lost()
            except Exception as error:  # noqa: BLE001
                # The address comes from a lease, and may be anything.
                if repr(error) != logged:
                    log.warning(
                        "leader not reached; trying again", address=address, error=repr(error)
                    )
                logged = repr(error)
            await asyncio.sleep(backoff.failed())

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

    async def _send_all(self, link: ClientConnection) -> None:
        """Send frames until the connection is closed."""
        closed = asyncio.create_task(link.wait_closed())
        closed.add_done_callback(lambda _: self._queued.set())
        try:
            while not closed.done():
                self._queued.clear()
                while frame := self._next():
                    await self._send(link, frame)
                if not closed.done():
                    await self._queued.wait()
        finally:
            closed.cancel()

    async def _send(self, link: ClientConnection, frame: bytes) -> None:
        try:
            await link.send(frame)
        except WebSocketException:
            self.dropped += 1  # the connection was closed
        else:
            self.sent += 1

    def _next(self) -> bytes:
        """The oldest frame that is still of use; b"" = none."""
        self._drop_old()
        if not self._waiting:
            return b""
        frame = self._waiting.popleft()[1]
        self._bytes -= len(frame)
        return frame

    def _drop_old(self) -> None:
        oldest_s = asyncio.get_running_loop().time() - FORWARDED_S.most
        while self._waiting and (self._waiting[0][0] < oldest_s or self._bytes > self._most_bytes):
            self._bytes -= len(self._waiting.popleft()[1])
            self.dropped += 1
