"""Connections to the API: so many at most, and none that keeps a place without need.

A connection waits for a request, or is given its answer; each has a deadline. Where all places are
taken, a new connection gets the place of the one that has waited longest for a request or, where
none waits, of the one that has read nothing of its answer for longest. So nobody who asks and
reads is kept out by those who do not.
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
    """What connections may take; smaller in tests."""

    connections: Limit = REST_CONNECTIONS
    request_s: Limit = REST_REQUEST_S
    answer_s: Limit = REST_ANSWER_S


class Connections(ServerState):
    """All connections of a server, those too whose TLS handshake is under way."""

    def __init__(self, limits: ConnectionLimits, refusals: Refusals) -> None:
        super().__init__()
        self.limits, self.refusals = limits, refusals
        self.open: set[BoundedConnection] = set()

    def make_room(self, now: float) -> bool:
        """Whether there is a place for one more, if need be that of another. now: s."""
        if len(self.open) < self.limits.connections.most:
            return True
        waiting = [c for c in self.open if c.waits]
        stalled = [c for c in self.open if c.stalled_s is not None]
        if waiting:
            given_up = min(waiting, key=lambda c: c.since_s)
        elif stalled:
            given_up = min(stalled, key=lambda c: c.stalled_s or 0.0)
        else:
            self.refusals.count(self.limits.connections, "a new connection", now)
            return False
        given_up.drop(self.limits.connections, now)
        return True

    def drop_late(self, now: float) -> None:
        """Close those that are past their deadline. now: s."""
        for connection in [c for c in self.open if c.since_s + c.allowed.most < now]:
            connection.drop(connection.allowed, now)


class BoundedConnection(H11Protocol):
    """HTTP/1.1 by uvicorn, with a deadline for requests and one for answers.

    Between an answer and the next request uvicorn's own time-out holds, and behind it the answer's
    deadline: what is not sent yet would keep it from closing.
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
        self._answered: object = None  # the request whose answer has the deadline
        self.handshake: asyncio.Task[Any] | None = None
        self.stalled_s: float | None = None  # since when the client reads nothing; None = it does
        self._begin(self._all.limits.request_s)

    @property
    def waits(self) -> bool:
        """Whether no whole request is unanswered."""
        return self.cycle is None or self.cycle.response_complete or self.cycle.more_body

    def drop(self, limit: Limit, now: float) -> None:
        """Close at once, whatever is not sent yet."""
        self._all.open.discard(self)
        self._all.refusals.count(limit, self._who, now)
        if self.transport is not None:
            self.transport.abort()
        elif self.handshake is not None:
            self.handshake.cancel()

    def data_received(self, data: bytes) -> None:
        """Take in bytes of a request; the first of one begins its deadline."""
        answered = self.cycle is not None and self.cycle.response_complete
        if answered and self.allowed is self._all.limits.answer_s:
            self._begin(self._all.limits.request_s)
        super().data_received(data)
        self._follow()

    def on_response_complete(self) -> None:
        """Go on to a request that came meanwhile."""
        super().on_response_complete()
        self._follow()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no request, or is too long to be one."""
        if len(self.conn.trailing_data[0]) > REST_HEAD_BYTES.most:
            self._all.refusals.count(REST_HEAD_BYTES, self._who, self.loop.time())
        super().send_400_response(msg)

    def pause_writing(self) -> None:
        """Note that the client does not read what was sent."""
        self.stalled_s = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        """Note that it reads again."""
        self.stalled_s = None
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Give its place free."""
        self._all.open.discard(self)
        super().connection_lost(exc)

    @property
    def _who(self) -> str:
        return self.client[0] if self.client else "a connection"

    def _follow(self) -> None:
        """Begin the answer's deadline where a request has just become whole."""
        if not self.waits and self._answered is not self.cycle:
            self._answered = self.cycle
            self._begin(self._all.limits.answer_s)

    def _begin(self, limit: Limit) -> None:
        self.allowed, self.since_s = limit, self.loop.time()
