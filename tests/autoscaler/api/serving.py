"""A real server in a thread, and clients that speak to it by hand."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import httpx
from fastapi import FastAPI

from autoscaler.api.connections import ConnectionLimits
from autoscaler.api.server import ApiServer, ServerSettings, server
from autoscaler.limits import Limit
from autoscaler.refusals import Refusals

PATIENCE_S = 30.0
GET = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"


@contextmanager
def serving(
    app: FastAPI, refusals: Refusals | None = None, bounds: ConnectionLimits | None = None
) -> Iterator[ApiServer]:
    """Serves until the end of the block."""
    settings = ServerSettings(host="127.0.0.1", port=0)
    with running(server(app, settings, refusals or Refusals(), bounds)) as made:
        yield made


@contextmanager
def running(made: ApiServer) -> Iterator[ApiServer]:
    """Runs in a thread until the end of the block."""
    thread = threading.Thread(target=made.run)
    thread.start()
    try:
        yield made
    finally:
        made.should_exit = True
        thread.join()


def limits(
    *, connections: int = 8, request_s: float = 60.0, answer_s: float = 60.0
) -> ConnectionLimits:
    """Smaller ones than in life."""
    return ConnectionLimits(
        connections=Limit("rest_connections", connections, "connections", "in a test"),
        request_s=Limit("rest_request_s", request_s, "s", "in a test"),
        answer_s=Limit("rest_answer_s", answer_s, "s", "in a test"),
    )


def dial(made: ApiServer, say: bytes = b"") -> socket.socket:
    """A connection, and the first bytes on it."""
    url = httpx.URL(made.url)
    client = socket.create_connection((url.host, url.port or 0), timeout=PATIENCE_S)
    client.sendall(say)
    return client


def hears(client: socket.socket) -> bytes:
    """All that comes until the other side closes."""
    heard = bytearray()
    with suppress(ConnectionError):
        while piece := client.recv(65536):
            heard += piece
    return bytes(heard)


def until(client: socket.socket, end: bytes) -> bytes:
    """All that comes until the other side has said this."""
    heard = bytearray()
    while not heard.endswith(end):
        piece = client.recv(65536)
        assert piece, heard[-100:]
        heard += piece
    return bytes(heard)


def answer(made: ApiServer, path: str = "/healthz") -> httpx.Response:
    """What anybody else is answered meanwhile."""
    return httpx.get(made.url + path, timeout=PATIENCE_S)
