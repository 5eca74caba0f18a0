"""Exit codes: each row of the table in the help is what a process ends with."""

import gzip
import json
import re
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from autoscaler.cli.exit_codes import BY_SIGNAL, MEANINGS, ExitCode
from autoscaler.cli.launch import main
from tests.autoscaler.cli.conftest import run
from tests.programs import HEARING_CTRL_C, kn_ahead, running

RECORDED = Path(__file__).parents[2] / "golden" / "kpa_ticks.jsonl.gz"


Ended = Callable[..., tuple[object, str]]


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ended:
    """Runs a command line as the program does: how it ended, and what it said on stderr."""

    def run_program(*command: str) -> tuple[object, str]:
        monkeypatch.setattr(sys, "argv", ["kn-ahead", *command])
        with pytest.raises(SystemExit) as end:
            main()
        return end.value.code, capsys.readouterr().err

    return run_program


def test_help_ends_with_the_table() -> None:
    said = " ".join(run("--help").stdout.split())
    table = said.partition("Exit codes:")[2]
    assert re.findall(r"(\d+(?:\+N)?): ", table) == ["0", "1", "2", "130", "128+N"]
    for meaning in (*MEANINGS.values(), BY_SIGNAL[1]):
        assert meaning in table


@pytest.mark.parametrize("command", [["version"], ["--help"], ["get", "--help"]])
def test_what_was_done_ends_with_0(command: list[str]) -> None:
    assert run(*command).exit_code == ExitCode.DONE


def test_a_benchmark_whose_answers_differ_ends_with_1(tmp_path: Path) -> None:
    with gzip.open(RECORDED, "rt") as lines:
        scenario = json.loads(next(lines))
    scenario["expected"][-1][1] += 7
    (tmp_path / "wrong.jsonl").write_text(json.dumps(scenario))
    command = [sys.executable, "-m", "benchmarks.parity", str(tmp_path / "wrong.jsonl")]
    with running(*command) as it:
        assert it.ends() == ExitCode.NOT_SO


@pytest.mark.parametrize(
    "command",
    [
        ["get", "services", "--url", "http://127.0.0.1:1"],
        ["get", "services", "--no-such-option"],
        ["gte", "services"],
        ["graph", "--bundle", "/none.npz"],
        ["export", "--trace", "/none.npz", "/none.om"],
        ["controller", "--port=http"],
        [],
    ],
)
def test_what_cannot_be_used_ends_with_2(ended: Ended, command: list[str]) -> None:
    code, said = ended(*command)
    assert code == ExitCode.UNUSABLE
    assert "Traceback" not in said


def test_a_mistyped_command_is_answered_with_the_nearest(ended: Ended) -> None:
    code, said = ended("grpah")
    assert code == ExitCode.UNUSABLE
    assert said == "kn-ahead: No such command 'grpah'. Did you mean 'graph'?\n"


def test_ctrl_c_ends_with_130_and_no_traceback() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with running(*HEARING_CTRL_C, *kn_ahead("get", "services", "--url", url)) as it:
            asked, _ = silent.accept()
            with asked:
                it.process.send_signal(signal.SIGINT)
                assert it.ends() == ExitCode.INTERRUPTED
    assert it.said == ""
