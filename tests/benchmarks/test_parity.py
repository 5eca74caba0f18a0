import gzip
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from benchmarks.parity import main, mismatches, read
from tests.examples import examples

GOLDEN = Path(__file__).parent.parent / "golden" / "kpa_ticks.jsonl.gz"
SCENARIOS, TICKS = 260, 27_019

app = typer.Typer()
app.command()(main)
Lines = list[dict[str, Any]]


def run(path: Path) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [str(path)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def refusal(path: Path) -> str:
    code, out, err = run(path)
    assert code == 2
    assert out == ""
    assert err.count("\n") == 1
    assert str(path) in err
    return err


@pytest.fixture(scope="module")
def golden() -> Lines:
    """The first scenarios of Knative's own answers."""
    with gzip.open(GOLDEN, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for _, line in zip(range(3), lines, strict=False)]


@pytest.fixture
def written(golden: Lines, tmp_path: Path) -> Callable[[Callable[[Lines], None]], Path]:
    """Writes those scenarios after a change."""

    def write(change: Callable[[Lines], None]) -> Path:
        lines: Lines = json.loads(json.dumps(golden))
        change(lines)
        path = tmp_path / "ticks.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        return path

    return write


Written = Callable[[Callable[[Lines], None]], Path]


def test_a_scenario_alone_answers_as_knative() -> None:
    """Each is looked at as a row of a fleet below; the command looks at each alone, too."""
    scenarios = read(GOLDEN)
    assert len(scenarios) == SCENARIOS
    results = [mismatches([scenario]) for scenario in scenarios[:: examples(10, many=1)]]
    assert [line for _, lines in results for line in lines] == []


def test_all_scenarios_as_rows_of_one_fleet_answer_as_knative() -> None:
    assert mismatches(read(GOLDEN)) == (TICKS, [])


def test_the_command_prints_scenarios_ticks_and_mismatches(written: Written, golden: Lines) -> None:
    ticks = sum(len(line["expected"]) for line in golden)
    code, out, err = run(written(lambda lines: None))
    assert (code, err) == (0, "")
    assert f"3 scenarios, {ticks} ticks, 0 mismatches" in out


def test_the_module_runs_as_a_command(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.parity", str(tmp_path / "nowhere")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("answer", range(5))
def test_a_doctored_answer_is_found_and_named(written: Written, answer: int) -> None:
    def doctor(lines: Lines) -> None:
        lines[1]["expected"][7][answer] += 1

    code, out, _ = run(written(doctor))
    assert code == 1
    assert "scenario 1: Knative [" in out
    assert " 1 mismatches" in out


def test_an_answer_that_is_no_number_is_a_mismatch(written: Written) -> None:
    def doctor(lines: Lines) -> None:
        lines[1]["expected"][7][3] = float("nan")

    assert run(written(doctor))[0] != 0


def test_a_missing_file_is_refused_in_one_line(tmp_path: Path) -> None:
    assert "FileNotFoundError" in refusal(tmp_path / "nowhere.jsonl")


def test_a_folder_is_refused_in_one_line(tmp_path: Path) -> None:
    refusal(tmp_path)


NO_SPEC = '{"spec": 1, "events": [], "expected": []}'
FOREIGN = ["not json", "[]", "3", '{"spec": {}}', "[1, 2]", NO_SPEC]


@pytest.mark.parametrize("text", FOREIGN)
def test_a_foreign_file_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "foreign.jsonl"
    path.write_text(text + "\n")
    refusal(path)


def test_an_unknown_setting_is_refused_in_one_line(written: Written) -> None:
    def doctor(lines: Lines) -> None:
        lines[0]["spec"]["colour"] = "blue"

    assert "colour" in refusal(written(doctor))


def test_an_empty_file_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "empty.jsonl"
    path.write_text("")
    refusal(path)


def test_a_scenario_without_events_is_refused_in_one_line(written: Written) -> None:
    refusal(written(lambda lines: lines[1]["events"].clear()))


def test_a_scenario_with_too_few_answers_is_refused_in_one_line(written: Written) -> None:
    refusal(written(lambda lines: lines[1]["expected"].pop()))


def test_a_scenario_with_too_many_answers_is_refused_in_one_line(written: Written) -> None:
    refusal(written(lambda lines: lines[1]["expected"].append([0, 0, 0, 0.0, 0.0, 1])))


def test_an_answer_of_another_shape_is_refused_in_one_line(written: Written) -> None:
    refusal(written(lambda lines: lines[1]["expected"][0].pop()))


@pytest.mark.parametrize("length", [5, 5000])
def test_a_truncated_file_is_refused_in_one_line(tmp_path: Path, length: int) -> None:
    path = tmp_path / "ticks.jsonl.gz"
    path.write_bytes(GOLDEN.read_bytes()[:length])
    refusal(path)


def test_a_damaged_file_is_refused_in_one_line(tmp_path: Path) -> None:
    path, whole = tmp_path / "ticks.jsonl.gz", GOLDEN.read_bytes()
    path.write_bytes(whole[:2000] + b"\xff" * 100 + whole[2100:])
    refusal(path)


def test_a_line_cut_short_is_refused_in_one_line(written: Written) -> None:
    path = written(lambda lines: None)
    path.write_text(path.read_text()[:-40])
    refusal(path)
