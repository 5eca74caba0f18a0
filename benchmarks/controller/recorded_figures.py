"""Figures of a benchmark beside those recorded last and beside their bounds.

`recorded_figures.json` holds, for each case, the figures with the commit, machine and date of their
recording (option ``--record``). Figures of other machines show the order of magnitude only.
"""

import json
import os
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from autoscaler.clock import SystemClock
from autoscaler.files import whole_file

RECORDED = Path(__file__).with_suffix(".json")
Record = Annotated[bool, typer.Option("--record", help=f"Keep the figures in {RECORDED.name}.")]


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured number; its name ends with the unit."""

    name: str
    value: float
    bound: float | None = None  # most that is allowed; None = no bound


def comparison(case: str, figures: list[Figure], path: Path = RECORDED) -> Table:
    """A table of now, recorded and bound, one row per figure; above its bound it is bold."""
    recorded = _read(path).get(case, {"figures": {}})
    origin = ", ".join(recorded[name] for name in ("commit", "date", "machine") if name in recorded)
    table = Table(
        "figure", "now", "recorded", "bound",
        title=case, caption=f"recorded: {origin}" if origin else "nothing recorded of this case",
    )  # fmt: skip
    for figure in figures:
        above = figure.bound is not None and figure.value > figure.bound
        numbers = figure.value, recorded["figures"].get(figure.name), figure.bound
        table.add_row(figure.name, *map(_shown, numbers), style="bold" if above else "")
    return table


def save(case: str, figures: list[Figure], path: Path = RECORDED) -> None:
    """Record the figures of a case in place of the former ones."""
    recorded = _read(path)
    recorded[case] = {
        "commit": commit(),
        "date": datetime.fromtimestamp(SystemClock().now(), UTC).date().isoformat(),
        "machine": _machine(),
        "figures": {figure.name: float(f"{figure.value:.4g}") for figure in figures},
    }
    with whole_file(path) as file:
        file.write(json.dumps(recorded, indent=1, sort_keys=True).encode() + b"\n")


def _read(path: Path) -> dict[str, dict[str, Any]]:
    return dict(json.loads(path.read_text())) if path.exists() else {}


def _shown(number: float | None) -> str:
    if number is None:
        return ""
    return f"{number:,.1f}" if number % 1 else f"{number:,.0f}"


def commit() -> str:
    """The checkout's commit, with "-dirty" where files other than the record differ from it."""
    head = _git("rev-parse", "--short", "HEAD") or "unknown"
    changed = _git("status", "--porcelain", "--untracked-files=no", ":/", f":!{RECORDED.name}")
    return f"{head}-dirty" if changed else head


def _git(*arguments: str) -> str:
    done = subprocess.run(  # noqa: S603  # a fixed program
        ["git", *arguments],  # noqa: S607
        cwd=RECORDED.parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout.strip()


def _machine() -> str:
    """The processor's model and the number of cores that this process may use."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if "model name" in line), "")
    return f"{model or 'unknown processor'}, {len(os.sched_getaffinity(0))} cores"
