"""Accepts connections: a few at a time, and with a pause when descriptors run out.

Without free descriptors asyncio's own server tries to accept a hundred times a second, and logs a
traceback for each attempt.
"""

import asyncio
import errno
import socket
from collections.abc import Callable

from autoscaler.limits import UNIDENTIFIED_CONNECTIONS
from autoscaler.logs import get_logger

BACKLOG = 512  # connections that the kernel queues for us
SOCKET_BYTES = 64 * 1024  # that the kernel buffers each way; it counts as memory of the container
# Before the loop serves others. What is accepted is read three turns later: until then no more come
# than are let in, so that the oldest, which gives way, has been read.
ACCEPTED_AT_ONCE = int(UNIDENTIFIED_CONNECTIONS.most) // 4
RETRY_S = 0.5  # s until we try again when descriptors or memory have run out

_OUT_OF_RESOURCES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

log = get_logger(__name__)

NewProtocol = Callable[[tuple[str, int]], asyncio.BufferedProtocol | None]


class Listener:
    """Listens on one address."""

    def __init__(self, new_protocol: NewProtocol) -> None:
        """new_protocol: the protocol for a peer's address and port; None = it is refused."""
        self._new_protocol = new_protocol
        self._socket: socket.socket | None = None
        self._retry: asyncio.TimerHandle | None = None
        self._attaching = set[asyncio.Task[None]]()

    def start(self, host: str, port: int) -> int:
        """Listen; returns the port. Raises OSError."""
        self._socket = socket.create_server(
            (host, port),
            family=socket.AF_INET6 if ":" in host else socket.AF_INET,
            backlog=BACKLOG,
            dualstack_ipv6=host == "::" and socket.has_dualstack_ipv6(),
        )
        self._socket.setblocking(False)
        # Accepted sockets inherit these; by default the kernel keeps up to 6 MB of unread bytes.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BYTES)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BYTES)
        self._resume()
        return int(self._socket.getsockname()[1])

    def stop(self) -> None:
        """Stop listening."""
        if self._retry:
            self._retry.cancel()
        if self._socket:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None

    def _resume(self) -> None:
        if self._socket:
            asyncio.get_running_loop().add_reader(self._socket, self._accept, self._socket)

    def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                accepted, peer = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _OUT_OF_RESOURCES:
                    raise
                log.error("cannot accept connections", error=str(error), retry_s=RETRY_S)
                loop.remove_reader(listening)
                self._retry = loop.call_later(RETRY_S, self._resume)
                return
            protocol = self._new_protocol((peer[0], peer[1]))
            if protocol is None:
                accepted.close()
                continue
            accepted.setblocking(False)
            task = loop.create_task(self._attach(accepted, protocol))
            self._attaching.add(task)
            task.add_done_callback(self._attaching.discard)

    async def _attach(self, accepted: socket.socket, protocol: asyncio.BufferedProtocol) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(lambda: protocol, accepted)
        except OSError as error:  # the peer has disconnected
            accepted.close()
            protocol.connection_lost(error)
