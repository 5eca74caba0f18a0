"""A server that is overloaded, gone or no Prometheus: retries, and errors of one line."""

import json
import socket

import pytest

from autoscaler.errors import PermanentError, TransientError
from learner.sources.demand_reader import PrometheusReader
from learner.sources.queries import ATTEMPTS
from tests.learner.sources.fake_prometheus import (
    CART,
    FakePrometheus,
    Reply,
    Waits,
    always,
    matrix,
    points,
    read,
    refusal,
)


def test_overload_is_waited_out_with_growing_waits(server: FakePrometheus) -> None:
    busy = iter([503, 429, 500])
    well = matrix((CART, points(1, 1, 1, 1)))
    server.answer = lambda asked: Reply(status=s) if (s := next(busy, 0)) else well
    waits = Waits()
    assert read(server.url, waits=waits).n_steps == 3
    assert waits == [0.5, 1.0, 2.0]


def test_lasting_overload_is_transient_and_in_the_servers_words(server: FakePrometheus) -> None:
    error = json.dumps({"status": "error", "error": "query timed out\nin queue"})
    server.answer = always(Reply(status=503, body=error))
    message = refusal(TransientError, server.url)
    assert message == f"Prometheus at {server.url} answered 503: query timed out in queue"
    assert len(server.asked) == ATTEMPTS


def test_an_html_error_page_is_not_quoted(server: FakePrometheus) -> None:
    page = "<html><body>Bad gateway</body></html>"
    server.answer = always(Reply(status=502, kind="text/html", body=page))
    assert refusal(TransientError, server.url).endswith("answered 502: HTML")


@pytest.mark.parametrize(
    ("reply", "part"),
    [
        (
            Reply(status=422, body='{"status":"error","error":"too many samples"}'),
            "answered 422: too many samples",
        ),
        (Reply(status=404, kind="text/plain", body="not found\n"), "answered 404: not found"),
        (Reply(status=403), "answered 403: nothing"),
        (Reply(kind="text/html", body="<html>Login</html>"), "with text/html; allowed: JSON"),
        (Reply(body='{"status":"error","error":"no\\nway"}'), "answered 200: no way"),
        (Reply(body='{"status":"success"}'), "JSON that holds no data.result"),
        (Reply(body="[1, 2]"), "JSON that holds no data.result"),
        (Reply(body="null"), "JSON that holds no data.result"),
        (Reply(body='{"data":{"result":3}}'), "no list of series; allowed: a matrix"),
        (Reply(body='{"data":{"result":[600,"3"]}}'), "no series; allowed: a matrix"),
        (
            Reply(body='{"data":{"result":[{"metric":{},"value":[600,"3"]}]}}'),
            "no series; allowed: a matrix",
        ),
        (matrix(({"job": "x"}, points(1))), "{'job': 'x'}; allowed: with namespace, service"),
        (Reply(body='{"data":{"result":[{"metric":3,"values":[]}]}}'), "labels are no text"),
        (matrix(), "has no series for last_over_time(kn_ahead_requests_total[59999ms] offset -2s)"),
        (matrix((CART, points(1))), "has 0 steps with data"),
        (matrix((CART, points(1, 2))), "has 1 steps with data"),
    ],
)
def test_an_answer_that_is_none_is_refused_at_once(
    server: FakePrometheus, reply: Reply, part: str
) -> None:
    server.answer = always(reply)
    waits = Waits()
    assert part in refusal(PermanentError, server.url, waits=waits)
    assert waits == []


@pytest.mark.parametrize(
    "reply",
    [
        Reply(body='{"status":"success","data":{"result":[{"metr'),
        Reply(body='{"status":"success","data":{"re', cut=1000),
        Reply(body='{"status":"success","data":' + " " * 100_000),
        Reply(body=""),
    ],
)
def test_half_an_answer_is_asked_for_again(server: FakePrometheus, reply: Reply) -> None:
    replies = iter([reply])
    well = matrix((CART, points(1, 1, 1, 1)))
    server.answer = lambda asked: next(replies, well)
    assert read(server.url).n_steps == 3

    server.answer = always(reply)
    assert "gave half an answer" in refusal(TransientError, server.url)


def test_silence_ends_after_the_timeout(server: FakePrometheus) -> None:
    waits = Waits()
    message = refusal(TransientError, server.url, waits=waits, timeout_s=0.05)
    assert message == f"Prometheus at {server.url} gave no answer within 0.05 s"
    assert waits == [0.5, 1.0, 2.0, 4.0]


def test_nobody_there_is_said_in_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        message = refusal(TransientError, url)
    assert message == f"Prometheus at {url} cannot be reached: [Errno 111] Connection refused"


def test_a_redirect_is_followed(server: FakePrometheus) -> None:
    moved = iter([Reply(status=307, location="/elsewhere?query=requests_total")])
    well = matrix((CART, points(1, 1, 1, 1)))
    server.answer = lambda asked: next(moved, well)
    assert read(server.url).n_steps == 3


def test_a_redirect_without_end_is_refused(server: FakePrometheus) -> None:
    server.answer = always(Reply(status=307, location="/again"))
    assert "cannot be asked: Exceeded 3 redirects" in refusal(PermanentError, server.url)


def test_a_password_in_the_address_is_sent_but_not_shown(server: FakePrometheus) -> None:
    server.answer = always(Reply(status=403))
    message = refusal(PermanentError, server.url.replace("//", "//me:secret@"))
    said = "nothing; sent were Authorization"
    assert message == f"Prometheus at {server.url} answered 403: {said}"


@pytest.mark.parametrize(
    "url", ["", "localhost:9090", "ftp://host", "http://", "http:///path", "http://[x"]
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(PermanentError, match=r"allowed: http\(s\)://host"):
        PrometheusReader(url, capacity=1.0)
