"""Are forecasts right? Coverage of quantiles, loss against yesterday's copy, and reliability.

    python -m benchmarks.goals.coverage [FILE...] --fit-until 10d

A walk through time, every forecast from its past alone, with refits and rolling calibration as in
operation. For each window ahead:

* mid coverage of P50, P90, P95, P99 of pods needed (see `benchmarks.scores.forecast_score`), over
  all forecasts, and over those that are *unsure* (a pod is needed with more than 1 %): where
  services sleep, most forecasts are sure, and right, whatever the others are;
* how often what came was within the quantile as published, which overshoots for counts;
* weighted quantile loss, relative to that of what came in the same window a day before (an hour
  before, where the past is shorter than two days);
* of the levels' probabilities, what was forecast and what came.

Intervals are over services; where there are fewer than five, over their days.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from autoscaler.core.prediction.forecasts import demand_at
from autoscaler.core.types import BoolArray, Curves, FloatArray
from benchmarks.goals.command import judging
from benchmarks.goals.workloads import DAY_STEPS, Workload
from benchmarks.scores.forecast_score import QUANTILES, mid_coverage, most_ahead, pinball
from benchmarks.scores.resampling import Estimate, interval, ratio, resampled
from benchmarks.simulator.forecasts import ForecastTable
from learner.calibration.reliability import EDGES
from learner.models.levels import LEVELS, pods_needed

HOUR_STEPS = 60
UNSURE = 0.01  # probability of any pod beyond which a forecast is
FEW_SERVICES = 5
COVERAGE_GOAL, LOSS_GOAL = 0.01, 0.60
WIDTH = 130  # characters; a pipe would get 80, and cut the numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowScore:
    """One window ahead."""

    steps: tuple[int, int]  # after the origin
    coverage: tuple[Estimate, ...]  # of each of QUANTILES
    unsure: tuple[Estimate, ...]  # likewise, of forecasts that are
    published: tuple[float, ...]  # share within the quantile as published
    loss: Estimate  # relative to the copy's
    number: FloatArray  # (len(EDGES) - 1,) outcomes of levels by forecast probability
    forecast: FloatArray  # (len(EDGES) - 1,) of them expected to come
    came: FloatArray  # (len(EDGES) - 1,) that came


def scores_of(workload: Workload, table: ForecastTable) -> list[WindowScore]:
    """Of each window ahead."""
    edges = np.round(table.window_edges_s / workload.demand.step_s).astype(np.int64)
    return [
        _window_score(workload, table, window, (int(begin), int(end)))
        for window, (begin, end) in enumerate(pairwise(edges))
    ]


def copied_from(workload: Workload) -> int:
    """Steps back to what the copy is of."""
    return DAY_STEPS if workload.first >= 2 * DAY_STEPS else HOUR_STEPS


def _window_score(
    workload: Workload, table: ForecastTable, window: int, steps: tuple[int, int]
) -> WindowScore:
    demand = workload.demand
    need, (begin, end) = pods_needed(demand), steps
    first = np.arange(workload.first, demand.n_steps) + begin
    came = most_ahead(need, first, end - begin)
    copy = most_ahead(need, first - copied_from(workload), end - begin)
    exceedance = table.exceedance[:, :, window].astype(np.float64)
    known = ~np.isnan(came)
    unsure = known & (exceedance[..., 0] > UNSURE)
    covered = [mid_coverage(exceedance, came, q) for q in QUANTILES]
    published, loss, loss_of_copy = [], np.zeros_like(came), np.zeros_like(came)
    for q in QUANTILES:
        pods = demand_at(exceedance, table.demand_edges, np.array([1 - q]))
        pods /= demand.capacity[:, None]
        published.append(float((pods >= came)[known].mean()))
        loss += pinball(pods, came, q)
        loss_of_copy += pinball(copy, came, q)
    both = known & ~np.isnan(copy)
    number, forecast, outcomes = reliability(exceedance[known], came[known])
    return WindowScore(
        steps=steps,
        coverage=tuple(_mean(each, known) for each in covered),
        unsure=tuple(_mean(each, unsure) for each in covered),
        published=tuple(published),
        loss=_relative(_by_unit(loss, both), _by_unit(loss_of_copy, both)),
        number=number,
        forecast=forecast,
        came=outcomes,
    )


def reliability(exceedance: Curves, came: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Outcomes of levels between two ``EDGES`` of probability: all, expected ones, those that came.

    exceedance: (k, n_cells). came: (k,) pods. Levels out of reach do not count.
    """
    levels = came[:, None] >= LEVELS[: exceedance.shape[1]]
    counts = exceedance > 0
    place = np.searchsorted(EDGES, exceedance[counts], side="right") - 1
    place = np.minimum(place, len(EDGES) - 2)
    of = [np.ones(len(place)), exceedance[counts], levels[counts].astype(np.float64)]
    number, forecast, outcomes = np.array([np.bincount(place, one, len(EDGES) - 1) for one in of])
    return number, forecast, outcomes


