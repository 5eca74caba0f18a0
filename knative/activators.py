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
from functools import partial
from http import HTTPStatus
from weakref import WeakSet

from google.protobuf.message import DecodeError
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode
from websockets.http11 import Request, Response

from autoscaler.core.fleet import LARGEST_SAMPLE
from knative.wire import WireStatMessages

PORT = 8080
FORWARDED = "Kn-Ahead-Forwarded"  # header of whoever passes frames on: they are passed on once
BUCKET_HOST = "autoscaler-bucket"  # begins the Host by which Knative's autoscaler asks for a leader
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

    def __init__(
        self,
        receive: Callable[[list[ActivatorStat]], None],
        *,
        divert: Callable[[bytes, bool], bool] = lambda *_: False,
        leads: Callable[[], bool] = lambda: True,
    ) -> None:
        """divert: takes a frame, and whether it was forwarded, where it is for somebody else.

        leads: whether whoever asks for the leader of a bucket is right here.
        """
        self._receive, self._divert, self._leads = receive, divert, leads
        self._server: Server | None = None
        self.refused = 0  # frames and statistics that were not understood
        self._blamed: WeakSet[ServerConnection] = WeakSet()  # each is said once a connection

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port."""
        self._server = await serve(
            self._serve,
            host,
            port,
            process_request=self._answer,
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

    def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        """Answer the kubelet, refuse who seeks a leader elsewhere; let everybody else upgrade."""
        if _is_probe(request):
            return connection.respond(HTTPStatus.OK, "")
        if request.headers.get("Host", "").startswith(BUCKET_HOST) and not self._leads():
            return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "somebody else leads\n")
        return None

    def _take(self, frame: bytes, connection: ServerConnection) -> None:
        request = connection.request
        try:
            if not self._divert(frame, bool(request and FORWARDED in request.headers)):
                self._receive(decode(frame, partial(self._refuse, connection)))
        except DecodeError as error:
            self._refuse(connection, str(error))
        except Exception:
            # Whatever is wrong with us, the activator keeps its socket.
            log.exception("statistics of %s were not taken in", connection.remote_address)

    def _refuse(self, connection: ServerConnection, why: str) -> None:
        self.refused += 1
        if connection not in self._blamed:  # it may well send thousands a second
            self._blamed.add(connection)
            log.warning("frame of %s not understood: %s", connection.remote_address, why)


def decode(frame: bytes, refuse: Callable[[str], None] = lambda _: None) -> list[ActivatorStat]:
    """The statistics in a frame; a message without one is left out. Raises DecodeError.

    refuse: hears of numbers that no activator can mean; one of them would spoil every average.
    """
    stats = []
    for m in WireStatMessages.FromString(frame).messages:
        in_flight, requests = m.stat.average_concurrent_requests, m.stat.request_count
        if not (0 <= in_flight <= LARGEST_SAMPLE and 0 <= requests <= LARGEST_SAMPLE):  # NaN: False
            said = f"{m.namespace}/{m.name} has {in_flight} requests in flight and {requests} new"
            refuse(f"{said}; allowed: 0 to {LARGEST_SAMPLE:g}")
        elif m.HasField("stat"):
            key, second = f"{m.namespace}/{m.name}", m.stat.timestamp
            stats.append(
                ActivatorStat(key=key, concurrency=in_flight, requests=requests, second=second)
            )
    return stats


def _is_probe(request: Request) -> bool:
    agent = request.headers.get("User-Agent", "")
    return agent.startswith("kube-probe/") or "K-Kubelet-Probe" in request.headers
