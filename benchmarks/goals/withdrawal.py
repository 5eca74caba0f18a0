"""What becomes of a forecast that goes wrong: withdrawn, or not, and at what cost.

    python -m benchmarks.goals.withdrawal

Made services that are called by a clock, which their forecast knows, until something changes: its
history is poisoned, the calls drift away, the clocks change, a release starts more slowly, half of
the calls come from elsewhere. Each is simulated under kn-ahead and under Knative's rule; the
accounts of the former, with its twin, are the evidence. An "hour" has 180 s and one call here, and
a day before the change and days after it are made of the hours before them, so that all of it takes
some seconds. All of it is synthetic.

How often more came than P95 said is printed beside it, and is no ground of withdrawal. A test of
that alone would withdraw the forecast that has drifted away after 13 hours, and the one that knows
half of the calls after 72, which spares every other of them a wait. In `outward` a forecast that
fails too often loses nothing beside Knative's rule, which is the floor; one that fails too seldom,
or lets pods go too early in `full`, loses in the ledger.
"""

from dataclasses import dataclass, fields, replace

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from autoscaler.advisor.withdrawal.evidence import KNOWN_H, Evidence, Hour
from autoscaler.core.state.revision import Mode
from autoscaler.core.types import BoolArray, FloatArray
from benchmarks.policies.policies import KPA, revision
from benchmarks.simulator.arrivals import Requests
from benchmarks.simulator.forecasts import ForecastTable
from benchmarks.simulator.simulation import Policy, Simulation, World

HOUR_S, CALL_S, PRICE_S = 180.0, 0.2, 30.0
STEP_S, WINDOWS = 60.0, 4
START_UP_S, SLOW_S, DRAIN_S = 5.0, 40.0, 30.0
CHANGE_H, HOURS = 2, 21  # h: what goes wrong does then; the end
# By the hour after which they follow, hours like the two before it that are not simulated, at most:
# until a forecast is withdrawn.
ALIKE_H = {1: KNOWN_H, 16: 60}
BEFORE_H = KNOWN_H + CHANGE_H  # h in all before the change
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
    half: bool = False  # it knows every other call

    def calls_s(self) -> FloatArray:
        """(k,) s."""
        return _moved(self.calls_shift_s, CHANGE_H)

    def forecast_s(self) -> FloatArray:
        """(k,) s at which calls are forecast."""
        at = _moved(self.calls_shift_s, CHANGE_H + self.forecast_shift_h)
        return np.delete(at, slice(CHANGE_H, None, 2)) if self.half else at


def _moved(shift_s: float, from_h: float) -> FloatArray:
    at = np.arange(HOUR_S / 2, HOURS * HOUR_S, HOUR_S)
    return np.where(at < from_h * HOUR_S, at, at + shift_s)


SCENARIOS = (
    Scenario(name="nothing changes"),
    Scenario(name="poisoned history", poisoned=True),
    Scenario(name="drift", calls_shift_s=STEP_S),
    Scenario(name="clocks change", calls_shift_s=STEP_S, forecast_shift_h=12),
    Scenario(name="slow start-up", slow=True),
    Scenario(name="knows half of the calls", half=True),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Of each scenario; (n_hours, n) by hour."""

    withdrawn: BoolArray
    failed: BoolArray  # (n_origins, n) by minute: more came in the next one than P95 said
    cold: FloatArray  # requests that waited
    pod_s: FloatArray
    knative_cold: FloatArray  # the same under Knative's rule, simulated
    knative_pod_s: FloatArray


def outcome(scenarios: tuple[Scenario, ...] = SCENARIOS) -> Outcome:
    """Simulate scenarios, hour by hour, under kn-ahead with withdrawal and under Knative's rule."""
    simulation, n = _simulation(scenarios), len(scenarios)
    evidence, former = Evidence.none(n), _accounts(simulation, n)
    counted, lived = _counted(simulation), list[_Lived]()
    withdrawn: list[BoolArray] = []
    for hour in range(1, HOURS + 1):
        if hour == CHANGE_H:
            _release(simulation, np.array([one.slow for one in scenarios]))
        simulation.run(hour * HOUR_S)
        present, now = _accounts(simulation, n), _counted(simulation)
        sums = {name: present[name] - former[name] for name in present}
        lived.append(_Lived(hour=Hour(price_s=np.full(n, PRICE_S), **sums), counted=now - counted))
        former, counted = present, now
        for again in range(1 + ALIKE_H.get(hour, 0)):
            if again:
                lived.append(lived[-2] if len(lived) > 1 else lived[-1])
            before, evidence = evidence, evidence.after(lived[-1].hour)
            withdrawn.append(evidence.withdrawn)
            if (evidence.withdrawn != before.withdrawn).any():
                break
        simulation.withdraw(np.concatenate([evidence.withdrawn, np.zeros(n, dtype=np.bool_)]))
    cold, pod_s = np.array([one.counted for one in lived]).transpose(1, 0, 2, 3)
    return Outcome(
        withdrawn=np.array(withdrawn),
        failed=_failed(scenarios),
        cold=cold[:, 0],
        pod_s=pod_s[:, 0],
        knative_cold=cold[:, 1],
        knative_pod_s=pod_s[:, 1],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lived:
    """An hour of all scenarios."""

    hour: Hour
    counted: FloatArray  # (2, n_policies, n) as `_counted`


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


def _failed(scenarios: tuple[Scenario, ...]) -> BoolArray:
    """(n_origins, n) of the windows of a minute from each origin on."""
    table = _forecasts(scenarios)
    edges_s = np.append(table.made_at_s, HOURS * HOUR_S)
    called = np.array([np.diff(np.searchsorted(one.calls_s(), edges_s)) > 0 for one in scenarios])
    return np.asarray(called & (table.exceedance[:, :, 0, 0] <= 0.05)).T


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
        "P95 failed",
        "withdrawn after, h",
        "for, h",
        "cold",
        "Knative",
        "pod-s",
        "Knative",
    )
    for heading in columns:
        table.add_column(heading, justify="left" if heading == columns[0] else "right")
    minute = np.arange(len(found.failed))
    for i, one in enumerate(SCENARIOS):
        hours = np.flatnonzero(found.withdrawn[:, i])
        table.add_row(
            one.name,
            f"{found.failed[minute >= CHANGE_H * HOUR_S / STEP_S, i].mean():.0%}",
            f"{hours[0] + 1 - BEFORE_H}" if len(hours) else "never",
            f"{len(hours)}",
            f"{found.cold[BEFORE_H:, i].sum():.0f}",
            f"{found.knative_cold[BEFORE_H:, i].sum():.0f}",
            f"{found.pod_s[BEFORE_H:, i].sum():,.0f}",
            f"{found.knative_pod_s[BEFORE_H:, i].sum():,.0f}",
        )
    Console(width=120).print(table)


if __name__ == "__main__":
    typer.run(main)
