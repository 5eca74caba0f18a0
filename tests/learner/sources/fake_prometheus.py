"""A local HTTP server with answers that a test sets, and a reader of demand from it."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from autoscaler.errors import AutoscalerError
from learner.demand import Demand
from learner.sources.demand_reader import PrometheusReader, PrometheusSettings

JSON = "application/json"
CART = {"namespace": "shop", "service": "cart"}
PAY = {"namespace": "till", "service": "pay"}


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
    capacity: Reply | None = None  # of pods; not noted as asked
    asked: list[dict[str, str]] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def reply(self, path: str) -> Reply | None:
        parameters = {key: values[0] for key, values in parse_qs(urlsplit(path).query).items()}
        if self.answer and "pod_capacity" in parameters.get("query", ""):
            return self.capacity or matrix()
        self.asked.append(parameters)
        if self.answer is None:
            self.over.wait(timeout=30)
            return None
        return self.answer(parameters)


@contextmanager
def fake_prometheus() -> Iterator[FakePrometheus]:
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
