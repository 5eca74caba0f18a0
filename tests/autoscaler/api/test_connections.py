"""Clients that ask nothing, ask slowly or do not read: everybody else is served."""

import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from fastapi import FastAPI, Response
from fastapi.responses import StreamingResponse

from autoscaler.api.connections import ConnectionLimits
from autoscaler.api.server import ApiServer, ServerSettings, server
from autoscaler.limits import REST_CONNECTIONS, REST_HEAD_BYTES
from autoscaler.refusals import Refusals
from tests.autoscaler.api.serving import (
    GET,
    PATIENCE_S,
    answer,
    dial,
    hears,
    limits,
    running,
    serving,
    until,
)
from tests.certificates import Certificates

LONG = 32 * 2**20  # bytes: more than all buffers on the way hold


@pytest.fixture
def app() -> FastAPI:
    """Answers shortly, and at length in one go or in pieces."""
    app = FastAPI()

    @app.get("/healthz")
    async def healthz() -> str:
        return "ok"

    @app.get("/long")
    async def long() -> Response:
        return Response(b"x" * LONG)

    @app.get("/pieces")
    async def pieces() -> Response:
        async def many() -> AsyncIterator[bytes]:
            for _ in range(LONG // 65536):
                yield b"x" * 65536

        return StreamingResponse(many())

    return app


@contextlib.contextmanager
def many(made: ApiServer, n: int, say: bytes = b"") -> Iterator[list[socket.socket]]:
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(dial(made, say)) for _ in range(n)]


def get(path: str) -> bytes:
    return GET.replace(b"/healthz", path.encode())


# --- too many -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "say",
    [b"", b"GET / HTTP/1.1\r\nHost", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n"],
    ids=["idle", "within a head", "within a body"],
)
def test_connections_that_ask_nothing_keep_nobody_out(
    app: FastAPI, refusals: Refusals, say: bytes
) -> None:
    with serving(app, refusals) as made, many(made, 150, say):
        assert answer(made).json() == "ok"
        assert len(made.connections.open) <= REST_CONNECTIONS.most
    assert refusals.counts["rest_connections"] >= 150 - REST_CONNECTIONS.most


@pytest.mark.parametrize("path", ["/long", "/pieces"])
def test_clients_that_do_not_read_keep_nobody_out(
    app: FastAPI, refusals: Refusals, path: str
) -> None:
    with serving(app, refusals, limits(connections=8)) as made, many(made, 20, get(path)):
        assert answer(made).json() == "ok"
        assert len(made.connections.open) <= 8


def test_the_one_that_has_waited_longest_gives_its_place(app: FastAPI, refusals: Refusals) -> None:
    with serving(app, refusals, limits(connections=2)) as made, many(made, 2) as (first, second):
        with dial(made, GET) as third:
            assert hears(first) == b""
            assert third.recv(100).startswith(b"HTTP/1.1 200")
        second.sendall(GET)
        assert second.recv(100).startswith(b"HTTP/1.1 200")


def test_one_that_reads_is_not_given_up_for_another(app: FastAPI, refusals: Refusals) -> None:
    small = limits(connections=2)
    with serving(app, refusals, small) as made, many(made, 1, get("/pieces")) as (reader,):
        heard = reader.recv(65536)
        with many(made, 5):
            heard += until(reader, b"\r\n0\r\n\r\n")
    assert len(heard) > LONG


# --- too slow -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "say",
    [b"", b"GET / HTTP/1.1\r\nX-", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n1"],
    ids=["silent", "within a head", "within a body"],
)
def test_a_request_that_is_not_whole_in_time_is_cut_off(
    app: FastAPI, refusals: Refusals, say: bytes
) -> None:
    with serving(app, refusals, limits(request_s=0.2)) as made, dial(made, say) as client:
        hears(client)
    assert refusals.counts["rest_request_s"] == 1


def test_drips_do_not_prolong_a_request(app: FastAPI, refusals: Refusals) -> None:
    with serving(app, refusals, limits(request_s=0.3)) as made, dial(made, b"GET /") as client:
        client.settimeout(0.05)
        with contextlib.suppress(ConnectionError):
            while True:
                client.sendall(b"x")
                try:
                    if not client.recv(1):
                        break
                except TimeoutError:
                    continue
    assert refusals.counts["rest_request_s"] == 1


