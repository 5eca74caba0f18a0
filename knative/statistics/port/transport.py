"""The transport of one connection; calls are ignored before it is made and while it closes."""

import asyncio
from typing import cast

from autoscaler.limits import UNREAD_BYTES


class PeerTransport:
    """Wraps asyncio's transport."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None

    @property
    def _open(self) -> asyncio.Transport | None:
        transport = self._transport
        return transport if transport and not transport.is_closing() else None

    def attach(self, transport: asyncio.BaseTransport) -> None:
        """The connection was made."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=int(UNREAD_BYTES.most))

    def write(self, data: bytes) -> None:
        """Send bytes."""
        if transport := self._open:
            transport.write(data)

    def write_eof(self) -> None:
        """Close our side. Raises OSError if the peer has disconnected."""
        if transport := self._open:
            transport.write_eof()

    def set_reading(self, on: bool) -> None:
        """Resume or pause reading."""
        if transport := self._open:
            (transport.resume_reading if on else transport.pause_reading)()

    def close(self) -> None:
        """Close after what was written is sent."""
        if self._transport:
            self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        if self._transport:
            self._transport.abort()
