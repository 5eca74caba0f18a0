"""A trace exported, backfilled into a real Prometheus, learned from there and replayed."""

import json
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from autoscaler.cli.main import app
from benchmarks.replay import Replay, ReplaySettings
from benchmarks.traces.trace import read_trace
from learner.sources.demand_reader import PrometheusReader
from tests.conftest import prometheus_server

START_S = 1_612_051_200.0
N_STEPS, FIT_STEPS = 170, 120
FIT = ("--fit-until", "2h", "--fit-rows", "2000", "--fit-rounds", "10")
Serve = Callable[[int, str, str], str]  # status, content type and body -> address


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two services over 170 minutes, with a gap in the past; seeded."""
    rng = np.random.default_rng(1)
    valid = np.ones((2, N_STEPS), np.bool_)
    valid[:, 40:50] = False
    path = tmp_path_factory.mktemp("trace") / "trace.npz"
    np.savez(
        path,
        ids=np.array(["shop/browse", "shop/refund"]),
        step_s=np.float64(60.0),
        t0=np.array("2021-01-31T00:00:00+00:00"),
        counts=np.array([rng.poisson(3.0, N_STEPS), rng.random(N_STEPS) < 0.1]).astype(float),
        valid=valid,
    )
    return path


def run(*args: str | Path) -> str:
    result = CliRunner().invoke(app, [str(arg) for arg in args])
    assert result.exit_code == 0, result.exception or result.output
    return result.stdout


@pytest.fixture(scope="module")
def prometheus(trace: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Prometheus that has what ``kn-ahead export`` wrote of the trace."""
    folder = tmp_path_factory.mktemp("prometheus")
    run("export", "--trace", trace, folder / "trace.om")
    text, data = str(folder / "trace.om"), str(folder / "data")
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", text, data]
    subprocess.run(command, check=True, capture_output=True)
    with prometheus_server(folder) as url:
        yield url


def test_the_past_comes_back_from_prometheus_as_it_was(trace: Path, prometheus: str) -> None:
    settings = ReplaySettings(fit_until_s=START_S + FIT_STEPS * 60.0)
    own = Replay(read_trace(trace), settings).demand.until(FIT_STEPS)
    read = PrometheusReader(prometheus, capacity=1.0).read(
        start_s=own.start_s, end_s=own.end_s, step_s=60.0
    )
    assert read.services == own.services
    np.testing.assert_array_equal(read.arrivals, own.arrivals)
    np.testing.assert_array_equal(read.peak, own.peak)
    assert np.isnan(read.peak).sum() == 2 * 10


def scores(trace: Path, folder: Path, *args: str) -> tuple[str, dict[str, Any]]:
    files = ("--report", folder / "report.html", "--json", folder / "scores.json")
    shown = run("replay", "--trace", trace, *FIT, *files, *args)
    return shown, json.loads((folder / "scores.json").read_text())


def test_a_replay_that_learns_from_prometheus_equals_one_that_learns_from_the_trace(
    trace: Path, prometheus: str, tmp_path: Path
) -> None:
    (tmp_path / "own").mkdir()
    shown, read = scores(trace, tmp_path, "--prometheus", prometheus)
    _, own = scores(trace, tmp_path / "own")
    assert f"Reading 120 steps of 60 s from {prometheus}" in shown
    assert read == own
    assert "Prometheus" in (tmp_path / "report.html").read_text()
    assert "kn-ahead full @ 600 s" in {policy["policy"] for policy in read["policies"]}


def refused(trace: Path, folder: Path, url: str) -> str:
    """The one line that a replay from an address ends with; nothing is written."""
    files = ("--report", folder / "report.html", "--json", folder / "scores.json")
    args = ("replay", "--trace", trace, *FIT, *files, "--prometheus", url)
    result = CliRunner().invoke(app, [str(arg) for arg in args])
    assert result.exit_code == 2, result.exception
    assert result.stderr.startswith("kn-ahead: ")
    assert result.stderr.count("\n") == 1
    assert not list(folder.iterdir())
    return result.stderr.removeprefix("kn-ahead: ")


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Call it with status, content type and body: the address of a server that says only that."""
    servers: list[ThreadingHTTPServer] = []

    def start(status: int, kind: str, body: str) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_address[1]}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_prometheus_that_answers_html_is_named(trace: Path, tmp_path: Path, serve: Serve) -> None:
    url = serve(200, "text/html", "<html>Sign in</html>")
    said = refused(trace, tmp_path, url)
    assert said.startswith(f"Prometheus at {url} answered 200 with text/html; allowed: JSON")


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds between attempts, which are not slept."""
    waited: list[float] = []
    defaults = PrometheusReader.__init__.__kwdefaults__
    assert defaults
    monkeypatch.setitem(defaults, "sleep", waited.append)
    return waited


def test_a_prometheus_that_is_overloaded_is_named_after_retries(
    trace: Path, tmp_path: Path, serve: Serve, waited: list[float]
) -> None:
    url = serve(503, "text/plain", "try later")
    said = refused(trace, tmp_path, url)
    assert said == f"Prometheus at {url} answered 503: try later\n"
    assert waited == [0.5, 1.0, 2.0, 4.0]


def test_a_prometheus_that_is_not_there_is_named_after_retries(
    trace: Path, tmp_path: Path, waited: list[float]
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    said = refused(trace, tmp_path, url)
    assert said.startswith(f"Prometheus at {url} cannot be reached: ")
    assert waited == [0.5, 1.0, 2.0, 4.0]


def test_an_address_that_is_none_is_named(trace: Path, tmp_path: Path) -> None:
    said = refused(trace, tmp_path, "prometheus:9090")
    assert "'prometheus:9090'; allowed: http(s)://host[:port][/path]" in said
