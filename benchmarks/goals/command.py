"""The command of a goal: workloads are walked through, forecast step by step, and judged."""

from collections.abc import Callable, Iterable
from typing import TypeAlias

import typer
from rich.console import Console

from autoscaler.cli.options import one_line_errors
from benchmarks.goals.made_workloads import made_workloads
from benchmarks.goals.walk_forward import Refit, Rounds, Rows, walked
from benchmarks.goals.workloads import (
    Concurrency,
    End,
    Files,
    StartUp,
    Until,
    Workload,
    recorded_all,
)
from benchmarks.policies.walk import DEFAULTS, WalkSettings
from benchmarks.simulator.forecasts import ForecastTable

# Prints what it finds of a workload under its forecasts; returns whether the goal is reached.
Judge: TypeAlias = Callable[[Console, Workload, ForecastTable], bool]


def judging(
    judge: Judge, made: Callable[[], Iterable[Workload]] = made_workloads, *, width: int = 100
) -> Callable[..., None]:
    """A function for `typer.run`, of which ``judge`` says what it does.

    made: where no file is given. It ends with 1 where a goal is not reached.
    """

    def main(
        files: Files = None,
        fit_until: Until = "10d",
        end: End = "",
        start_up: StartUp = 5.0,
        concurrency: Concurrency = 1,
        refit: Refit = DEFAULTS.refit_steps,
        max_rows: Rows = DEFAULTS.learner.max_rows,
        rounds: Rounds = DEFAULTS.learner.rounds,
    ) -> None:
        settings = WalkSettings.of(refit, max_rows, rounds)
        console, passes = Console(width=width), True
        with one_line_errors():
            given = recorded_all(files, fit_until, end, concurrency, start_up)
            for workload in given or made():
                passes &= judge(console, workload, walked(console, workload, settings))
        if not passes:
            raise typer.Exit(1)

    main.__doc__ = judge.__doc__
    return main
