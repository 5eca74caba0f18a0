"""A promise is kept, and costs little more than the price that would have kept it.

    python -m benchmarks.goals.promise [FILE...] --fit-until 7d [--settle 2d]

Promised are several rates of cold requests. Each service begins at the same price, which follows
from what was counted hour by hour, as in operation; what comes before `--settle` is over is not
judged. Beside it run fixed prices. Judged are services of which at least `LEAST_COLD` requests may
be cold and whose promise some fixed price keeps: *kept* are those at no more than `WITHIN` times
their rate. *Cost* is what they spend over the cheapest fixed price in hindsight, each service's
own, that keeps the promise. Elsewhere the promise is *not attainable* at any of the prices.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from autoscaler.cli.options import moment, one_line_errors
from autoscaler.core.prediction.promise import START_S, STEPS_A_DAY, price_after, usual_after
from autoscaler.core.state.revision import Mode
from autoscaler.core.types import FloatArray
from benchmarks.goals.made_workloads import made_workloads
from benchmarks.goals.walk_forward import Rounds, Rows, walked
from benchmarks.goals.workloads import (
    Concurrency,
    End,
    Files,
    StartUp,
    Until,
    Workload,
    recorded_all,
)
from benchmarks.policies.policies import KPA, revision
from benchmarks.policies.walk import DEFAULTS, WalkSettings
from benchmarks.report.screen import Screen
from benchmarks.simulator.forecasts import ForecastTable
from benchmarks.simulator.simulation import Policy, Simulation, World

RATES = (0.05, 0.02, 0.01, 0.005)
PRICES = tuple(2.0 * 10.0 ** (k / 2) for k in range(12))  # s of idle pod, 2 to 630,000
STEP_S = 3600.0
LEAST_COLD = 4.0
WITHIN = 1.25
MODEL = "model"

Settle = Annotated[str, typer.Option(help="What is not judged at the start: 2d or 12h.")]
Counts = FloatArray  # (3, n_policies, n_services): requests, cold, pod-seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """How one promise was kept, over services of which enough could be cold."""

    rate: float
    services: int
    attainable: int
    kept: int
    cost: float  # over the best fixed prices in hindsight; NaN = there is none
    worst: float  # the greatest achieved rate, of what was promised, where attainable


def policies_of(workload: Workload) -> list[Policy]:
    """Knative, fixed prices, and promises in the order of `RATES`."""
    base = revision(workload.concurrency, workload.start_up_s, workload.drain_s)
    ours = replace(base, mode=Mode.FULL)
    return [
        Policy(name=KPA, revision=base),
        *(
            Policy(
                name=f"{price_s:g} s", revision=replace(ours, cold_price_s=price_s), forecasts=MODEL
            )
            for price_s in PRICES
        ),
        *(
            Policy(
                name=f"{rate:.1%}",
                revision=replace(ours, cold_price_s=START_S, max_cold_rate=rate),
                forecasts=MODEL,
            )
            for rate in RATES
        ),
    ]


def counted(
    workload: Workload, forecasts: ForecastTable, settle_s: float, screen: Screen
) -> Counts:
    """Of each policy and service after ``settle_s``."""
    demand = workload.demand
    start_s = demand.start_s + workload.first * demand.step_s
    world = World(
        services=demand.services,
        requests=workload.requests,
        tables={MODEL: forecasts},
        concurrency=workload.concurrency,
        start_up_s=workload.start_up_s,
        drain_s=workload.drain_s,
    )
    simulation = Simulation(world, policies_of(workload), start_s=start_s)
    n, promised = len(demand.services), -len(RATES)
    price_s = np.full((len(RATES), n), START_S)
    usual: FloatArray | None = None
    settled = counts = np.zeros((3, len(simulation.policies), n))
    with screen.progress() as show:
        while simulation.now < demand.end_s:
            simulation.run(min(simulation.now + STEP_S, demand.end_s))
            former, counts = counts, _sums(simulation)
            requests, cold, _ = (counts - former)[:, promised:]
            usual = requests * STEPS_A_DAY if usual is None else usual
            price_s = price_after(price_s, cold, requests, usual, np.array(RATES)[:, None])
            usual = usual_after(usual, requests)
            simulation.fleet.spec.cold_price_s[promised * n :] = price_s.ravel()
            if simulation.now <= start_s + settle_s:
                settled = counts
            show(workload.name, (simulation.now - start_s) / (demand.end_s - start_s))
    return np.asarray(counts - settled)


def _sums(simulation: Simulation) -> Counts:
    found = simulation.counts(["requests", "cold_from_zero", "cold_scale_out", "allocated_s"])
    cold = found["cold_from_zero"] + found["cold_scale_out"]
    return np.stack([found["requests"], cold, found["allocated_s"]]).astype(np.float64)


def kept_of(counts: Counts) -> list[Kept]:
    """Of each promise."""
    requests, cold, pod_s = counts
    fixed = slice(1, 1 + len(PRICES))
    rows = []
    for rate, row in zip(RATES, range(1 + len(PRICES), len(cold)), strict=True):
        judged = requests[row] * rate >= LEAST_COLD
        best_s = np.where(cold[fixed] <= rate * requests[fixed], pod_s[fixed], np.inf).min(axis=0)
        attainable = judged & np.isfinite(best_s)
        achieved = cold[row, attainable] / requests[row, attainable] / rate
        spent_s, least_s = pod_s[row, attainable].sum(), best_s[attainable].sum()
        rows.append(
            Kept(
                rate=rate,
                services=int(judged.sum()),
                attainable=int(attainable.sum()),
                kept=int((achieved <= WITHIN).sum()),
                cost=float(spent_s / least_s) if least_s > 0 else np.nan,
                worst=float(achieved.max(initial=0.0)),
            )
        )
    return rows


def main(
    files: Files = None,
    fit_until: Until = "7d",
    end: End = "",
    settle: Settle = "2d",
    start_up: StartUp = 5.0,
    concurrency: Concurrency = 1,
    max_rows: Rows = DEFAULTS.learner.max_rows,
    rounds: Rounds = DEFAULTS.learner.rounds,
) -> None:
    """Print how promises are kept, and what that costs."""
    settings = WalkSettings.of(DEFAULTS.refit_steps, max_rows, rounds)
    console = Console(width=100)
    with one_line_errors():
        settle_s = moment(settle, 0.0)
        given = recorded_all(files, fit_until, end, concurrency, start_up)
        for workload in given or made_workloads():
            forecasts = walked(console, workload, settings)
            counts = counted(workload, forecasts, settle_s, Screen(console))
            _print(console, workload.name, kept_of(counts))


def _print(console: Console, name: str, rows: Sequence[Kept]) -> None:
    table = Table(title=name)
    for heading in ("promised", "services", "attainable", "kept", "worst", "cost"):
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(
            f"{row.rate:.1%}",
            f"{row.services}",
            f"{row.attainable}",
            f"{row.kept}",
            f"{row.worst:.2f}",
            f"{row.cost:.3f}",
        )
    console.print(table)


if __name__ == "__main__":
    typer.run(main)
