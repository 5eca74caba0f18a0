"""Tokens, headers and certificates reach a server; what is wrong with them is one line."""

import http.server
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from autoscaler.access import Access
from autoscaler.errors import AutoscalerError, PermanentError
from learner.sources.counters import Grid
from learner.sources.queries import PrometheusServer
from tests.certificates import Certificates

GRID = Grid(start_s=0, step_s=60, n_points=2)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.headers.append(dict(self.headers))  # type: ignore[attr-defined]
        code, body = self.server.answer  # type: ignore[attr-defined]
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


class Server(http.server.ThreadingHTTPServer):
    """Answers the same to each, and keeps what it was sent."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.headers: list[dict[str, str]] = []
        self.answer = 200, b'{"status": "success", "data": ["up"]}'
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://127.0.0.1:{self.server_port}"


@pytest.fixture
def server() -> Iterator[Server]:
    yield from served(Server())


def served(server: Server) -> Iterator[Server]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("tls") / "ours")


@pytest.fixture
def secure(certificates: Certificates) -> Iterator[Server]:
    """Speaks to those alone whom the same CA vouches for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.cert, certificates.key)
    context.load_verify_locations(certificates.ca)
    context.verify_mode = ssl.CERT_REQUIRED
    yield from served(Server(context))


def names(server: Server, access: Access) -> list[str]:
    return PrometheusServer(server.url, attempts=1, access=access).metric_names(GRID)


def test_a_token_and_headers_are_sent_and_the_token_is_read_anew(
    server: Server, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("first\n")
    access = Access(token_file=token, headers=("X-Scope-OrgID: shop", "X-More:  a b"))
    assert names(server, access) == ["up"]
    token.write_text("second\n")
    names(server, access)
    sent = [(h["Authorization"], h["X-Scope-OrgID"], h["X-More"]) for h in server.headers]
    assert sent == [("Bearer first", "shop", "a b"), ("Bearer second", "shop", "a b")]


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ((), "neither Authorization nor X-Scope-OrgID was sent"),
        (("Authorization: x",), "sent were Authorization"),
        (("X-Scope-OrgID: x", "Authorization: x"), "sent were Authorization and X-Scope-OrgID"),
    ],
)
def test_who_is_refused_is_told_what_was_sent(
    server: Server, headers: tuple[str, ...], said: str
) -> None:
    server.answer = 401, b'{"status": "error", "error": "no org id"}'
    with pytest.raises(PermanentError, match=f"answered 401: no org id; {said}"):
        names(server, Access(headers=headers))


def test_certificates_are_checked_and_shown(secure: Server, certificates: Certificates) -> None:
    c = certificates
    assert names(secure, Access(ca_file=c.ca, cert=c.cert, key=c.key)) == ["up"]
    with pytest.raises(PermanentError, match=r"cannot be trusted: .*certificate verify failed"):
        names(secure, Access(cert=c.cert, key=c.key))
    with pytest.raises(AutoscalerError):
        names(secure, Access(ca_file=c.ca))


@pytest.mark.parametrize("header", ["nonsense", ": x", "A b: x", "A: x\nB: y", "A:", "A: \x01"])
def test_a_header_that_is_none_is_refused_without_its_value(header: str) -> None:
    with pytest.raises(PermanentError, match=r"header is '.*': \.\.\.; allowed: Name: value") as e:
        Access(headers=(header,))
    assert "nonsense" not in str(e.value)


def test_files_that_cannot_be_used_are_refused(server: Server, tmp_path: Path) -> None:
    gone, empty, huge = tmp_path / "gone", tmp_path / "empty", tmp_path / "huge"
    empty.write_text("")
    huge.write_text("x" * (2**20 + 1))
    with pytest.raises(PermanentError, match="gone cannot be read: No such file"):
        Access(ca_file=gone)
    with pytest.raises(PermanentError, match="huge is too long; allowed: 1,048,576 characters"):
        Access(token_file=huge)
    with pytest.raises(PermanentError, match="empty holds no token"):
        names(server, Access(token_file=empty))
    with pytest.raises(PermanentError, match="client-key is given without client-cert"):
        Access(key=empty)
