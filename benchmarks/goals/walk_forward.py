"""Forecasts of every step of a workload, each from its past alone, as options of a command ask."""

from typing import Annotated

import typer
from rich.console import Console

from benchmarks.goals.workloads import Workload
from benchmarks.policies.walk import OnShare, WalkSettings, walk
from benchmarks.report.screen import Screen
from benchmarks.simulator.forecasts import ForecastTable

Refit = Annotated[int, typer.Option(min=60, help="Minutes from one fit to the next.")]
Rows = Annotated[int, typer.Option("--max-rows", min=100, help="That a fit learns from.")]
Rounds = Annotated[int, typer.Option(min=1, help="Trees of each window's model.")]


def walked(console: Console, workload: Workload, settings: WalkSettings) -> ForecastTable:
    """`walk_forward`, with a bar that shows how far it is."""
    with Screen(console).progress() as show:
        return walk_forward(workload, settings, lambda share: show(workload.name, share))


def walk_forward(
    workload: Workload, settings: WalkSettings, on_share: OnShare = lambda _share: None
) -> ForecastTable:
    """One forecast for each step from ``workload.first`` on."""
    return walk(workload.demand, workload.first, settings, on_share)