def test_the_next_request_has_a_deadline_of_its_own(app: FastAPI, refusals: Refusals) -> None:
    with serving(app, refusals, limits(request_s=0.2)) as made, dial(made, GET) as client:
        until(client, b'"ok"')
        client.sendall(b"GET /hea")
        assert hears(client) == b""
    assert refusals.counts["rest_request_s"] == 1


@pytest.mark.parametrize("path", ["/long", "/pieces"])
def test_an_answer_that_is_not_read_in_time_is_cut_off(
    app: FastAPI, refusals: Refusals, path: str
) -> None:
    with serving(app, refusals, limits(answer_s=0.2)) as made, dial(made, get(path)) as client:
        while not refusals.counts:
            assert answer(made).json() == "ok"
        assert refusals.counts["rest_answer_s"] == 1
        assert len(hears(client)) < LONG


def test_requests_one_after_the_other_are_all_answered(app: FastAPI, refusals: Refusals) -> None:
    last = GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    with serving(app, refusals) as made, dial(made, GET * 49 + last) as client:
        assert hears(client).count(b'"ok"') == 50
    assert not refusals.counts


# --- too long -------------------------------------------------------------------------------------


def test_a_head_without_end_is_refused(app: FastAPI, refusals: Refusals) -> None:
    with serving(app, refusals) as made, dial(made) as client:
        with contextlib.suppress(ConnectionError):
            client.sendall(b"GET /healthz HTTP/1.1\r\nX: " + b"x" * int(2 * REST_HEAD_BYTES.most))
        assert hears(client).startswith((b"HTTP/1.1 400", b""))
        assert answer(made).json() == "ok"
    assert refusals.counts["rest_head_bytes"] == 1


def test_what_is_no_http_is_told_so(app: FastAPI, refusals: Refusals) -> None:
    with serving(app, refusals) as made, dial(made, b"\x16\x03\x01 what?\r\n\r\n") as client:
        assert hears(client).startswith(b"HTTP/1.1 400")
    assert not refusals.counts


def test_a_websocket_is_none_here(app: FastAPI, refusals: Refusals) -> None:
    upgrade = GET.replace(b"\r\n\r\n", b"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
    with serving(app, refusals) as made, dial(made, upgrade) as client:
        assert client.recv(100).startswith(b"HTTP/1.1 200")


# --- TLS ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates") / "ours")


@contextlib.contextmanager
def over_tls(
    app: FastAPI, certificates: Certificates, refusals: Refusals, bounds: ConnectionLimits
) -> Iterator[ApiServer]:
    settings = ServerSettings(
        host="127.0.0.1", port=0, tls_cert=certificates.cert, tls_key=certificates.key
    )
    with running(server(app, settings, refusals, bounds)) as made:
        yield made


def trusting(certificates: Certificates) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(certificates.ca))


def test_serves_over_tls(app: FastAPI, certificates: Certificates, refusals: Refusals) -> None:
    with over_tls(app, certificates, refusals, limits()) as made:
        assert made.url.startswith("https://")
        got = httpx.get(made.url + "/healthz", verify=trusting(certificates), timeout=PATIENCE_S)
        assert got.json() == "ok"


def test_handshakes_that_do_not_end_keep_nobody_out_and_are_cut_off(
    app: FastAPI, certificates: Certificates, refusals: Refusals
) -> None:
    bounds = limits(connections=4, request_s=0.5)
    with over_tls(app, certificates, refusals, bounds) as made, many(made, 20) as clients:
        got = httpx.get(made.url + "/healthz", verify=trusting(certificates), timeout=PATIENCE_S)
        assert got.json() == "ok"
        assert len(made.connections.open) <= 4
        for client in clients:
            assert hears(client) == b""
    assert refusals.counts["rest_connections"] >= 16
    assert refusals.counts["rest_request_s"] >= 1


def test_a_client_that_speaks_no_tls_is_no_concern_of_others(
    app: FastAPI, certificates: Certificates, refusals: Refusals
) -> None:
    with over_tls(app, certificates, refusals, limits()) as made, dial(made, GET) as client:
        hears(client)
        got = httpx.get(made.url + "/healthz", verify=trusting(certificates), timeout=PATIENCE_S)
        assert got.json() == "ok"
