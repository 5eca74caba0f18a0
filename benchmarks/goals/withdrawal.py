"""What becomes of a forecast that goes wrong: withdrawn, or not, and at what cost.

    python -m benchmarks.goals.withdrawal

Made services that are called by a clock, which their forecast knows, until something changes: its
history is poisoned, the calls drift away, the clocks change, a release starts more slowly. Each is
simulated under kn-ahead and under Knative's rule; the accounts of the former, with its twin, are
the evidence. An "hour" has 180 s and one call here, so that all of it takes half a minute. All of
it is synthetic.
"""

from dataclasses import dataclass, fields, replace

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from autoscaler.advisor.withdrawal.evidence import Evidence, Hour
from autoscaler.core.state.revision import Mode
from autoscaler.core.types import BoolArray, FloatArray
from benchmarks.policies.policies import KPA, revision
from benchmarks.simulator.arrivals import Requests
from benchmarks.simulator.forecasts import ForecastTable
from benchmarks.simulator.simulation import Policy, Simulation, World

HOUR_S, CALL_S, PRICE_S = 180.0, 0.2, 30.0
STEP_S, WINDOWS = 60.0, 4
START_UP_S, SLOW_S, DRAIN_S = 5.0, 40.0, 30.0
CHANGE_H, HOURS = 26, 100  # h: what goes wrong does then; the end
MOST_PODS = 10
AHEAD = "kn-ahead"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A service, and what goes wrong with its forecast from `CHANGE_H` on."""

    name: str
    calls_shift_s: float = 0.0  # by which calls come at another time than before
    forecast_shift_h: float = np.inf  # h after which the forecast knows of that
    poisoned: bool = False  # it asks for `MOST_PODS` all the time
    slow: bool = False  # pods take `SLOW_S` to start

    def calls_s(self) -> FloatArray:
        """(k,) s."""
        return _moved(self.calls_shift_s, CHANGE_H)

    def forecast_s(self) -> FloatArray:
        """(k,) s at which calls are forecast."""
        return _moved(self.calls_shift_s, CHANGE_H + self.forecast_shift_h)


def _moved(shift_s: float, from_h: float) -> FloatArray:
    at = np.arange(HOUR_S / 2, HOURS * HOUR_S, HOUR_S)
    return np.where(at < from_h * HOUR_S, at, at + shift_s)


SCENARIOS = (
    Scenario(name="nothing changes"),
    Scenario(name="poisoned history", poisoned=True),
    Scenario(name="drift", calls_shift_s=STEP_S),
    Scenario(name="clocks change", calls_shift_s=STEP_S, forecast_shift_h=12),
    Scenario(name="slow start-up", slow=True),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Of each scenario; (n_hours, n) by hour."""

    withdrawn: BoolArray
    cold: FloatArray  # requests that waited
    pod_s: FloatArray
    knative_cold: FloatArray  # the same under Knative's rule, simulated
    knative_pod_s: FloatArray


def outcome(scenarios: tuple[Scenario, ...] = SCENARIOS) -> Outcome:
    """Simulate scenarios, hour by hour, under kn-ahead with withdrawal and under Knative's rule."""
    simulation, n = _simulation(scenarios), len(scenarios)
    evidence, former = Evidence.none(n), _accounts(simulation, n)
    withdrawn, counts = [], [_counted(simulation)]
    for hour in range(1, HOURS + 1):
        if hour == CHANGE_H:
            _release(simulation, np.array([one.slow for one in scenarios]))
        simulation.run(hour * HOUR_S)
        present = _accounts(simulation, n)
        sums = {name: present[name] - former[name] for name in present}
        evidence, former = evidence.after(Hour(price_s=np.full(n, PRICE_S), **sums)), present
        simulation.withdraw(np.concatenate([evidence.withdrawn, np.zeros(n, dtype=np.bool_)]))
        withdrawn.append(evidence.withdrawn)
        counts.append(_counted(simulation))
    cold, pod_s = np.diff(np.array(counts), axis=0).transpose(1, 0, 2, 3)
    return Outcome(
        withdrawn=np.array(withdrawn),
        cold=cold[:, 0],
        pod_s=pod_s[:, 0],
        knative_cold=cold[:, 1],
        knative_pod_s=pod_s[:, 1],
    )


