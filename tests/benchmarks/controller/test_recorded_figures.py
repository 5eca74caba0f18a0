"""Figures beside those recorded last and beside their bounds."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.controller.recorded_figures import Figure, comparison, save

CASE = "tick, 10 revisions, idle"


def shown(figures: list[Figure], path: Path) -> list[str]:
    file = io.StringIO()
    Console(file=file, width=100, force_terminal=True).print(comparison(CASE, figures, path))
    return file.getvalue().splitlines()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "recorded.json"


def test_a_figure_is_shown_beside_the_recorded_one_and_its_bound(path: Path) -> None:
    save(CASE, [Figure("tick, CPU ms", 5.25)], path)
    (row,) = [line for line in shown([Figure("tick, CPU ms", 6.5, 8.0)], path) if "CPU" in line]
    assert [cell.strip() for cell in row.split("│")[1:5]] == ["tick, CPU ms", "6.5", "5.2", "8"]


def test_a_case_that_was_not_recorded_shows_the_present_figures_alone(path: Path) -> None:
    lines = shown([Figure("tick, CPU ms", 6.5)], path)
    assert any("nothing recorded" in line for line in lines)


def test_a_figure_above_its_bound_is_bold(path: Path) -> None:
    def row(value: float) -> str:
        lines = shown([Figure("tick, CPU ms", value, 8.0)], path)
        return next(line for line in lines if "CPU" in line)

    assert "\x1b[1mtick" in row(8.5)
    assert "\x1b[1m" not in row(8.0)


def test_recording_a_case_replaces_its_figures_and_leaves_the_others(path: Path) -> None:
    save("other", [Figure("lost", 0.0)], path)
    save(CASE, [Figure("old", 1.0)], path)
    save(CASE, [Figure("tick, CPU ms", 5.24999)], path)
    recorded = json.loads(path.read_text())
    assert recorded["other"]["figures"] == {"lost": 0.0}
    assert recorded[CASE]["figures"] == {"tick, CPU ms": 5.25}
    assert recorded[CASE].keys() == {"commit", "date", "machine", "figures"}
    assert all(recorded[CASE].values())
