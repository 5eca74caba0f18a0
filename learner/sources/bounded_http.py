"""HTTP answers read whole, within limits on their time and size, whatever the server does.

requests counts a server's silence alone, so a byte a second would keep it for ever, in the head of
an answer as in its body; and it unpacks whatever comes. Here a watch cuts the connection when time
is up, and a body is unpacked by pieces, up to its limit.
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
GZIP = 47  # zlib's word for: as the header says


class TooSlowError(Exception):
    """The answer was not whole in time."""


class TooLargeError(Exception):
    """The answer has more bytes, unpacked, than are allowed."""


class BoundedAdapter(HTTPAdapter):
    """Sends requests, one at a time, and reads their answers whole."""

    def __init__(self, *, within_s: float, most_bytes: int) -> None:
        super().__init__(max_retries=Retry(0, read=False))
        self._watch = _Watch(within_s)
        self._most_bytes = most_bytes
        watch = {"watch": self._watch}
        self._plain = type("WatchedConnection", (_Watched, HTTPConnection), watch)
        self._secure = type("WatchedSecureConnection", (_Watched, HTTPSConnection), watch)

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> HTTPConnectionPool:
        """A pool whose connections are watched."""
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        pool.ConnectionCls = self._secure if pool.scheme == "https" else self._plain
        return pool  # type: ignore[no-any-return]

    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        """The answer, read whole.

        Raises TooSlowError, TooLargeError, and what requests raises for a body that is cut.
        """
        request.headers["Accept-Encoding"] = "gzip"
        self._watch.begin()
        try:
            response = super().send(request, *args, **{**kwargs, "stream": True})
            with contextlib.closing(response.raw):  # whatever else may come is not read
                response._content = self._body(response.raw)  # as requests keeps what it has read
            response._content_consumed = True  # type: ignore[attr-defined]
        except Exception as error:
            if self._watch.cut:
                raise TooSlowError from error
            raise
        finally:
            self._watch.end()
        if self._watch.cut:  # where it was cut may look like its end
            raise TooSlowError
        return response

    def close(self) -> None:
        """Close all connections."""
        super().close()
        self._watch.forget()

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
                    body.clear()  # an error keeps what was at hand when it was raised
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


class _Watch:
    """Cuts all connections when time is up."""

    def __init__(self, within_s: float) -> None:
        self._within_s = within_s
        self._timer: threading.Timer | None = None
        # Of each redirect's server, the connection's socket, doubled: what is then made of the
        # first one (TLS, files to read from) does not matter.
        self._sockets: deque[socket.socket] = deque()
        self.cut = False  # since the last begin

    def begin(self) -> None:
        """Time runs from now."""
        self.cut = False
        self._timer = threading.Timer(self._within_s, self._cut)
        self._timer.daemon = True
        self._timer.start()

    def end(self) -> None:
        """Time runs no more."""
        if self._timer:
            self._timer.cancel()

    def see(self, connected: socket.socket) -> None:
        """Another connection."""
        self._sockets.append(connected.dup())
        while len(self._sockets) > MOST_REDIRECTS + 1:
            self._sockets.popleft().close()
        if self.cut:
            self._cut()

    def forget(self) -> None:
        """There are no connections any more."""
        while self._sockets:
            self._sockets.popleft().close()

    def _cut(self) -> None:
        self.cut = True
        for each in list(self._sockets):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


class _Watched:
    """Part of a connection that is watched from its first byte on."""

    watch: _Watch

    def _new_conn(self) -> socket.socket:
        connected: socket.socket = super()._new_conn()  # type: ignore[misc]
        self.watch.see(connected)
        return connected
