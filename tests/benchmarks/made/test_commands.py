from pathlib import Path

from typer.testing import CliRunner

from benchmarks.made.commands import app
from benchmarks.made.families import FAMILIES
from benchmarks.traces.trace import read_trace

runner = CliRunner()


def test_a_made_workload_is_written_as_a_trace(tmp_path: Path) -> None:
    path = tmp_path / "timers.npz"
    done = runner.invoke(
        app, ["timers", str(path), "--services", "4", "--days", "2", "--seed", "3"]
    )
    assert done.exit_code == 0, done.output
    assert "4 services" in done.output
    assert read_trace(path).counts.shape == (4, 2 * 1440)


def test_without_a_name_all_families_are_listed() -> None:
    lines = runner.invoke(app, []).output.splitlines()
    assert [line.split()[0] for line in lines] == list(FAMILIES)


def test_an_unknown_family_is_told_in_one_line(tmp_path: Path) -> None:
    done = runner.invoke(app, ["steady", str(tmp_path / "x.npz")])
    assert done.exit_code == 2
    assert "made workload 'steady'; allowed: diurnal" in done.output
    assert not list(tmp_path.iterdir())