def _mean(values: FloatArray, chosen: BoolArray) -> Estimate:
    return _relative(_by_unit(values, chosen), _by_unit(np.ones_like(values), chosen))


def _relative(over: FloatArray, under: FloatArray) -> Estimate:
    """Of sums by unit."""
    low, high = interval(ratio(resampled(over), resampled(under)))
    return Estimate(value=float(ratio(over.sum(), under.sum())), low=low, high=high)


def _by_unit(values: FloatArray, chosen: BoolArray) -> FloatArray:
    """(n_units,) sums of the chosen ones; a unit is a service, or a day of it where few are."""
    kept = np.where(chosen, values, 0.0)
    if len(kept) >= FEW_SERVICES:
        return np.asarray(kept.sum(axis=1))
    days = np.add.reduceat(kept, np.arange(0, kept.shape[1], DAY_STEPS), axis=1)
    return np.asarray(days.ravel())


def judge(console: Console, workload: Workload, forecasts: ForecastTable) -> bool:
    """Print coverage, relative loss and reliability for each window."""
    show(console, workload, scores_of(workload, forecasts))
    return True


def show(console: Console, workload: Workload, found: list[WindowScore]) -> None:
    """Print two tables."""
    n, lag = len(workload.demand.services), copied_from(workload)
    table = Table(title=f"{workload.name}: {n} services, mid coverage in % (95 %); as published")
    for heading in ("minutes", "of", *(f"P{100 * q:g}" for q in QUANTILES), f"loss / {lag} min"):
        table.add_column(heading, justify="right")
    for one in found:
        minutes = f"{one.steps[0]}-{one.steps[1]}"
        loss = f"{one.loss.value:.2f} ({one.loss.low:.2f}-{one.loss.high:.2f})"
        table.add_row(minutes, "all", *map(_covered, one.coverage, QUANTILES), loss)
        table.add_row("", "unsure", *map(_covered, one.unsure, QUANTILES))
        table.add_row("", "published", *(f"{100 * share:.1f}" for share in one.published))
    console.print(table)
    console.print(
        f"* more than {COVERAGE_GOAL:.0%} off. Relative loss of at most {LOSS_GOAL:g} is the goal."
    )
    table = Table(title=f"{workload.name}: levels needed, forecast > came in % (outcomes)")
    table.add_column("forecast to", justify="right")
    for one in found:
        table.add_column(f"{one.steps[0]}-{one.steps[1]} min", justify="right")
    for place, to in enumerate(EDGES[1:]):
        table.add_row(f"{to:g}", *(_outcomes(one, place) for one in found))
    console.print(table)


def _covered(estimate: Estimate, quantile: float) -> str:
    mark = "*" if abs(estimate.value - quantile) > COVERAGE_GOAL else " "
    return f"{100 * estimate.value:.1f}{mark}({100 * estimate.low:.1f}-{100 * estimate.high:.1f})"


def _outcomes(one: WindowScore, place: int) -> str:
    number = max(one.number[place], 1.0)
    forecast, came = 100 * one.forecast[place] / number, 100 * one.came[place] / number
    return f"{forecast:.2f} > {came:.2f} ({one.number[place]:,.0f})"


if __name__ == "__main__":
    typer.run(judging(judge, width=WIDTH))
