"""Asking a REST API: who answers without an end, or refuses, is told in one line."""

import http.server
import itertools
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from fastapi import FastAPI
from fastapi.responses import JSONResponse, StreamingResponse

from autoscaler.access import Access
from autoscaler.api.answers import HealthAnswer
from autoscaler.cli import rest
from autoscaler.cli.rest import NotThereError, RestApi
from autoscaler.errors import PermanentError
from autoscaler.limits import Limit
from tests.autoscaler.api.serving import serving
from tests.certificates import Certificates


def ask(app: FastAPI) -> HealthAnswer:
    with serving(app) as server, RestApi(server.url) as api:
        return api.ask("/healthz", HealthAnswer).body


def test_this_machine_is_asked_without_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert ask(answering(iter([b'{"status": "ok"}']))) == HealthAnswer()


def answering(pieces: Iterator[bytes]) -> FastAPI:
    app = FastAPI()

    @app.get("/healthz")
    def answer() -> StreamingResponse:
        return StreamingResponse(pieces, media_type="application/json")

    return app


def test_an_answer_is_read_whole() -> None:
    assert ask(answering(iter([b'{"status"', b': "ok"}']))) == HealthAnswer()


def test_an_answer_that_is_too_large_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "API_ANSWER_BYTES", Limit("x", 1000, "bytes", "in a test"))
    with pytest.raises(PermanentError, match="without an end; allowed: 1,000 bytes"):
        ask(answering(b" " * 100 for _ in range(100_000)))


def test_an_answer_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "API_ANSWER_BYTES", Limit("x", np.inf, "bytes", "in a test"))
    monkeypatch.setattr(rest, "API_ANSWER_S", Limit("x", 0.05, "s", "in a test"))
    with pytest.raises(PermanentError, match=r"without an end; allowed: 0.05 s"):
        ask(answering(itertools.repeat(b" " * 1000)))


@pytest.mark.parametrize(
    ("status", "error", "said"),
    [
        (404, NotThereError, "^gone$"),
        (401, PermanentError, "answers 401: gone"),
        (503, PermanentError, "answers 503: gone"),
    ],
)
def test_what_a_problem_document_says_is_passed_on(
    status: int, error: type[Exception], said: str
) -> None:
    app = FastAPI()

    @app.get("/healthz")
    def answer() -> JSONResponse:
        return JSONResponse({"detail": "gone"}, status)

    with pytest.raises(error, match=said):
        ask(app)


@pytest.mark.parametrize("body", ["[]", "3", "null", '{"detail": "x"', '{"status": "bad"}'])
def test_whoever_else_answers_is_named(body: str) -> None:
    with pytest.raises(PermanentError, match=r"that is no health .*allowed: kn-ahead's REST API"):
        ask(answering(iter([body.encode()])))


class Healthy(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"status": "ok"}')

    def log_message(self, *_: object) -> None:
        return


@contextmanager
def secure(certificates: Certificates) -> Iterator[str]:
    """Whoever trusts the CA is answered; yields the address."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.cert, certificates.key)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Healthy) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"https://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_certificates_are_checked_against_those_that_are_given(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path / "ours")
    with secure(certificates) as url:
        with RestApi(url, Access(ca_file=certificates.ca)) as api:
            assert api.ask("/healthz", HealthAnswer).body == HealthAnswer()
        with RestApi(url) as api, pytest.raises(PermanentError, match="certificate verify failed"):
            api.ask("/healthz", HealthAnswer)
