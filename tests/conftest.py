"""Fixtures that more than one room needs: a real Prometheus server with a history of our making."""

import contextlib
import gc
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from benchmarks.traces.openmetrics import backfill, make_blocks
from learner.demand import Demand

ServeHistory = Callable[[Demand], str]
ServeText = Callable[[str], str]


@pytest.fixture(scope="module", autouse=True)
def frozen() -> None:
    """What was imported stays: no collection of garbage has to walk through it again."""
    if not gc.get_freeze_count():
        gc.collect()
        gc.freeze()


@contextlib.contextmanager
def prometheus_server(folder: Path, *options: str) -> Iterator[str]:
    """A Prometheus process over the blocks in ``folder / "data"``; yields its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    config = folder / "prometheus.yml"
    config.write_text("")
    command = [
        "prometheus",
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        "--storage.tsdb.retention.time=100y",  # the histories are old
        f"--web.listen-address={address}",
        "--log.level=error",
        *options,
    ]
    with (folder / "prometheus.log").open("w") as log, subprocess.Popen(command, stderr=log) as it:
        try:
            _wait_until_ready(f"http://{address}/-/ready")
            assert it.poll() is None, (folder / "prometheus.log").read_text()
            yield f"http://{address}"
        finally:
            it.terminate()


def _wait_until_ready(url: str) -> None:
    patience = Retry(total=60, backoff_factor=0.05, backoff_max=0.5, status_forcelist=[503])
    with requests.Session() as session:
        session.trust_env = False
        session.mount("http://", HTTPAdapter(max_retries=patience))
        session.get(url, timeout=10).raise_for_status()


@pytest.fixture
def serve_history(tmp_path: Path) -> Iterator[ServeHistory]:
    """Call it with a demand: a real Prometheus that has it; ends with the test."""
    with contextlib.ExitStack() as stack:

        def serve(demand: Demand) -> str:
            backfill(demand, tmp_path / "data")
            return stack.enter_context(prometheus_server(tmp_path))

        yield serve


@pytest.fixture
def serve_text(tmp_path: Path) -> Iterator[ServeText]:
    """Call it with OpenMetrics text: a real Prometheus that has it; ends with the test."""
    with contextlib.ExitStack() as stack:

        def serve(text: str) -> str:
            exposition = tmp_path / "text"
            exposition.write_text(text)
            make_blocks(exposition, tmp_path / "data")
            return stack.enter_context(prometheus_server(tmp_path))

        yield serve