def _simulation(scenarios: tuple[Scenario, ...]) -> Simulation:
    calls = [one.calls_s() for one in scenarios]
    world = World(
        services=tuple(f"made/{i}" for i in range(len(scenarios))),
        requests=Requests(
            arrival_s=np.concatenate(calls),
            service_s=np.full(sum(map(len, calls)), CALL_S),
            offset=np.cumsum([0, *map(len, calls)]).astype(np.int64),
        ),
        tables={AHEAD: _forecasts(scenarios)},
        concurrency=1,
        start_up_s=np.full(len(scenarios), START_UP_S),
        drain_s=DRAIN_S,
    )
    base = revision(1, START_UP_S, DRAIN_S)
    ahead = replace(base, mode=Mode.OUTWARD, cold_price_s=PRICE_S)
    policies = [
        Policy(name=AHEAD, revision=ahead, forecasts=AHEAD),
        Policy(name=KPA, revision=base),
    ]
    return Simulation(world, policies, start_s=0.0, twins=True)


def _forecasts(scenarios: tuple[Scenario, ...]) -> ForecastTable:
    """Sure ones, of whether there is a call within each window."""
    made_at_s = np.arange(0.0, HOURS * HOUR_S, STEP_S)
    edges_s = np.arange(WINDOWS + 1, dtype=np.float64) * STEP_S
    at = made_at_s[:, None] + edges_s
    shape = len(scenarios), len(made_at_s), WINDOWS, MOST_PODS
    exceedance = np.zeros(shape, dtype=np.float32)
    for one, curve in zip(scenarios, exceedance, strict=True):
        curve[..., 0] = np.diff(np.searchsorted(one.forecast_s(), at)) > 0
        if one.poisoned:
            curve[made_at_s >= CHANGE_H * HOUR_S] = 1.0
    return ForecastTable(
        services=tuple(f"made/{i}" for i in range(len(scenarios))),
        made_at_s=made_at_s,
        fitted_at_s=0.0,
        window_edges_s=edges_s,
        demand_edges=np.tile(np.arange(MOST_PODS + 1.0), (len(scenarios), 1)),
        exceedance=exceedance,
        model=("clock",) * len(scenarios),
        reason=("",) * len(scenarios),
    )


def _release(simulation: Simulation, slow: BoolArray) -> None:
    """Pods of some services take longer to start from now on, and that has been measured."""
    rows = np.flatnonzero(np.tile(slow, 2))
    simulation.cluster.state.start_up_s[rows] = SLOW_S
    simulation.fleet.spec.lead_s[rows] = SLOW_S


def _accounts(simulation: Simulation, n: int) -> dict[str, FloatArray]:
    """(n,) each, of the rows of kn-ahead."""
    account, row = simulation.fleet.services.account, simulation.fleet.service[:n]
    names = [f.name for f in fields(Hour) if f.name != "price_s"]
    return {name: getattr(account, name)[row] for name in names}


def _counted(simulation: Simulation) -> FloatArray:
    """(2, n_policies, n) requests that waited for a pod, and s of pod, until now."""
    counts = simulation.counts(("cold_from_zero", "cold_scale_out", "allocated_s"))
    cold = counts["cold_from_zero"] + counts["cold_scale_out"]
    return np.stack([cold.astype(np.float64), counts["allocated_s"]])


def main() -> None:
    """Print what became of each."""
    found = outcome()
    table = Table(title="Forecasts that go wrong (synthetic; an hour is 180 s)")
    columns = (
        "what changes",
        "withdrawn after, h",
        "for, h",
        "cold",
        "Knative",
        "pod-s",
        "Knative",
    )
    for heading in columns:
        table.add_column(heading, justify="left" if heading == columns[0] else "right")
    for i, one in enumerate(SCENARIOS):
        hours = np.flatnonzero(found.withdrawn[:, i])
        table.add_row(
            one.name,
            f"{hours[0] + 1 - CHANGE_H}" if len(hours) else "never",
            f"{len(hours)}",
            f"{found.cold[CHANGE_H:, i].sum():.0f}",
            f"{found.knative_cold[CHANGE_H:, i].sum():.0f}",
            f"{found.pod_s[CHANGE_H:, i].sum():,.0f}",
            f"{found.knative_pod_s[CHANGE_H:, i].sum():,.0f}",
        )
    Console(width=120).print(table)


if __name__ == "__main__":
    typer.run(main)
