"""The commands write what they promise, and refuse what they cannot use in one line."""

import json
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from autoscaler.cli.exit_codes import ExitCode
from benchmarks.commands import app
from tests.benchmarks.harness.small import trace, written
from tests.programs import HEARING_CTRL_C, kn_ahead, running


def bench(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["bench", *map(str, arguments)])


def run(path: Path, output: Path, *more: str) -> Result:
    cheap = ["--contenders", "keep-alive, oracle", "--seeds", "1", "--fit-until", "2m"]
    return bench("run", path, "--output", output, *cheap, *more)


def test_a_run_writes_page_json_and_table(tmp_path: Path) -> None:
    found = run(written(tmp_path, trace(minutes=72)), tmp_path / "out")
    assert found.exit_code == 0, found.output
    assert "keep-alive at 10" in found.output
    page = (tmp_path / "out/bench.html").read_text()
    assert "small: cold requests against memory" in page
    assert "http" not in page.replace("http://www.w3.org", "")  # self-contained
    recorded = json.loads((tmp_path / "out/bench.json").read_text())
    assert [one["name"] for one in recorded["traces"][0]["entries"]][:2] == ["KPA", "min-scale"]
    (trace_found,) = recorded["traces"]
    by_rules = trace_found["entries"][1]["scores"][0]  # min-scale 1
    assert by_rules["wild_rules"]["cold_p75"] == 0 < by_rules["femux_rules"]["wasted_gb_s"]
    assert "small: the same run under three rule sets" in page
    services = json.loads((tmp_path / "out/services.json").read_text())
    assert len(services["small"]["KPA"]) == 3
    table = bench("table", tmp_path / "out/bench.json")
    assert table.output == (tmp_path / "out/bench.md").read_text()


def test_one_service_is_enough(tmp_path: Path) -> None:
    found = run(written(tmp_path, trace(n_services=1, minutes=72)), tmp_path / "out")
    assert found.exit_code == 0, found.output


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--contenders", "nobody"], "contender 'nobody' is not known; allowed: kn-ahead"),
        (["--fit-until", "9d"], "small: fit-until is 9d; allowed: within its 0.05 days"),
        (["--start-up", "-1"], "start-up is -1; allowed: seconds >= 0"),
        (["--scheduler", "nowhere"], "scheduler nowhere cannot be reached"),
    ],
)
def test_what_cannot_be_used_is_one_line(tmp_path: Path, more: list[str], said: str) -> None:
    found = run(written(tmp_path, trace(minutes=72)), tmp_path / "out", *more)
    assert found.exit_code == 2
    assert found.stderr.startswith(f"kn-ahead: {said}")
    assert found.stderr.count("\n") == 1


def test_an_empty_trace_is_one_line(tmp_path: Path) -> None:
    silent = written(tmp_path, replace(trace(), counts=np.zeros((3, 40))))
    found = run(silent, tmp_path / "out")
    assert (found.exit_code, found.stderr) == (
        2,
        "kn-ahead: small has no request; allowed: a trace with some\n",
    )


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    path = written(tmp_path)
    found = run(path, path)
    assert found.exit_code == 2
    assert found.stderr == f"kn-ahead: {path}/parts cannot be made: Not a directory\n"


def test_a_run_that_is_cut_off_says_so_in_one_line(tmp_path: Path) -> None:
    path = written(tmp_path, trace(minutes=30 * 1440))
    options = ("--fit-until", "1h", "--contenders", "keep-alive", "--output", tmp_path / "out")
    with running(*HEARING_CTRL_C, *kn_ahead("bench", "run", path, *options)) as it:
        it.says("simulating")
        assert it.stops(signal.SIGINT) == ExitCode.INTERRUPTED
    assert it.lines[-1] == "kn-ahead: cut off; the same command goes on from there"
    assert list((tmp_path / "out").rglob("*")) == [tmp_path / "out/parts"]


def test_what_is_no_result_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "no.json").write_text("{}")
    found = bench("table", tmp_path / "no.json")
    assert found.exit_code == 2
    assert found.stderr.endswith(
        "no.json is no result of a benchmark; allowed: bench.json of bench run\n"
    )
