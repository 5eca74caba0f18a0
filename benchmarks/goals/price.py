"""The price is honest: what a further cold request avoided costs is what was said, drain included.

    python -m benchmarks.goals.price [FILE...] --fit-until 10d

Mode full at four prices, under forecasts made once and shared. Between neighbouring prices the
pod-seconds paid (creation to gone) for each further cold request avoided are held against the two:
within a factor of 1.5 they pass. Without files: services whose law is known, once under the
learner's forecasts and once under the best that can be known, which judge the decision alone. A
timer costs at best its start-up, its call and its drain.
"""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from autoscaler.core.state.revision import Mode
from benchmarks.goals.command import judging
from benchmarks.goals.made_workloads import known
from benchmarks.goals.simulated import Spent, simulated
from benchmarks.goals.workloads import Workload
from benchmarks.policies.policies import FULL, KPA, priced, revision
from benchmarks.scores.resampling import interval, ratio, resampled
from benchmarks.simulator.forecasts import ForecastTable
from benchmarks.simulator.simulation import Policy

PRICES = (20.0, 60.0, 200.0, 600.0)  # s of idle pod
WITHIN = 1.5
MODEL = "model"
LEARNED, KNOWN = "learned", "known"  # whose forecasts


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """From one price to the next."""

    price_s: float
    dearer_s: float
    avoided: float  # cold requests
    more_s: float  # further pod-seconds
    paid_s: float  # of them for each request avoided; NaN = none was
    low_s: float  # of what is paid, over services
    high_s: float

    @property
    def passes(self) -> bool:
        """Whether what is paid lies within the factor of the two prices, or nothing is."""
        if self.avoided <= 0:
            return self.more_s <= 0
        return self.price_s / WITHIN <= self.paid_s <= self.dearer_s * WITHIN

    @property
    def of_mean(self) -> float:
        """What is paid over the geometric mean of the two prices."""
        return float(self.paid_s / np.sqrt(self.price_s * self.dearer_s))


def spent_at_prices(workload: Workload, table: ForecastTable) -> Spent:
    """Of Knative, and of each price in turn."""
    base = revision(workload.concurrency, workload.start_up_s, workload.drain_s)
    policies = [Policy(name=KPA, revision=base)] + [
        Policy(
            name=priced(FULL, price_s),
            revision=replace(base, mode=Mode.FULL, cold_price_s=price_s),
            forecasts=MODEL,
        )
        for price_s in PRICES
    ]
    return simulated(workload, {MODEL: table}, policies)


def steps_of(spent: Spent) -> list[Step]:
    """Between neighbouring prices; ``spent`` has Knative first."""
    paid, avoided = np.diff(spent.pod_s[1:], axis=0), -np.diff(spent.cold[1:], axis=0)
    total = ratio(paid.sum(axis=1), avoided.sum(axis=1))
    others = ratio(resampled(paid), resampled(avoided))
    found = []
    for i, (price_s, dearer_s) in enumerate(pairwise(PRICES)):
        low_s, high_s = interval(others[i])
        found.append(
            Step(
                price_s=price_s,
                dearer_s=dearer_s,
                avoided=float(avoided[i].sum()),
                more_s=float(paid[i].sum()),
                paid_s=float(total[i]),
                low_s=low_s,
                high_s=high_s,
            )
        )
    return found


def judge(console: Console, workload: Workload, learned: ForecastTable) -> bool:
    """Print what is spent at each price, and what is paid between them."""
    tables = {LEARNED: learned}
    if workload.law:
        tables[KNOWN] = known(workload, workload.law, learned.window_edges_s)
    for whose, table in tables.items():
        _print(console, workload.name, whose, spent_at_prices(workload, table))
    return True


def _print(console: Console, name: str, whose: str, spent: Spent) -> None:
    table = Table(title=f"{name}, forecasts {whose}: {spent.requests[0].sum():,} requests")
    for heading in ("price, s", "cold", "pod-s", "pod-s a request"):
        table.add_column(heading, justify="right")
    for heading in ("avoided", "paid for each, s", "95 %", "of mean price", ""):
        table.add_column(heading, justify="right")
    totals = zip(spent.cold.sum(axis=1), spent.pod_s.sum(axis=1), strict=True)
    steps = [None, None, *steps_of(spent)]
    for price, (cold, pod_s), step in zip((KPA, *PRICES), totals, steps, strict=True):
        table.add_row(
            f"{price}", f"{cold:,.0f}", f"{pod_s:,.0f}", f"{pod_s / spent.requests[0].sum():,.1f}",
            *(_cells(step) if step else ()),
        )  # fmt: skip
    console.print(table)


def _cells(step: Step) -> tuple[str, ...]:
    """Of the step that ends at a row's price."""
    if step.avoided <= 0:
        return f"{step.avoided:,.0f}", "", "", "", "" if step.passes else "missed"
    return (
        f"{step.avoided:,.0f}",
        f"{step.paid_s:,.0f}",
        f"{step.low_s:,.0f} - {step.high_s:,.0f}",
        f"{step.of_mean:.2f}",
        "" if step.passes else "missed",
    )


if __name__ == "__main__":
    typer.run(judging(judge))
