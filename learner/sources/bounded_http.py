"""HTTP answers read whole, within limits on their time and size.

requests limits the time between two bytes only, so that a byte a second would hold it for ever, and
unpacks bodies of any size. Here a deadline closes the connection, and a body is unpacked by pieces,
up to its limit.
"""

import contextlib
import socket
import threading
import zlib
from collections import deque
from typing import Any

from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from requests.exceptions import (
    ChunkedEncodingError,
    ContentDecodingError,
    ReadTimeout,
)
from urllib3 import HTTPConnectionPool, HTTPResponse
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, ReadTimeoutError
from urllib3.util import Retry

PIECE = 1 << 16  # bytes read at a time
MOST_REDIRECTS = 3
ENCODINGS = {"", "identity", "gzip"}
GZIP = 47  # wbits of zlib: gzip or zlib, by the header


class TooSlowError(Exception):
    """The answer was not whole in time."""


class TooLargeError(Exception):
    """The answer has more bytes, unpacked, than are allowed."""


class BoundedAdapter(HTTPAdapter):
    """Sends requests, one at a time, and reads their answers whole."""

    def __init__(self, *, within_s: float, most_bytes: int) -> None:
        super().__init__(max_retries=Retry(0, read=False))
        self._deadline = _Deadline(within_s)
        self._most_bytes = most_bytes
        deadline = {"deadline": self._deadline}
        self._plain = type("PlainConnection", (_WithDeadline, HTTPConnection), deadline)
        self._secure = type("TlsConnection", (_WithDeadline, HTTPSConnection), deadline)

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> HTTPConnectionPool:
        """A pool whose connections have the deadline."""
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        pool.ConnectionCls = self._secure if pool.scheme == "https" else self._plain
        return pool  # type: ignore[no-any-return]

    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        """The answer, read whole.

        Raises TooSlowError, TooLargeError, and what requests raises for a body that is cut.
        """
        request.headers["Accept-Encoding"] = "gzip"
        self._deadline.start()
        try:
            response = super().send(request, *args, **{**kwargs, "stream": True})
            with contextlib.closing(response.raw):  # the rest is not read
                response._content = self._body(response.raw)  # where requests stores the body
            response._content_consumed = True  # type: ignore[attr-defined]
        except Exception as error:
            if self._deadline.passed:
                raise TooSlowError from error
            raise
        finally:
            self._deadline.stop()
        if self._deadline.passed:  # a cut may look like the end of the body
            raise TooSlowError
        return response

    def close(self) -> None:
        """Close all connections."""
        super().close()
        self._deadline.clear()

    def _body(self, raw: HTTPResponse) -> bytes:
        encoding = raw.headers.get("Content-Encoding", "").lower()
        if encoding not in ENCODINGS:
            raise ContentDecodingError(f"packed as {encoding:.20}; allowed: gzip")
        unpacker = zlib.decompressobj(GZIP) if encoding == "gzip" else None
        body = bytearray()
        try:
            while piece := raw.read1(PIECE, decode_content=False):
                room = self._most_bytes - len(body) + 1
                body += unpacker.decompress(piece, room) if unpacker else piece
                if len(body) > self._most_bytes:
                    body.clear()  # a traceback would hold it
                    raise TooLargeError(f"more than {self._most_bytes} bytes")
            if unpacker and not (unpacker.eof and not unpacker.unused_data):
                raise ContentDecodingError("gzip without its end")
        except ReadTimeoutError as error:
            raise ReadTimeout(str(error)) from error
        except zlib.error as error:
            raise ContentDecodingError(str(error)) from error
        except HTTPError as error:
            raise ChunkedEncodingError(str(error)) from error
        return bytes(body)


class _Deadline:
    """Closes all connections when time is up."""

    def __init__(self, within_s: float) -> None:
        self._within_s = within_s
        self._timer: threading.Timer | None = None
        # A duplicate of the socket of each redirect's connection, so that it can be closed whatever
        # the original was wrapped in (TLS, files).
        self._sockets: deque[socket.socket] = deque()
        self.passed = False  # since the last start

    def start(self) -> None:
        """Start the time."""
        self.passed = False
        self._timer = threading.Timer(self._within_s, self._close)
        self._timer.daemon = True
        self._timer.start()

    def stop(self) -> None:
        """Stop the time."""
        if self._timer:
            self._timer.cancel()

    def add(self, connected: socket.socket) -> None:
        """Add a connection."""
        self._sockets.append(connected.dup())
        while len(self._sockets) > MOST_REDIRECTS + 1:
            self._sockets.popleft().close()
        if self.passed:
            self._close()

    def clear(self) -> None:
        """Drop all connections."""
        while self._sockets:
            self._sockets.popleft().close()

    def _close(self) -> None:
        self.passed = True
        for each in list(self._sockets):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


class _WithDeadline:
    """Mixin of a connection that the deadline holds for from its first byte on."""

    deadline: _Deadline

    def _new_conn(self) -> socket.socket:
        connected: socket.socket = super()._new_conn()  # type: ignore[misc]
        self.deadline.add(connected)
        return connected
