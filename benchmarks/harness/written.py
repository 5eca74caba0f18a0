"""A benchmark's result: on the terminal, and as files in a folder."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from autoscaler.files import whole_file
from benchmarks.controller.recorded_figures import commit
from benchmarks.harness.chosen import NEW_SERVICES
from benchmarks.harness.page import report, said
from benchmarks.harness.run import Compared
from benchmarks.harness.settings import BenchSettings
from benchmarks.harness.tables import beside, brief, contenders, short
from benchmarks.policies.contenders import OURS
from benchmarks.policies.femux_choice import MEMORY_GB
from benchmarks.report.page import write_report
from benchmarks.report.screen import Screen


def show(found: Sequence[Compared], screen: Screen) -> None:
    """Print what came out."""
    for each in found:
        screen.print_table(contenders(each.result))
        for name in (OURS, NEW_SERVICES):
            if each.result.entry(name):
                screen.print_table(beside(each.result, name))
        for sentence in said(each.result):
            screen.say(sentence)


def write(found: Sequence[Compared], settings: BenchSettings, folder: Path) -> None:
    """Write the page, all scores, each service at defaults, and what the short table is made of.

    Raises PermanentError.
    """
    results = [each.result for each in found]
    recorded = as_json(found, settings)
    _write_json(recorded, folder / "bench.json")
    _write_json(brief(recorded), folder / "brief.json")
    services = {
        each.result.trace: {sweep.name: sweep.services() for sweep in each.sweeps} for each in found
    }
    _write_json(services, folder / "services.json")
    with whole_file(folder / "bench.md") as file:
        file.write(short(recorded).encode())
    write_report(report(results, settings), folder / "bench.html")


def as_json(found: Sequence[Compared], settings: BenchSettings) -> dict[str, Any]:
    """All but the services."""
    traces = [each.result.as_json() for each in found]
    return {
        "ours": OURS,
        "commit": commit(),
        "settings": asdict(settings),
        "femux_container_gb": MEMORY_GB,
        "traces": traces,
    }


def _write_json(what: dict[str, Any], path: Path) -> None:
    with whole_file(path) as file:
        file.write(json.dumps(what, indent=1).encode() + b"\n")
