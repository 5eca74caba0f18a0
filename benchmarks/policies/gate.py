"""The gate: at the allocation of a keep-alive, the learner's forecasts are no worse than it.

    python -m benchmarks.policies.gate [--trace FILE]... [--max-rows N] [--prior FILE] [--minutes N]

Under the rules of `benchmarks.policies.femux`, on Poisson calls (made, seeded; no forecaster can
do better there than know each service's rate), on made services of all kinds, and on the traces
given. Half of a set's services are forecast by a model fitted on the others, and the other way
round; with ``--prior`` that prior forecasts all, and with ``--minutes 1440`` as on their first day.
More cold starts than a keep-alive end it with 1, unless the difference lies within what
other services of the same kind would give (bootstrap over services).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from autoscaler.cli.options import one_line_errors
from autoscaler.core.types import FloatArray
from benchmarks.policies.femux import (
    KEEP_ALIVES,
    exceedance_by_folds,
    forecast_by,
    load,
    score,
    sweep,
)
from benchmarks.scores.femux_rules import most_of_last
from learner.models.made_services import made_services
from learner.prior.file import load_prior
from learner.settings import WINDOWS

Forecasts = Callable[[FloatArray], FloatArray]  # need (n, n_minutes) to (n, n_minutes, n_levels)

MAX_ROWS, HALVES = 40_000, 2
SERVICES, MINUTES, SEED = 60, 2880, 7  # of made sets; the learner's own made services have seed 0
RESAMPLES, LOWER = 2_000, 0.05  # a difference is one if so many of the resamples agree


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One keep-alive and the learner at its allocation."""

    minutes: int
    allocated: float  # container-minutes of both
    theirs: float  # cold starts of the keep-alive
    ours: float
    at_least: float  # difference that all but few resamples of services exceed

    @property
    def passes(self) -> bool:
        """No more cold starts, or a difference that may be chance."""
        return self.ours <= self.theirs or self.at_least <= 0


def poisson_calls(services: int, minutes: int, seed: int) -> FloatArray:
    """(services, minutes) 1 where a service is called; once in 3 to 300 minutes on average."""
    random = np.random.default_rng(seed)
    rate = 1 / np.exp(random.uniform(np.log(3), np.log(300), services))
    return (random.poisson(rate[:, None], (services, minutes)) > 0).astype(np.float64)


def made_sets() -> Iterator[tuple[str, FloatArray]]:
    """Names and pods needed of the sets that need no trace."""
    yield "Poisson", poisson_calls(SERVICES, MINUTES, SEED)
    yield "made services", made_services(SERVICES // 10, MINUTES, SEED)


def verdicts(need: FloatArray, predicted: FloatArray) -> list[Verdict]:
    """need: (n, n_minutes) pods; predicted: (n, n_minutes, n_levels) probabilities."""
    curve = sweep(need, predicted)
    some = np.random.default_rng(SEED).integers(0, len(need), (RESAMPLES, len(need)))
    found = []
    for minutes in KEEP_ALIVES:
        theirs = score(need, most_of_last(minutes, need))
        ours = curve.at(float(theirs.allocated.sum()))
        difference = (ours.cold - theirs.cold)[some].sum(axis=1)
        found.append(
            Verdict(
                minutes=minutes,
                allocated=float(theirs.allocated.sum()),
                theirs=float(theirs.cold.sum()),
                ours=float(ours.cold.sum()),
                at_least=float(np.quantile(difference, LOWER)),
            )
        )
    return found


def main(
    trace: Annotated[list[Path] | None, typer.Option(help="npz; may be repeated.")] = None,
    max_rows: Annotated[int, typer.Option(min=100, help="That a fit learns from.")] = MAX_ROWS,
    prior: Annotated[Path | None, typer.Option(help="Forecasts instead of a fit.")] = None,
    minutes: Annotated[int | None, typer.Option(min=1, help="Of each set, from its first.")] = None,
) -> None:
    """Print the verdicts; ends with 1 where the learner is worse than a keep-alive."""
    with one_line_errors():
        forecasts = _by_prior(prior) if prior else _by_halves(max_rows)
        passes = _gate(trace or [], forecasts, minutes)
    if not passes:
        raise typer.Exit(1)


def _by_halves(max_rows: int) -> Forecasts:
    return lambda need: exceedance_by_folds(need, max_rows, HALVES)


def _by_prior(path: Path) -> Forecasts:
    model = load_prior(path).model(windows=WINDOWS, step_s=60.0)
    return lambda need: forecast_by(model, need)


def _gate(traces: list[Path], forecasts: Forecasts, minutes: int | None) -> bool:
    """Print the verdicts; whether all pass."""
    table = Table(title="Cold starts at the allocation of a keep-alive")
    for heading in ("set", "kept, min", "allocated", "its cold", "ours", "change", ""):
        table.add_column(heading, justify="right")
    console, passes = Console(width=100), True
    for name, whole in (*made_sets(), *((path.stem, load(path)) for path in traces)):
        need = whole[:, :minutes]
        with console.status(f"{name}: {len(need)} services"):
            found = verdicts(need, forecasts(need))
        for each in found:
            table.add_row(
                name, f"{each.minutes}", f"{each.allocated:,.0f}", f"{each.theirs:,.0f}",
                f"{each.ours:,.0f}", f"{each.ours / max(each.theirs, 1) - 1:+.0%}",
                "" if each.passes else "worse",
            )  # fmt: skip
            passes &= each.passes
        table.add_section()
    console.print(table)
    return passes


if __name__ == "__main__":
    typer.run(main)
