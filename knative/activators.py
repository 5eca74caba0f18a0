"""The WebSocket that activators dial: life-critical, and therefore its own small part.

An activator without this socket turns unready and is restarted by its kubelet, so the server does
nothing but receive: decode a frame, hand the statistics on, never wait for anybody. The same port
answers the kubelet's probes. On shutdown the sockets close with 1012, so that clients dial again at
once.

Source: knative/serving pkg/autoscaler/statserver, pkg/websocket.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

from google.protobuf.message import DecodeError
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode
from websockets.http11 import Request, Response

from knative.wire import WireStatMessages

PORT = 8080
LARGEST_FRAME = 4 * 1024 * 1024  # bytes: 40,000 revisions in one second; more is no activator
LARGEST_BACKLOG = 64  # frames of one activator that wait for the loop; then its socket is paused

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ActivatorStat:
    """What one activator says of one revision for the second that ended."""

    key: str  # "namespace/revision"
    concurrency: float  # requests in flight
    requests: float  # requests in that second
    second: int  # Unix s; 0 = now


class StatsServer:
    """Receives statistics; hands each frame's on as a list."""

    def __init__(self, receive: Callable[[list[ActivatorStat]], None]) -> None:
        self._receive = receive
        self._server: Server | None = None
        self.refused = 0  # frames that were not understood

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port."""
        self._server = await serve(
            self._serve,
            host,
            port,
            process_request=_answer_probe,
            compression=None,
            max_size=LARGEST_FRAME,
            max_queue=LARGEST_BACKLOG,
            ping_interval=None,  # the clients ping
        )
        return int(next(iter(self._server.sockets)).getsockname()[1])

    async def stop(self) -> None:
        """Close all sockets so that the activators dial again at once."""
        if self._server:
            self._server.close(code=CloseCode.SERVICE_RESTART)
            await self._server.wait_closed()

    async def _serve(self, connection: ServerConnection) -> None:
        log.info("activator %s connected", connection.remote_address)
        try:
            async for frame in connection:
                if isinstance(frame, bytes):
                    self._take(frame, connection)
        except ConnectionClosed as error:
            log.info("activator %s left: %s", connection.remote_address, error)

    def _take(self, frame: bytes, connection: ServerConnection) -> None:
        try:
            stats = decode(frame)
        except DecodeError as error:
            self.refused += 1
            log.warning("frame of %s not understood: %s", connection.remote_address, error)
            return
        try:
            self._receive(stats)
        except Exception:
            # Whatever is wrong with us, the activator keeps its socket.
            log.exception("statistics of %s were not taken in", connection.remote_address)


def decode(frame: bytes) -> list[ActivatorStat]:
    """The statistics in a frame; a message without one is left out. Raises DecodeError."""
    return [
        ActivatorStat(
            key=f"{m.namespace}/{m.name}",
            concurrency=m.stat.average_concurrent_requests,
            requests=m.stat.request_count,
            second=m.stat.timestamp,
        )
        for m in WireStatMessages.FromString(frame).messages
        if m.HasField("stat")
    ]


def _answer_probe(connection: ServerConnection, request: Request) -> Response | None:
    """Answer the kubelet; let everybody else upgrade."""
    agent = request.headers.get("User-Agent", "")
    if agent.startswith("kube-probe/") or "K-Kubelet-Probe" in request.headers:
        return connection.respond(HTTPStatus.OK, "")
    return None
