"""One connection to the statistics port: from received bytes to whole frames, within limits.

First comes an HTTP request, which is answered as soon as it is complete. If the answer opens a
WebSocket, received bytes are buffered (less than two chunks; then reading is paused) and parsed in
turns of the scheduler. After our side has closed, further bytes are read and discarded for a while:
closing the socket at once would reset the connection, and the peer might not get our close code.
"""

import asyncio
import logging
from http import HTTPStatus
from typing import Protocol

from websockets.exceptions import PayloadTooBig
from websockets.frames import CloseCode
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol

from autoscaler.limits import (
    FRAME_BYTES,
    HANDSHAKE_S,
    MESSAGE_S,
    QUIET_S,
    SOCKET_CONNECTIONS,
    UNFINISHED_BYTES,
    UNREAD_BYTES,
    WAITING_BYTES,
    Limit,
)
from knative.statistics.port.frames import FrameQueue
from knative.statistics.port.handshake import BadRequestError, read_request
from knative.statistics.port.messages import MessageAssembler
from knative.statistics.port.scheduler import RecentTime
from knative.statistics.port.shared import CHUNK_BYTES, HeldBytes, SharedState
from knative.statistics.port.transport import PeerTransport

_EQUAL_BYTES = WAITING_BYTES.most / SOCKET_CONNECTIONS.most / 2  # that each connection may hold
PARSED_BYTES = 2 * 1024  # that are parsed in one step: 340 of the smallest frames, some 3 ms
_IGNORED_BYTES = 4 * CHUNK_BYTES  # that are discarded after our side has closed

_protocol_log = logging.getLogger(f"{__name__}.protocol")
_protocol_log.setLevel(logging.WARNING)  # else it logs two lines for each probe


class Owner(Protocol):
    """The server, as a connection sees it."""

    def answer(self, connection: "Connection", request: Request) -> Response:
        """The answer to a request; status 101 opens the WebSocket."""
        ...

    def take(self, connection: "Connection", frame: bytes) -> None:
        """Process a frame."""
        ...

    def shed_unfinished(self) -> None:
        """Close connections: unfinished messages hold more memory than allowed."""
        ...

    def forget(self, connection: "Connection") -> None:
        """Forget a connection that has ended."""
        ...


