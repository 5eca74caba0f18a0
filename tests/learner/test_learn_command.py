"""`kn-ahead learn` as a process: from a real Prometheus to a signed bundle over HTTPS."""

import asyncio
import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import numpy as np
import pytest
import requests

from autoscaler.advisor.fetch import Fetcher
from autoscaler.bundle.file import load_bundle
from autoscaler.clock import SystemClock
from autoscaler.errors import PermanentError
from learner.demand import Demand
from tests.certificates import Certificates
from tests.conftest import ServeHistory

ROOT = Path(__file__).parents[2]
STEP_S, N_STEPS = 2.0, 90


def recent() -> Demand:
    """Three minutes up to now of two services."""
    end_s = SystemClock().now() // STEP_S * STEP_S
    counts = np.random.default_rng(2).poisson([[0.3], [2.0]], (2, N_STEPS)).astype(float)
    return Demand(
        services=("shop/cart", "till/pay"),
        start_s=end_s - N_STEPS * STEP_S,
        step_s=STEP_S,
        arrivals=counts,
        peak=counts,
        capacity=np.ones(2),
    )


@contextlib.contextmanager
def learning(*arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "autoscaler.cli.launch", "learn", *map(str, arguments)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


async def fetch(url: str, copy: Path, ca_file: Path, process: "subprocess.Popen[str]") -> str:
    """Until there is something, as long as the process lives; what was said last."""
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        fetcher = Fetcher(url, copy, session, ca_file=ca_file)
        while (said := await fetcher.poll()) and process.poll() is None:
            await asyncio.sleep(0.2)
    await asyncio.sleep(0.1)  # until its connections are closed
    return said


def test_forecasts_come_signed_over_https_with_health_and_metrics(
    tmp_path: Path, serve_history: ServeHistory
) -> None:
    certificates, key, copy = Certificates(tmp_path / "tls"), tmp_path / "key", tmp_path / "copy"
    key.write_bytes(bytes(range(40)))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"https://127.0.0.1:{port}"
    arguments: list[str | Path] = ["--prometheus", serve_history(recent())]
    arguments += ["--bundle", tmp_path / "forecasts.npz", "--step", "2", "--history", "3m"]
    arguments += ["--fit-rows", "2000", "--fit-rounds", "10"]
    arguments += ["--serve", str(port), "--key", key]
    arguments += ["--tls-cert", certificates.cert, "--tls-key", certificates.key]
    with learning(*arguments) as process:
        said = asyncio.run(fetch(f"{url}/forecasts.npz", copy, certificates.ca, process))
        assert said == "", process.stderr and process.stderr.read()
        health, metrics = (
            requests.get(f"{url}/{what}", verify=str(certificates.ca), timeout=10)
            for what in ("healthz", "metrics")
        )
    assert health.status_code == 200
    assert "kn_ahead_quarantined_services 0.0" in metrics.text
    assert "kn_ahead_last_published_timestamp_seconds 1." in metrics.text
    bundle = load_bundle(copy, key.read_bytes())
    assert bundle.services == ("shop/cart", "till/pay")
    assert not np.isnan(bundle.exceedance).any()
    with pytest.raises(PermanentError, match="it is signed"):
        load_bundle(copy)


def wait_for(*paths: Path, process: "subprocess.Popen[str]") -> None:
    """Until all files are there."""
    while not all(path.exists() for path in paths):
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.1)
        assert process.poll() is None, process.stderr and process.stderr.read()


def test_a_learner_that_is_killed_goes_on_where_it_was(
    tmp_path: Path, serve_history: ServeHistory
) -> None:
    bundle = tmp_path / "forecasts.npz"
    arguments: list[str | Path] = ["--prometheus", serve_history(recent()), "--bundle", bundle]
    arguments += ["--step", "2", "--history", "3m", "--fit-rows", "2000", "--fit-rounds", "10"]
    saved = [tmp_path / f"forecasts.{what}.npz" for what in ("model", "state")]
    with learning(*arguments) as process:
        wait_for(bundle, *saved, process=process)
    before = load_bundle(bundle)
    bundle.unlink()
    with learning(*arguments) as process:
        wait_for(bundle, process=process)
        process.kill()
        said = process.communicate()[1]
    after = load_bundle(bundle)
    assert after.services == before.services
    assert (after.made_at_s > before.made_at_s, after.fitted_at_s) == (True, before.fitted_at_s)
    for path in saved:
        assert str(path) in said
    assert "begins anew" not in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--key", "none"], "the key none cannot be read: No such file or directory"),
        (["--key", "short"], "the key short has 5 bytes; allowed: >= 32, random ones"),
        (["--serve", "1", "--tls-cert", "none"], "none and its key cannot be used: "),
    ],
)
def test_what_cannot_be_used_ends_it_in_one_line(
    tmp_path: Path, arguments: list[str], said: str
) -> None:
    (tmp_path / "short").write_bytes(b"short")
    paths = [str(tmp_path / each) if each in {"none", "short"} else each for each in arguments]
    with learning(
        "--prometheus", "http://127.0.0.1:1", "--bundle", tmp_path / "f.npz", *paths
    ) as process:
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 2
    assert stderr.count("\n") == 1
    assert (
        said.replace("none", str(tmp_path / "none")).replace("short", str(tmp_path / "short"))
        in stderr
    )
