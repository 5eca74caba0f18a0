"""Connections to the API: a limited number, each with deadlines.

A connection waits for a request, or is sent its answer; each state has a deadline. If the limit is
reached, a new connection replaces the one that has waited longest for a request or, if none waits,
the one that has read nothing of its answer for longest. So idle and stalled clients cannot keep out
others.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from autoscaler.limits import (
    REST_ANSWER_S,
    REST_CONNECTIONS,
    REST_HEAD_BYTES,
    REST_REQUEST_S,
    Limit,
)
from autoscaler.refusals import Refusals


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """Limits on connections; smaller in tests."""

    connections: Limit = REST_CONNECTIONS
    request_s: Limit = REST_REQUEST_S
    answer_s: Limit = REST_ANSWER_S


class Connections(ServerState):
    """All connections of a server, including those whose TLS handshake is under way."""

    def __init__(self, limits: ConnectionLimits, refusals: Refusals) -> None:
        super().__init__()
        self.limits, self.refusals = limits, refusals
        self.open: set[BoundedConnection] = set()

    def make_room(self, now: float) -> bool:
        """Whether there is a place for one more, after dropping another if need be. now: s."""
        if len(self.open) < self.limits.connections.most:
            return True
        waiting = [c for c in self.open if c.waits]
        stalled = [c for c in self.open if c.stalled_s is not None]
        if waiting:
            replaced = min(waiting, key=lambda c: c.since_s)
        elif stalled:
            replaced = min(stalled, key=lambda c: c.stalled_s or 0.0)
        else:
            self.refusals.count(self.limits.connections, "a new connection", now)
            return False
        replaced.drop(self.limits.connections, now)
        return True

    def drop_overdue(self, now: float) -> None:
        """Close those that are past their deadline. now: s."""
        for connection in [c for c in self.open if c.since_s + c.allowed.most < now]:
            connection.drop(connection.allowed, now)


class BoundedConnection(H11Protocol):
    """HTTP/1.1 by uvicorn, with a deadline for requests and one for answers.

    Between an answer and the next request uvicorn's own time-out applies, and the answer's deadline
    as well: uvicorn does not close while something is unsent.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        assert isinstance(server_state, Connections)
        self._all = server_state
        self._all.open.add(self)
        self._answered: object = None  # the request whose answer's deadline is running
        self.handshake: asyncio.Task[Any] | None = None
        self.stalled_s: float | None = None  # since when the client reads nothing; None = it reads
        self._start(self._all.limits.request_s)

    @property
    def waits(self) -> bool:
        """Whether no whole request is unanswered."""
        return self.cycle is None or self.cycle.response_complete or self.cycle.more_body

    def drop(self, limit: Limit, now: float) -> None:
        """Close at once, whatever is not sent yet."""
        self._all.open.discard(self)
        self._all.refusals.count(limit, self._peer, now)
        if self.transport is not None:
            self.transport.abort()
        elif self.handshake is not None:
            self.handshake.cancel()

    def data_received(self, data: bytes) -> None:
        """Receive bytes of a request; its first starts its deadline."""
        answered = self.cycle is not None and self.cycle.response_complete
        if answered and self.allowed is self._all.limits.answer_s:
            self._start(self._all.limits.request_s)
        super().data_received(data)
        self._follow()

    def on_response_complete(self) -> None:
        """Continue with a request that arrived meanwhile."""
        super().on_response_complete()
        self._follow()

    def send_400_response(self, msg: str) -> None:
        """Answer an invalid request, or one that is too long."""
        if len(self.conn.trailing_data[0]) > REST_HEAD_BYTES.most:
            self._all.refusals.count(REST_HEAD_BYTES, self._peer, self.loop.time())
        super().send_400_response(msg)

    def pause_writing(self) -> None:
        """Note that the client does not read what was sent."""
        self.stalled_s = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        """Note that the client reads again."""
        self.stalled_s = None
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Free its place."""
        self._all.open.discard(self)
        super().connection_lost(exc)

    @property
    def _peer(self) -> str:
        return self.client[0] if self.client else "a connection"

    def _follow(self) -> None:
        """Start the answer's deadline if a request has just become complete."""
        if not self.waits and self._answered is not self.cycle:
            self._answered = self.cycle
            self._start(self._all.limits.answer_s)

    def _start(self, limit: Limit) -> None:
        self.allowed, self.since_s = limit, self.loop.time()
