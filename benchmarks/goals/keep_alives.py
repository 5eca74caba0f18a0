"""The gate by requests: at the pod-hours of each setting of Knative, no more cold requests.

    python -m benchmarks.goals.keep_alives [FILE...] --fit-until 10d

In the simulator, with Knative's control loop, start-up and drain: KPA, KPA that keeps its last pod
for 1, 5, 10 or 20 minutes, and with min-scale 1, against kn-ahead in mode full over a sweep of
prices, read between the best two of them at the pod-hours of the other. Without files: a made,
sparse set. More cold requests end it with 1, unless the difference lies within the interval over
services.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from autoscaler.core.state.revision import Mode
from benchmarks.goals.command import judging
from benchmarks.goals.made_workloads import sparse
from benchmarks.goals.simulated import Spent, simulated
from benchmarks.goals.workloads import Workload
from benchmarks.policies.policies import FULL, baselines, priced, revision
from benchmarks.scores.curves import cold_at
from benchmarks.scores.resampling import interval, resampled
from benchmarks.simulator.forecasts import ForecastTable
from benchmarks.simulator.simulation import Policy

MINUTES = (1, 5, 10, 20)
PRICES = (2.0, 6.0, 20.0, 60.0, 200.0, 600.0, 2e3, 6e3, 2e4, 1e5, 1e6)  # s of idle pod
MODEL = "model"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A setting of Knative, and ours at its pod-seconds."""

    policy: str
    pod_s: float
    theirs: float  # cold requests
    ours: float
    our_pod_s: float  # other than theirs only where the sweep does not reach as far
    low: float  # of the difference in cold requests, ours - theirs, over services
    high: float

    @property
    def passes(self) -> bool:
        """Fewer, or as many within the interval."""
        return self.ours <= self.theirs or self.low <= 0


def policies_of(workload: Workload) -> tuple[list[Policy], list[Policy]]:
    """Knative's, and ours."""
    base = revision(workload.concurrency, workload.start_up_s, workload.drain_s)
    ours = [
        Policy(
            name=priced(FULL, price_s),
            revision=replace(base, mode=Mode.FULL, cold_price_s=price_s),
            forecasts=MODEL,
        )
        for price_s in PRICES
    ]
    return baselines(base, MINUTES), ours


def verdicts_on(workload: Workload, table: ForecastTable) -> list[Verdict]:
    """Simulate, and compare."""
    theirs, ours = policies_of(workload)
    spent = simulated(workload, {MODEL: table}, [*theirs, *ours])
    return verdicts([policy.name for policy in theirs], spent)


def verdicts(names: Sequence[str], spent: Spent) -> list[Verdict]:
    """Of Knative's settings, which ``spent`` has first; ours are the others."""
    n = len(names)
    cold, pod_s = spent.cold, spent.pod_s
    cold_of, pod_s_of = resampled(cold), resampled(pod_s)
    found = []
    for i, name in enumerate(names):
        at = float(pod_s[i].sum())
        ours = cold_at(at, pod_s[n:].sum(axis=1), cold[n:].sum(axis=1))
        others = [
            cold_at(a, b, c)
            for a, b, c in zip(pod_s_of[i], pod_s_of[n:].T, cold_of[n:].T, strict=True)
        ]
        low, high = interval(np.array(others) - cold_of[i])
        reach = pod_s[n:].sum(axis=1)
        found.append(
            Verdict(
                policy=name,
                pod_s=at,
                theirs=float(cold[i].sum()),
                ours=ours,
                our_pod_s=float(np.clip(at, reach.min(), reach.max())),
                low=low,
                high=high,
            )
        )
    return found


def judge(console: Console, workload: Workload, forecasts: ForecastTable) -> bool:
    """Print the verdicts; ends with 1 where a setting of Knative is better."""
    found = verdicts_on(workload, forecasts)
    show(console, workload.name, found)
    return all(each.passes for each in found)


def show(console: Console, name: str, found: Sequence[Verdict]) -> None:
    """Print a row for each setting of Knative."""
    table = Table(title=f"{name}: cold requests at equal pod-hours")
    for heading in ("", "pod-hours", "its cold", "ours", "change", "ours - its, 95 %", ""):
        table.add_column(heading, justify="right")
    for each in found:
        reached = np.isclose(each.our_pod_s, each.pod_s)
        table.add_row(
            each.policy, f"{each.pod_s / 3600:,.1f}", f"{each.theirs:,.0f}", f"{each.ours:,.0f}",
            f"{each.ours / each.theirs - 1:+.0%}" if each.theirs else "",
            f"{each.low:,.0f} - {each.high:,.0f}",
            ("" if each.passes else "worse ")
            + ("" if reached else f"at {each.our_pod_s / each.pod_s:.0%}"),
        )  # fmt: skip
    console.print(table)


if __name__ == "__main__":
    typer.run(judging(judge, made=lambda: [sparse()]))
