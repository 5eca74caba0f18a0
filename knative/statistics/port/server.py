"""The port that activators connect to.

An activator without this connection becomes unready and is restarted by its kubelet; our own
kubelet probes the same port. So under any load probes are answered and frames of activators are
processed in time: no peer gets more connections, memory or time than the limits allow.

At the end connections close with code 1012, so that activators connect again at once.

Source: knative/serving pkg/autoscaler/statserver, pkg/websocket.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus

from websockets.frames import CloseCode
from websockets.http11 import Request, Response

from autoscaler.limits import BROWSERS, UNFINISHED_BYTES, UNIDENTIFIED_CONNECTIONS, Limit
from autoscaler.logs import get_logger
from autoscaler.refusals import Refusals
from knative.statistics.peers import Peers
from knative.statistics.port.capacity import exceeded_limit, unidentified_to_evict
from knative.statistics.port.connection import Connection
from knative.statistics.port.handshake import Answer, http_answer
from knative.statistics.port.listener import Listener
from knative.statistics.port.scheduler import FairScheduler
from knative.statistics.port.shared import SharedState
from knative.statistics.wire import FORWARDED

SWEEP_S = 1.0  # between two checks of all connections
STOP_S = 2.0  # until connections that the peer does not close are aborted

log = get_logger(__name__)


def _loop_time() -> float:
    return asyncio.get_running_loop().time()


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Connections and frames of a server."""

    known: int  # open WebSockets from known addresses
    unknown: int  # open WebSockets from others
    pending: int  # other connections: probes, idle and closing ones
    unfinished_bytes: int  # of messages received in part
    waiting_bytes: int  # of frames that wait to be processed
    frames: int  # since the start
    bytes: int  # of these
    refused: int  # frames that were too long


class StatisticsServer:
    """Receives frames of statistics."""

    def __init__(
        self,
        take: Callable[[bytes, bool], None],
        *,
        peers: Peers,
        refusals: Refusals,
        leads: Callable[[], bool] = lambda: True,
        now: Callable[[], float] = _loop_time,
    ) -> None:
        """take: processes a frame; its second argument: whether another replica forwarded it.

        leads: whether this replica leads, which a request for a bucket's leader needs.
        now: s of a monotonic clock.
        """
        self._take, self._leads, self._peers = take, leads, peers
        self._shared = SharedState(now=now, scheduler=FairScheduler(now), refusals=refusals)
        self._listener = Listener(self._new_connection)
        self._connections = set[Connection]()
        self._next_sweep: asyncio.TimerHandle | None = None
        self._all_left = asyncio.Event()

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port. Raises OSError."""
        port = self._listener.start(host, port)
        self._keep_sweeping()
        return port

    async def stop(self) -> None:
        """Close all connections so that activators connect again at once."""
        self._listener.stop()
        if self._next_sweep:
            self._next_sweep.cancel()
        self._all_left.clear()
        for connection in tuple(self._connections):
            connection.close(CloseCode.SERVICE_RESTART)
        self._shared.scheduler.stop()
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_S if self._connections else 0.0):
                await self._all_left.wait()
        for connection in tuple(self._connections):
            connection.abort()

    @property
    def counts(self) -> Counts:
        """Connections and frames, now."""
        known = [c.known for c in self._connections if c.open]
        received, held = self._shared.received, self._shared.held
        return Counts(
            known=sum(known),
            unknown=len(known) - sum(known),
            pending=len(self._connections) - len(known),
            unfinished_bytes=held.unfinished,
            waiting_bytes=held.waiting,
            frames=received.frames,
            bytes=received.bytes,
            refused=received.refused,
        )

    def sweep(self) -> None:
        """Close connections that are too slow or not admitted any more."""
        now = self._shared.now()
        for connection in tuple(self._connections):
            connection.known = self._peers.knows(connection.address)
            connection.check(now)
            if connection.open and not self._peers.admits(connection.address, now):
                connection.close(CloseCode.POLICY_VIOLATION, "only activators may report")

    # --- called by connections --------------------------------------------------------------------

    def answer(self, connection: Connection, request: Request) -> Response:
        """The answer to a request; status 101 opens the WebSocket."""
        answer = http_answer(request, self._leads) or self._refusal(connection, request)
        if answer:
            return connection.protocol.reject(*answer)
        connection.forwarded = FORWARDED in request.headers
        response = connection.protocol.accept(request)
        if response.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
            log.info("activator connected", activator=connection.name)
        return response

    def take(self, connection: Connection, frame: bytes) -> None:
        """Process a frame; an error is logged and concerns this frame only."""
        try:
            self._take(frame, connection.forwarded)
        except Exception:
            log.exception("statistics not taken", activator=connection.name)

    def shed_unfinished(self) -> None:
        """Close connections, those that held most for longest first, until the limit is met."""
        now = self._shared.now()
        while self._shared.held.unfinished > UNFINISHED_BYTES.most:
            worst = max(
                self._connections, key=lambda c: (c.held_byte_seconds(now), c.held.unfinished)
            )
            self._refuse(UNFINISHED_BYTES, worst.name)
            worst.close(CloseCode.TRY_AGAIN_LATER, "too many unfinished bytes")

    def forget(self, connection: Connection) -> None:
        """Forget a connection that has ended."""
        if connection.opened:
            log.info("activator left", activator=connection.name, why=connection.close_reason())
        self._connections.discard(connection)
        if not self._connections:
            self._all_left.set()

    # --- new connections --------------------------------------------------------------------------

    def _new_connection(self, peer: tuple[str, int]) -> Connection | None:
        address, known = peer[0], self._peers.knows(peer[0])
        limit = exceeded_limit(self._connections, address, known=True) if known else None
        if limit:
            self._refuse(limit, address)
            return None
        evicted = None if known else unidentified_to_evict(self._connections)
        if evicted:
            self._refuse(UNIDENTIFIED_CONNECTIONS, evicted.name)
            evicted.abort()
        connection = Connection(self, self._shared, peer, known=known)
        self._connections.add(connection)
        return connection

    def _refusal(self, connection: Connection, request: Request) -> Answer | None:
        """The answer to a peer that may not report; None = it may."""
        if "Origin" in request.headers:
            self._refuse(BROWSERS, connection.name)
            return HTTPStatus.FORBIDDEN, "no browser may report\n"
        if not self._peers.admits(connection.address, self._shared.now()):
            return HTTPStatus.FORBIDDEN, "only activators may report\n"
        if not connection.known:
            limit = exceeded_limit(self._connections, connection.address, known=False)
            if limit:
                self._refuse(limit, connection.name)
                return HTTPStatus.SERVICE_UNAVAILABLE, "too many connections\n"
        return None

    def _keep_sweeping(self) -> None:
        self._next_sweep = asyncio.get_running_loop().call_later(SWEEP_S, self._keep_sweeping)
        self.sweep()

    def _refuse(self, limit: Limit, who: str) -> None:
        self._shared.refusals.count(limit, who, self._shared.now())
