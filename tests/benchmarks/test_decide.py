import json

import pytest
import typer
from typer.testing import CliRunner

from benchmarks.decide import main

app = typer.Typer()
app.command()(main)


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.stdout, result.stderr


def test_json_tells_each_size_in_the_order_asked() -> None:
    code, out, _ = run("--revisions", "20", "--revisions", "1", "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [row["revisions"] for row in rows] == [20, 1]
    assert all(value > 0 for row in rows for value in row.values())
    assert all(row["worst_ms"] >= row["median_ms"] for row in rows)


def test_the_table_has_a_row_for_each_size() -> None:
    code, out, _ = run("--revisions", "1200")
    assert code == 0
    assert "1,200" in out


@pytest.mark.parametrize("size", ["0", "-3"])
def test_a_fleet_of_nobody_is_refused_in_one_line(size: str) -> None:
    code, out, err = run("--revisions", "5", "--revisions", size)
    assert code == 2
    assert out == ""
    assert err == f"decide: --revisions is {size}; allowed: >= 1\n"
