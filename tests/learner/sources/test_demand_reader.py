"""The reader against a local HTTP server that answers what a test tells it to."""

import itertools
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

from autoscaler.errors import AutoscalerError, PermanentError, TransientError
from learner.demand import Demand
from learner.sources.demand_reader import PrometheusReader, PrometheusSettings
from learner.sources.queries import ATTEMPTS
from learner.status import LearnerStatus

JSON = "application/json"
CART = {"namespace": "shop", "service": "cart"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer; ``cut`` bytes of it are announced but never sent."""

    body: str = ""
    status: int = 200
    kind: str = JSON
    cut: int = 0
    location: str = ""


Answer = Callable[[dict[str, str]], Reply]  # of the query's parameters


@dataclass(slots=True, kw_only=True)
class FakePrometheus:
    """Answers each query by ``answer``; where that is None, with silence until the test ends."""

    url: str
    answer: Answer | None = None
    asked: list[dict[str, str]] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def reply(self, path: str) -> Reply | None:
        parameters = {key: values[0] for key, values in parse_qs(urlsplit(path).query).items()}
        self.asked.append(parameters)
        if self.answer is None:
            self.over.wait(timeout=30)
            return None
        return self.answer(parameters)


@pytest.fixture
def server() -> Iterator[FakePrometheus]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            reply = fake.reply(self.path)
            if reply is None:
                return
            body = reply.body.encode()
            self.send_response(reply.status)
            self.send_header("Content-Type", reply.kind)
            self.send_header("Content-Length", str(len(body) + reply.cut))
            if reply.location:
                self.send_header("Location", reply.location)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
            return

    with ExitStack() as stack:
        http = stack.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        fake = FakePrometheus(url=f"http://127.0.0.1:{http.server_port}")
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        stack.callback(thread.join)
        stack.callback(http.shutdown)
        stack.callback(fake.over.set)
        yield fake


class Waits(list[float]):
    """Takes the place of sleeping: notes how long it would have been."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


def read(url: str, *, waits: Waits | None = None, n_steps: int = 3, **settings: Any) -> Demand:
    reader = PrometheusReader(
        url,
        capacity=1.0,
        settings=PrometheusSettings(**settings),
        sleep=Waits() if waits is None else waits,
    )
    return reader.read(start_s=600, end_s=600 + 60 * n_steps, step_s=60)


def refusal(kind: type[AutoscalerError], url: str, **arguments: Any) -> str:
    with pytest.raises(kind) as caught:
        read(url, **arguments)
    message = str(caught.value)
    assert "\n" not in message
    return message


def matrix(*series: tuple[dict[str, str], list[tuple[float, str]]]) -> Reply:
    result = [{"metric": labels, "values": values} for labels, values in series]
    data = {"resultType": "matrix", "result": result}
    return Reply(body=json.dumps({"status": "success", "data": data}))


def points(*values: float | None, start_s: int = 600) -> list[tuple[float, str]]:
    """One value a minute; None = no sample."""
    return [(start_s + 60 * i, str(v)) for i, v in enumerate(values) if v is not None]


def series_by_query(counters: Reply, gauges: Reply) -> Answer:
    return lambda asked: counters if "requests_total" in asked["query"] else gauges


def always(reply: Reply) -> Answer:
    return lambda asked: reply


def test_arrivals_are_the_growth_of_the_counter(server: FakePrometheus) -> None:
    server.answer = series_by_query(
        matrix((CART, points(5, 7, 7, 12))), matrix((CART, points(9, 1, 0, 3)))
    )
    demand = read(server.url)
    assert demand.services == ("shop/cart",)
    assert demand.arrivals.tolist() == [[2.0, 0.0, 5.0]]
    assert demand.peak.tolist() == [[1.0, 0.0, 3.0]]
    assert (demand.start_s, demand.step_s, demand.capacity.tolist()) == (600, 60, [1.0])


def test_a_counter_that_falls_has_restarted_from_zero(server: FakePrometheus) -> None:
    server.answer = series_by_query(
        matrix((CART, points(5, 7, 3, 4))), matrix((CART, points(0, 1, 1, 1)))
    )
    assert read(server.url).arrivals.tolist() == [[2.0, 3.0, 1.0]]


def test_a_missing_sample_is_a_gap(server: FakePrometheus) -> None:
    server.answer = series_by_query(
        matrix((CART, points(5, 7, None, 12, 13))), matrix((CART, points(0, 1, None, 3, 2)))
    )
    demand = read(server.url, n_steps=4)
    np.testing.assert_array_equal(demand.arrivals, [[2.0, np.nan, np.nan, 1.0]])
    np.testing.assert_array_equal(demand.peak, [[1.0, np.nan, 3.0, 2.0]])


def test_a_step_without_a_peak_was_not_watched(server: FakePrometheus) -> None:
    server.answer = series_by_query(
        matrix((CART, points(5, 5, 5, 6))), matrix((CART, points(0, 1, None, 3)))
    )
    np.testing.assert_array_equal(read(server.url).arrivals, [[0.0, np.nan, 1.0]])


def test_instances_are_differenced_one_by_one_and_added_up(server: FakePrometheus) -> None:
    first, second = CART | {"instance": "a"}, CART | {"instance": "b"}
    server.answer = series_by_query(
        matrix((first, points(100, 101, 102, None)), (second, points(50, 60, 0, 5))),
        matrix((first, points(1, 1, 1, None)), (second, points(2, 2, 2, 2))),
    )
    demand = read(server.url)
    assert demand.arrivals.tolist() == [[11.0, 1.0, 5.0]]
    assert demand.peak.tolist() == [[3.0, 3.0, 2.0]]


def test_a_gap_in_one_instance_is_a_gap_in_the_sum(server: FakePrometheus) -> None:
    first, second = CART | {"instance": "a"}, CART | {"instance": "b"}
    gauges = matrix((first, points(1, 1, None, 1)), (second, points(2, 2, 2, 2)))
    counters = matrix((first, points(0, 1, 1, 1)), (second, points(0, 0, 0, 0)))
    server.answer = series_by_query(counters, gauges)
    np.testing.assert_array_equal(read(server.url).peak, [[3.0, np.nan, 3.0]])


def test_pieces_cover_the_range_once_and_grow_when_few_series_answer(
    server: FakePrometheus,
) -> None:
    server.answer = lambda asked: matrix((CART, points(1, start_s=int(asked["start"]))))
    read(server.url, n_steps=1000, min_steps=1, max_points_per_series=500)
    counters = [asked for asked in server.asked if "requests_total" in asked["query"]]
    spans = [(int(asked["start"]), int(asked["end"])) for asked in counters]
    sizes = [(end - start) // 60 + 1 for start, end in spans]
    assert sizes == [64, 500, 437]
    assert spans[0][0] == 600
    assert spans[-1][1] == 600 + 1000 * 60
    assert all(later[0] == earlier[1] + 60 for earlier, later in itertools.pairwise(spans))


def test_windows_are_a_millisecond_short_of_a_step(server: FakePrometheus) -> None:
    server.answer = always(matrix((CART, points(1, 1, 1, 1))))
    read(server.url)
    assert {asked["query"] for asked in server.asked} == {
        "last_over_time(kn_ahead_requests_total[59999ms])",
        "max_over_time(kn_ahead_peak_in_flight[59999ms])",
    }


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
        (matrix(), "has no series for last_over_time(kn_ahead_requests_total[59999ms])"),
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


PAY = {"namespace": "till", "service": "pay"}


@pytest.mark.parametrize(
    ("series", "why"),
    [
        ([(CART, points(1, 1, 1, 1))] * 2, "a series twice; allowed: once"),
        ([(CART, [(660, "1"), (600, "1")])], "times out of order or twice"),
        ([(CART, [(600, "1"), (600, "1")])], "times out of order or twice"),
        ([(CART, [(601, "1")])], "times off the grid of 60 s"),
        ([(CART, points(1, start_s=0))], "times outside the range"),
        ([(CART, [(1e300, "1")])], "times outside the range"),
        ([(CART, [(600, "many")])], "could not convert"),
        ([(CART, [(600, ["1"])])], "no pairs of numbers"),
        ([(CART, [(float("inf"), "1")])], "times that are no numbers"),
        ([(CART, [(600,)])], "index out of range"),
        ([(CART, [(int("9" * 400), "1")])], "int too large"),
        ([(CART | {"pod": str(i)}, points(1)) for i in range(201)], "201 series"),
    ],
)
def test_a_service_whose_series_is_none_is_a_gap_and_named_and_no_other_is(
    server: FakePrometheus, series: Any, why: str
) -> None:
    server.answer = always(matrix(*series, (PAY, points(1, 2, 4, 8))))
    demand = read(server.url)
    assert demand.services == ("shop/cart", "till/pay")
    assert list(demand.quarantined) == ["shop/cart"]
    assert why in demand.quarantined["shop/cart"]
    np.testing.assert_array_equal(demand.arrivals, [[np.nan] * 3, [1, 2, 4]])
    np.testing.assert_array_equal(demand.peak, [[np.nan] * 3, [2, 4, 8]])


@pytest.mark.parametrize(
    ("value", "shown", "limit"),
    [
        ("+Inf", "inf", "count"),
        ("-Inf", "-inf", "count"),
        ("-1", "-1", "count"),
        ("NaN", "nan", "count"),
        ("1e300", "1e+300", "count"),
        ("1e9", "1e+09", "service_pods"),
        ("150001", "150001", "service_pods"),
    ],
)
def test_a_peak_that_cannot_be_is_a_gap_of_its_service_counted_and_named(
    server: FakePrometheus, value: str, shown: str, limit: str
) -> None:
    peaks = [*points(1, 2), (720, value), *points(3, start_s=780)]
    server.answer = series_by_query(
        matrix((CART, points(1, 2, 3, 4)), (PAY, points(1, 2, 3, 4))),
        matrix((CART, peaks), (PAY, points(1, 2, 3, 4))),
    )
    status = LearnerStatus()
    reader = PrometheusReader(server.url, capacity=1.0, status=status)
    demand = reader.read(start_s=600, end_s=780, step_s=60)
    np.testing.assert_array_equal(demand.peak, [[2, np.nan, 3], [2, 3, 4]])
    np.testing.assert_array_equal(demand.arrivals, [[1, np.nan, 1], [1, 1, 1]])
    said = f"samples that cannot be: 1, such as {shown}"
    assert demand.quarantined == {"shop/cart": said}
    assert status.refusals.counts == {limit: 1}


def test_a_counter_that_cannot_be_is_a_gap_and_counted_on_after_it(server: FakePrometheus) -> None:
    totals = [*points(5, 7), (720, "-4"), (780, "9"), (840, "2e15"), (900, "11"), (960, "12")]
    n = len(totals)
    server.answer = series_by_query(
        matrix((CART, totals)), matrix((CART, points(*[1] * n)), (PAY, points(*[1] * n)))
    )
    demand = read(server.url, n_steps=n - 1)
    # What fell to 11 has restarted from zero, as far as anybody can know.
    expected = [2, np.nan, np.nan, np.nan, 11, 1]
    np.testing.assert_array_equal(demand.arrivals[0], expected)
    np.testing.assert_array_equal(demand.peak[1], [1] * (n - 1))


@pytest.mark.parametrize(
    "labels",
    [
        {},
        {"service": "cart"},
        {"namespace": "shop/x", "service": "cart"},
        {"namespace": "shop", "service": "x/cart"},
        {"namespace": "shop", "service": "x" * 400},
        {"namespace": "shop", "service": "\x1b[2J"},
        {"namespace": "shop", "service": "cart", "pod": "x" * 9000},
    ],
)
def test_a_series_that_does_not_say_whose_it_is_is_left_out_and_said_once(
    server: FakePrometheus, labels: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    server.answer = always(matrix((labels, points(1, 1, 1, 1)), (PAY, points(1, 2, 4, 8))))
    reader = PrometheusReader(server.url, capacity=1.0)
    for _ in range(3):
        demand = reader.read(start_s=600, end_s=780, step_s=60)
        assert demand.services == ("till/pay",)
        assert demand.arrivals.tolist() == [[1, 2, 4]]
    said = [record for record in caplog.records if ": left out" in record.message]
    assert len(said) == 2  # of either query


def test_more_of_the_past_than_memory_can_take_is_refused(server: FakePrometheus) -> None:
    many = [({"namespace": "shop", "service": f"s{i}"}, points(1)) for i in range(40)]
    server.answer = always(matrix(*many))
    with pytest.raises(PermanentError, match=r"the past of 40 services .* more than 67108864"):
        PrometheusReader(server.url, capacity=1.0).read(start_s=0, end_s=1.2e8, step_s=60)


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
    assert message == f"Prometheus at {server.url} answered 403: nothing"


@pytest.mark.parametrize(
    "url", ["", "localhost:9090", "ftp://host", "http://", "http:///path", "http://[x"]
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(PermanentError, match=r"allowed: http\(s\)://host"):
        PrometheusReader(url, capacity=1.0)


@pytest.mark.parametrize(
    ("start_s", "end_s", "step_s", "part"),
    [
        (0, 600, 0.5, "step_s is 0.5; allowed: whole seconds >= 1"),
        (0, 600, 0, "step_s is 0; allowed"),
        (0, 600, float("nan"), "step_s is nan; allowed"),
        (600, 600, 60, "the range is 600 to 600; allowed"),
        (
            0,
            601,
            60,
            "the range is 0 to 601; allowed: whole seconds since 1970, a multiple of 60 s",
        ),
        (0.5, 60.5, 60, "the range is 0.5 to 60.5; allowed"),
        (-60, 600, 60, "the range is -60 to 600; allowed"),
        (0, 6e13, 60, "the range is 0 to 60000000000000.0; allowed"),
        (float("nan"), 600, 60, "the range is nan to 600; allowed"),
    ],
)
def test_a_range_that_is_none_is_refused(
    start_s: float, end_s: float, step_s: float, part: str
) -> None:
    with pytest.raises(PermanentError) as caught:
        PrometheusReader("http://localhost", capacity=1.0).read(
            start_s=start_s, end_s=end_s, step_s=step_s
        )
    assert part in str(caught.value)
