"""The command demo: refuses first, then is there at once."""

import signal
import socket
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from autoscaler.cli.main import app
from tests.programs import HEARING_CTRL_C, kn_ahead, running


def test_a_port_in_use_is_refused_before_the_work_with_another_one(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        options = ["--serve", f"--port={port}", f"--report={tmp_path / 'page.html'}"]
        result = CliRunner().invoke(app, ["demo", *options])
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1
    assert f"127.0.0.1:{port} cannot be listened on" in result.stderr
    assert "--port " in result.stderr


@pytest.mark.parametrize("serve", ["--serve", "--no-serve"])
def test_a_report_that_cannot_be_written_is_refused_before_the_work(
    tmp_path: Path, serve: str
) -> None:
    report = tmp_path / "missing/page.html"
    result = CliRunner().invoke(app, ["demo", serve, f"--report={report}"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1
    assert f"{report} cannot be written" in result.stderr


def test_a_cached_result_is_served_at_once_and_ctrl_c_ends_it_in_good_order(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = kn_ahead("demo", "--serve", f"--port={port}", f"--report={tmp_path / 'page.html'}")
    with running(*HEARING_CTRL_C, *command) as it:
        url = it.says(r"Open (http://\S+)/ now")[1]
        text = httpx.get(url).text
        assert "What you see is cached" in text
        assert "10 services" in text
        assert httpx.get(f"{url}/report").status_code == 404
        it.says("A synthetic shop: 10 services")
        assert it.stops(signal.SIGINT) == 130
    assert "Traceback" not in it.said