class Connection(asyncio.BufferedProtocol):
    """A connection, from accept to its end."""

    def __init__(
        self, owner: Owner, shared: SharedState, peer: tuple[str, int], *, known: bool
    ) -> None:
        """peer: address and port. known: the address is an activator's."""
        self._owner, self._shared = owner, shared
        self.address, self.name, self.known = peer[0], f"{peer[0]} port {peer[1]}", known
        self.forwarded = False  # whether the peer is another replica that forwards frames
        self.recent, self.held = RecentTime(shared.now()), HeldBytes()
        self.protocol = ServerProtocol(max_size=int(FRAME_BYTES.most), logger=_protocol_log)
        self._messages: MessageAssembler | None = None  # None = not (yet) a WebSocket
        self._transport = PeerTransport()
        self._received = bytearray()  # not yet parsed
        self._frames = FrameQueue()
        self.accepted_s = self._received_s = shared.now()
        self._message_start_s: float | None = None  # of the unfinished one
        self._closed_s: float | None = None  # when our side closed
        self._ignored_bytes = 0  # received since then
        self._peer_closed = self._ended = False

    @property
    def open(self) -> bool:
        """Whether it is an open WebSocket."""
        return self._messages is not None and self._closed_s is None

    @property
    def opened(self) -> bool:
        """Whether it is or was a WebSocket."""
        return self._messages is not None

    # --- called by the loop -----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start, unless it was aborted in the meantime."""
        self._transport.attach(transport)
        if self._ended:
            self._transport.abort()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002  # its size is fixed
        """The buffer to read into: one for all connections, as every read is copied at once."""
        return self._shared.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Process what was read."""
        self._received_s = self._shared.now()
        if self._closed_s is not None:
            self._ignored_bytes += nbytes
            if self._ignored_bytes > _IGNORED_BYTES:
                self.abort()
            return
        self._received += self._shared.buffer[:nbytes]
        if self._messages is None:
            self._read_request()
            return
        if len(self._received) >= CHUNK_BYTES:
            self._transport.set_reading(False)
        self._shared.scheduler.add(self)

    def eof_received(self) -> bool:
        """The peer has closed its side; True = stay open, as something still waits."""
        self._peer_closed = True
        return self.opened and self.has_work()

    def pause_writing(self) -> None:
        """Abort: the peer does not read our answers."""
        self._refuse(UNREAD_BYTES)
        self.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # not needed
        """End."""
        self.abort()

    # --- the request ------------------------------------------------------------------------------

    def _read_request(self) -> None:
        try:
            request = read_request(self.protocol, self._received)
        except BadRequestError as error:
            if error.limit:
                self._refuse(error.limit)
            self._transport.write(self.protocol.reject(error.status, "").serialize())
            self._half_close()
            return
        if request:
            self._received.clear()
            response = self._owner.answer(self, request)
            self.protocol.send_response(response)
            if response.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
                self._messages = MessageAssembler(self.protocol)
            self._send_pending()

    # --- called by the scheduler ------------------------------------------------------------------

    def has_work(self) -> bool:
        """Whether frames wait to be processed, or bytes to be parsed."""
        return bool(self._frames or self._received)

    def may_step(self) -> bool:
        """Whether a step is possible; if not, frames of others have to be processed first."""
        return bool(self._frames) or self._may_parse()

    def step(self) -> None:
        """Process one frame, or parse a few bytes."""
        if self._received and self._messages and not self._frames.has_small and self._may_parse():
            self._parse(self._messages)
        elif self._frames:
            frame = self._frames.next()
            self._note_held()
            self._owner.take(self, frame)
        if not self.has_work():
            self._transport.set_reading(True)
            if self._peer_closed:
                self._transport.close()

    def _may_parse(self) -> bool:
        """Whether it may hold more."""
        held, everywhere = self.held.waiting + self.held.unfinished, self._shared.held.waiting
        return held <= _EQUAL_BYTES or (
            everywhere <= WAITING_BYTES.most and self._frames.bytes <= FRAME_BYTES.most
        )

    def _parse(self, messages: MessageAssembler) -> None:
        data = bytes(self._received[:PARSED_BYTES])
        del self._received[:PARSED_BYTES]
        complete, between = messages.feed(data)
        for message in complete:
            self._shared.received.frames += 1
            self._shared.received.bytes += len(message)
            self._frames.add(message)
        if complete or between:
            self._message_start_s = None
        if messages.in_progress and self._message_start_s is None:
            self._message_start_s = self._shared.now()
        self._note_held()
        self._send_pending()
        if self._shared.held.unfinished > UNFINISHED_BYTES.most:
            self._owner.shed_unfinished()

    def _note_held(self) -> None:
        """Keep the sums of bytes in memory up to date."""
        unfinished = self._messages.unfinished_bytes if self.open and self._messages else 0
        waiting = self._frames.bytes
        self._shared.held.unfinished += unfinished - self.held.unfinished
        self._shared.held.waiting += waiting - self.held.waiting
        self.held.unfinished, self.held.waiting = unfinished, waiting

    # --- closing ----------------------------------------------------------------------------------

    def check(self, now: float) -> None:
        """Close it if it is too slow or idle for too long. now: s."""
        if self._closed_s is not None:
            if now - self._closed_s > HANDSHAKE_S.most:
                self.abort()
        elif self._messages is None:
            if now - self.accepted_s > HANDSHAKE_S.most:
                self._refuse(HANDSHAKE_S)
                self.abort()
        elif self.has_work():
            return  # this process is slow, not the peer
        elif self._message_start_s is not None and now - self._message_start_s > MESSAGE_S.most:
            self._refuse(MESSAGE_S)
            self.close(CloseCode.POLICY_VIOLATION, "a message took too long")
        elif now - self._received_s > QUIET_S.most:
            self._refuse(QUIET_S)
            self.close(CloseCode.POLICY_VIOLATION, "silent for too long")

    def held_byte_seconds(self, now: float) -> float:
        """Cost of its unfinished message: bytes times s since its start."""
        start_s = now if self._message_start_s is None else self._message_start_s
        return self.held.unfinished * (now - start_s)

    def close(self, code: CloseCode, reason: str = "") -> None:
        """Close with a code; frames that wait are dropped."""
        self._frames.clear()
        self._shared.scheduler.discard(self)
        if self.open:
            self.protocol.fail(code, reason)
            self._send_pending()
        else:
            self.abort()

    def abort(self) -> None:
        """End at once."""
        if self._ended:
            return
        self._ended = True
        self._closed_s = self._shared.now()
        self._received.clear()
        self._frames.clear()
        self._note_held()
        self._shared.scheduler.discard(self)
        self._owner.forget(self)
        self._transport.abort()

    def close_reason(self) -> str:
        """Why it closed, for the log."""
        received, sent = self.protocol.close_rcvd, self.protocol.close_sent
        if sent and self.protocol.close_rcvd_then_sent is not True:
            return f"we closed it with {sent}"
        return str(received) if received else "no close frame"

    def _send_pending(self) -> None:
        """Send what the protocol wants to send; an empty item closes our side."""
        for data in self.protocol.data_to_send():
            if data:
                self._transport.write(data)
            else:
                self._half_close()

    def _half_close(self) -> None:
        if isinstance(self.protocol.parser_exc, PayloadTooBig):
            self._shared.received.refused += 1
            self._refuse(FRAME_BYTES)
        self._closed_s = self._shared.now()
        self._received.clear()
        if self._messages:
            self._messages = MessageAssembler(self.protocol)  # drops the unfinished message
        self._note_held()
        self._transport.set_reading(True)
        try:
            self._transport.write_eof()
        except OSError:  # the peer has disconnected
            self.abort()

    def _refuse(self, limit: Limit) -> None:
        self._shared.refusals.count(limit, self.name, self._shared.now())
