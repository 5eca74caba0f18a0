"""The server of the API: uvicorn with limits, which leaves signals to the process."""

import asyncio
import resource
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from autoscaler.api.connections import BoundedConnection, ConnectionLimits, Connections
from autoscaler.errors import PermanentError
from autoscaler.limits import REST_BACKLOG, REST_HEAD_BYTES, REST_IDLE_S
from autoscaler.logs import get_logger
from autoscaler.refusals import Refusals

log = get_logger(__name__)

RETRY_S = 0.1  # s until accepting is tried again after an error
SHUTDOWN_S = 5  # s that answers under way are waited for at the end
DESCRIPTORS = 0.5  # share of the process's descriptors that connections may take


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """Where the API is served."""

    host: str
    """Address to listen on."""

    port: int
    """Port; 0 = any that is free."""

    tls_cert: Path | None = None
    """Certificate with its chain, PEM; None = plain HTTP."""

    tls_key: Path | None = None
    """Its private key, PEM; None = in the file of the certificate."""


class ApiServer(uvicorn.Server):
    """Serves until ``should_exit`` is set; signals are left to the process."""

    def __init__(
        self, config: uvicorn.Config, listening: socket.socket, connections: Connections
    ) -> None:
        super().__init__(config)
        self.server_state = self.connections = connections
        self._listening = listening
        self._accepting: asyncio.Task[None] | None = None
        host, port = listening.getsockname()[:2]
        scheme = "https" if config.is_ssl else "http"
        self.url = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none: the process that runs the server stops it."""
        yield

    async def startup(
        self,
        sockets: list[socket.socket] | None = None,  # noqa: ARG002  # it has one already
    ) -> None:
        """Accept connections, on the socket that listens already."""
        await self.lifespan.startup()
        self.servers = []  # uvicorn's own would accept without limit
        self._accepting = asyncio.create_task(self._accept(), name="accept")
        self.started = True

    async def shutdown(
        self,
        sockets: list[socket.socket] | None = None,  # noqa: ARG002
    ) -> None:
        """Stop accepting, and wait for answers under way for `SHUTDOWN_S`."""
        if self._accepting:
            self._accepting.cancel()
            await asyncio.wait([self._accepting])
        self._listening.close()
        await super().shutdown()

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second: drop connections past their deadline."""
        self.connections.drop_overdue(asyncio.get_running_loop().time())
        if self._accepting and self._accepting.done():
            self._accepting.result()  # raises its error: a server that does not accept must end
        return await super().on_tick(counter)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(self._listening)
                # Head and body are two writes: Nagle's algorithm would wait for the client's ACK.
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError as error:  # it was closed meanwhile, or there is no descriptor for it
                log.warning("API connection not accepted", error=str(error))
                await asyncio.sleep(RETRY_S)
                continue
            if self.connections.make_room(loop.time()):
                self._connect(connection)
            else:
                connection.close()
            await asyncio.sleep(0)  # dropped connections close, others get their turn

    def _connect(self, connection: socket.socket) -> None:
        protocol = BoundedConnection(self.config, self.connections, self.lifespan.state)

        async def hand_over() -> None:
            loop = asyncio.get_running_loop()
            try:
                await loop.connect_accepted_socket(
                    lambda: protocol, connection, ssl=self.config.ssl
                )
            except OSError:  # the TLS handshake failed
                self.connections.open.discard(protocol)

        protocol.handshake = asyncio.create_task(hand_over(), name="handshake")


def server(
    app: FastAPI,
    settings: ServerSettings,
    refusals: Refusals,
    limits: ConnectionLimits | None = None,
) -> ApiServer:
    """A server that listens already; ``await server.serve()`` runs it.

    Raises PermanentError for a port in use, and for invalid certificates.
    """
    s = settings
    config = uvicorn.Config(
        app,
        http=BoundedConnection,
        ws="none",
        lifespan="off",
        log_config=None,  # lines are formatted by autoscaler.logs, which escapes them
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        # No limit_concurrency: it counts idle connections, and refuses requests.
        timeout_keep_alive=int(REST_IDLE_S.most),
        timeout_graceful_shutdown=SHUTDOWN_S,
        h11_max_incomplete_event_size=int(REST_HEAD_BYTES.most),
        ssl_certfile=s.tls_cert,
        ssl_keyfile=s.tls_key,
    )
    try:
        config.load()
    except (OSError, ssl.SSLError) as error:
        raise PermanentError(f"{s.tls_cert} and its key cannot be used: {error}") from error
    limits = within_descriptors(limits or ConnectionLimits())
    return ApiServer(config, _listen(s), Connections(limits, refusals))


def within_descriptors(limits: ConnectionLimits) -> ConnectionLimits:
    """The limits, with no more connections than `DESCRIPTORS` allows."""
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = max(1, int(descriptors * DESCRIPTORS))
    if descriptors == resource.RLIM_INFINITY or most >= limits.connections.most:
        return limits
    return replace(limits, connections=replace(limits.connections, most=most))


def _listen(settings: ServerSettings) -> socket.socket:
    address = (settings.host, settings.port)
    ipv6 = ":" in settings.host
    try:
        listening = socket.create_server(
            address,
            family=socket.AF_INET6 if ipv6 else socket.AF_INET,
            dualstack_ipv6=ipv6 and settings.host == "::",
            backlog=int(REST_BACKLOG.most),
        )
    except OSError as error:
        raise PermanentError(
            f"{settings.host}:{settings.port} cannot be listened on: {error.strerror}; "
            "allowed: a free port"
        ) from error
    listening.setblocking(False)
    return listening
