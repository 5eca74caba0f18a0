"""Asking a REST API: who answers without an end, or refuses, is told in one line."""

import itertools
from collections.abc import Iterator

import numpy as np
import pytest
from fastapi import FastAPI
from fastapi.responses import JSONResponse, StreamingResponse

from autoscaler.api.answers import HealthAnswer
from autoscaler.cli import rest
from autoscaler.cli.rest import NotThereError, RestApi
from autoscaler.errors import PermanentError
from autoscaler.limits import Limit
from tests.autoscaler.api.serving import serving


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
