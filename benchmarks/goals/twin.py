"""How far a twin can be trusted: its estimate against the policy really simulated.

    python -m benchmarks.goals.twin [FILE...] --fit-until 10d

The same services run under Knative's rule, in shadow, and in outward, each at three prices. Of
shadow the twin says what outward would do, of outward it says what Knative's rule would. Both were
simulated, so both sayings can be checked: cold requests and pod-seconds, in total and for each
service.
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
from benchmarks.goals.simulated import WARM_UP_S
from benchmarks.goals.workloads import Workload
from benchmarks.policies.policies import KPA, revision
from benchmarks.simulator.forecasts import ForecastTable
from benchmarks.simulator.simulation import Policy, Simulation, World

PRICES = (60.0, 600.0, 6000.0)  # s of idle pod
MODEL = "model"
LEAST = 50  # requests of a service whose own error counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Of one policy at one price, by the twin of another, and the truth; (n_services,) each."""

    policy: str
    price_s: float
    requests: FloatArray
    cold: FloatArray
    true_cold: FloatArray
    pod_s: FloatArray
    true_pod_s: FloatArray
    starts: FloatArray
    true_starts: FloatArray


def estimates(
    workload: Workload, table: ForecastTable, prices: Sequence[float] = PRICES
) -> list[Estimate]:
    """What twins say, and what is true."""
    base = revision(workload.concurrency, workload.start_up_s, workload.drain_s)
    policies = [Policy(name=KPA, revision=replace(base, mode=Mode.OFF))]
    for mode in (Mode.SHADOW, Mode.OUTWARD):
        policies += [
            Policy(
                name=f"{mode.name.lower()} at {price_s:g}",
                revision=replace(base, mode=mode, cold_price_s=price_s),
                forecasts=MODEL,
            )
            for price_s in prices
        ]
    world = World(
        services=workload.demand.services,
        requests=workload.requests,
        tables={MODEL: table},
        concurrency=workload.concurrency,
        start_up_s=workload.start_up_s,
        drain_s=workload.drain_s,
    )
    demand = workload.demand
    start_s = demand.start_s + workload.first * demand.step_s
    simulation = Simulation(world, policies, start_s=start_s, twins=True)
    simulation.run(start_s + WARM_UP_S)
    simulation.reset_counts()
    before = _accounts(simulation)
    simulation.run(demand.end_s)
    counted = {name: after - before[name] for name, after in _accounts(simulation).items()}
    return _compared(simulation, counted, prices)


def _accounts(simulation: Simulation) -> dict[str, FloatArray]:
    """(n_policies, n_services) each."""
    account = simulation.fleet.services.account
    shape = len(simulation.policies), len(simulation.world.services)
    row = simulation.fleet.service
    names = [f"{policy}_{of}" for policy in ("knative", "ahead") for of in _OF]
    return {name: getattr(account, name)[row].reshape(shape) for name in ["requests", *names]}


_OF = ("cold", "cold_s", "pod_s", "starts")


def _compared(
    simulation: Simulation, counted: dict[str, FloatArray], prices: Sequence[float]
) -> list[Estimate]:
    true = simulation.counts()
    n = len(prices)
    found = []
    for whose, prefix, by, of in (
        ("kn-ahead, by the twin of shadow", "ahead", 1, n + 1),
        ("Knative, by the twin of outward", "knative", n + 1, 0),
    ):
        for i, price_s in enumerate(prices):
            truth = of + i if of else 0
            found.append(
                Estimate(
                    policy=whose,
                    price_s=price_s,
                    requests=true["requests"][truth].astype(np.float64),
                    cold=counted[f"{prefix}_cold"][by + i],
                    true_cold=true["cold_from_zero"][truth].astype(np.float64),
                    pod_s=counted[f"{prefix}_pod_s"][by + i],
                    true_pod_s=true["allocated_s"][truth],
                    starts=counted[f"{prefix}_starts"][by + i],
                    true_starts=true["started"][truth].astype(np.float64),
                )
            )
    return found


def error_of_services(estimate: Estimate) -> float:
    """Median relative error of cold requests, over services with requests enough and cold ones."""
    some = (estimate.requests >= LEAST) & (estimate.true_cold > 0)
    errors = np.abs(estimate.cold - estimate.true_cold)[some] / estimate.true_cold[some]
    return float(np.median(errors)) if some.any() else 0.0


def judge(console: Console, workload: Workload, forecasts: ForecastTable) -> bool:
    """Print what twins say beside what is true."""
    found = estimates(workload, forecasts)
    services = len(workload.demand.services)
    table = Table(
        title=f"{workload.name}: {services} services, {found[0].requests.sum():,.0f} requests"
    )
    table.add_column("what, by whom")
    for heading in (
        "price, s",
        "cold",
        "true",
        "error",
        "of services",
        "pod-h",
        "true",
        "error",
        "starts",
    ):
        table.add_column(heading, justify="right")
    for one in found:
        cold, true = one.cold.sum(), one.true_cold.sum()
        pod_s, true_pod_s = one.pod_s.sum(), one.true_pod_s.sum()
        table.add_row(
            one.policy, f"{one.price_s:g}", f"{cold:,.0f}", f"{true:,.0f}", _percent(cold, true),
            f"{error_of_services(one):.1%}", f"{pod_s / 3600:,.1f}", f"{true_pod_s / 3600:,.1f}",
            _percent(pod_s, true_pod_s), _percent(one.starts.sum(), one.true_starts.sum()),
        )  # fmt: skip
    console.print(table)
    return True


def _percent(estimate: float, truth: float) -> str:
    return f"{estimate / truth - 1:+.1%}" if truth else ""


if __name__ == "__main__":
    typer.run(judging(judge, width=120))
