"""What policies spend and miss on a workload: the production's control loop in the simulator."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from autoscaler.core.types import FloatArray, IntArray
from autoscaler.errors import PermanentError
from benchmarks.goals.workloads import Workload
from benchmarks.simulator.forecasts import ForecastTable
from benchmarks.simulator.simulation import Policy, Simulation, World

WARM_UP_S = 3600.0  # at the start of what is simulated, not counted: keep-alives fill up


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Counts of each policy and service; (n_policies, n_services)."""

    requests: IntArray
    cold: FloatArray  # requests that waited for a pod to start
    pod_s: FloatArray  # from pods' creation until they are gone


def simulated(
    workload: Workload,
    tables: dict[str, ForecastTable],
    policies: Sequence[Policy],
    *,
    max_extra: float = np.inf,
) -> Spent:
    """Simulate what follows the past. Raises PermanentError where no more than `WARM_UP_S` does.

    tables: forecasts that policies name, of the same origins. max_extra: of one bill of all.
    """
    world = World(
        services=workload.demand.services,
        requests=workload.requests,
        tables=tables,
        concurrency=workload.concurrency,
        start_up_s=workload.start_up_s,
        drain_s=workload.drain_s,
        max_extra=max_extra,
    )
    demand = workload.demand
    start_s = demand.start_s + workload.first * demand.step_s
    if demand.end_s - start_s <= WARM_UP_S:
        raise PermanentError(
            f"{workload.name}: {demand.end_s - start_s:g} s follow the past; allowed: more than"
            f" {WARM_UP_S:g}, which are not counted"
        )
    simulation = Simulation(world, policies, start_s=start_s)
    simulation.run(start_s + WARM_UP_S)
    simulation.reset_counts()
    simulation.run(demand.end_s)
    counts = simulation.counts()
    cold = counts["cold_from_zero"] + counts["cold_scale_out"]
    return Spent(
        requests=counts["requests"],
        cold=cold.astype(np.float64),
        pod_s=counts["allocated_s"],
    )
