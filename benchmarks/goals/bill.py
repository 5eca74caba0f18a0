"""What a bill costs: cold requests and pod-seconds under kn-ahead at several max-extras.

Each service has its own, or all have one together (*common*), in mode full.

    python -m benchmarks.goals.bill [FILE...] --fit-until 10d

The bill counts pods that are wanted, tick by tick, beside those that Knative's rule wants in the
same state. Here pods are counted as they are paid for, from creation to gone, beside a Knative that
lives its own life: drains and start-ups come in, so this is a measurement and no law. *Over* are
services that cost more than the bill's part and its allowance beyond that Knative.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from autoscaler.core.state.revision import Mode
from autoscaler.core.types import FloatArray
from benchmarks.goals.command import judging
from benchmarks.goals.simulated import Spent, simulated
from benchmarks.goals.workloads import Workload
from benchmarks.policies.policies import KPA, revision
from benchmarks.simulator.forecasts import ForecastTable
from benchmarks.simulator.simulation import EXTRA_ALLOWANCE_S, Policy

MAX_EXTRAS = (0.0, 0.1, 0.2, 0.5, np.inf)
MODES = (Mode.OUTWARD, Mode.FULL)
MODEL = "model"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What a policy spends and misses, over all services."""

    policy: str
    cold: float
    pod_s: float
    of_knative: float  # pod-seconds over Knative's
    over: int  # accounts that cost more than their bill beyond Knative; 0 without a bill


def policies_of(workload: Workload) -> list[Policy]:
    """Knative, and each mode with each bill."""
    base = revision(workload.concurrency, workload.start_up_s, workload.drain_s)
    return [Policy(name=KPA, revision=base)] + [
        Policy(
            name=f"{mode.name.lower()}, {_part(max_extra)}",
            revision=replace(base, mode=mode, max_extra=max_extra),
            forecasts=MODEL,
        )
        for mode in MODES
        for max_extra in MAX_EXTRAS
    ]


def _part(max_extra: float) -> str:
    return "no bill" if np.isinf(max_extra) else f"{100 * max_extra:g} %"


def rows_of(policies: Sequence[Policy], spent: Spent) -> list[Row]:
    """Of each policy; the first is Knative."""
    found = []
    for policy, cold, pod_s in zip(policies, spent.cold, spent.pod_s, strict=True):
        bill = policy.revision.max_extra, policy.revision.extra_allowance_s
        found.append(_row(policy.name, cold, (pod_s, spent.pod_s[0]), bill))
    return found


def common_row(workload: Workload, forecasts: ForecastTable, knative: Row, part: float) -> Row:
    """Of one bill of all services, of that part. knative: without prediction."""
    base = revision(workload.concurrency, workload.start_up_s, workload.drain_s)
    policy = Policy(name="", revision=replace(base, mode=Mode.FULL), forecasts=MODEL)
    spent = simulated(workload, {MODEL: forecasts}, [policy], max_extra=part)
    cold, pod_s = (np.array([count.sum()]) for count in (spent.cold, spent.pod_s))
    bill = part, EXTRA_ALLOWANCE_S
    return _row(f"full, common {_part(part)}", cold, (pod_s, np.array([knative.pod_s])), bill)


def _row(
    policy: str, cold: FloatArray, pod_s: tuple[FloatArray, FloatArray], bill: tuple[float, float]
) -> Row:
    """cold: (n,) by account. pod_s: (n,) of the policy, and (n,) of Knative. bill: of each."""
    (ours_s, knative_s), (part, allowance_s) = pod_s, bill
    return Row(
        policy=policy,
        cold=float(cold.sum()),
        pod_s=float(ours_s.sum()),
        of_knative=float(ours_s.sum() / knative_s.sum()),
        over=int((ours_s - knative_s > part * knative_s + allowance_s).sum()),
    )


def judge(console: Console, workload: Workload, forecasts: ForecastTable) -> bool:
    """Print what is spent and missed at each max-extra."""
    policies = policies_of(workload)
    spent = simulated(workload, {MODEL: forecasts}, policies)
    rows = rows_of(policies, spent)
    rows += [common_row(workload, forecasts, rows[0], part) for part in MAX_EXTRAS[:-1]]
    table = Table(title=f"{workload.name}: {spent.requests[0].sum():,} requests")
    table.add_column("max-extra")
    for heading in ("cold", "pod-s", "of Knative's", "over"):
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(
            row.policy,
            f"{row.cold:,.0f}",
            f"{row.pod_s:,.0f}",
            f"{row.of_knative:.3f}",
            f"{row.over}",
        )
    console.print(table)
    return True


if __name__ == "__main__":
    typer.run(judging(judge))
