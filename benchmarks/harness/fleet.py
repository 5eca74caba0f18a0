"""All plans of a scene, simulated: every value of every knob is rows of one fleet."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from autoscaler.core.types import FloatArray, IntArray
from benchmarks.harness.scene import DAY_S
from benchmarks.policies.contender import Plan, Scene
from benchmarks.simulator.floors import Floors
from benchmarks.simulator.simulation import Policy, Simulation, World

MOST_ROWS = 60_000  # services under policies that are simulated in one pass: bounds memory
COLUMNS = (
    "requests",
    "cold_from_zero",
    "cold_scale_out",
    "wait_s",
    "allocated_s",
    "busy_s",
    "started",
    "started_cold",
)
HISTOGRAMS = ("waits", "latencies", "cold_waits")
STRIDE_S = 1800.0  # of simulated time, after which progress is shown

OnShare = Callable[[float], None]  # called with the share that is done


@dataclass(slots=True, kw_only=True)
class Outcome:
    """Of one contender, a row for each of its plans."""

    columns: dict[str, list[npt.NDArray[Any]]]  # (n, n_days) each, by `COLUMNS`
    histograms: dict[str, list[IntArray]]  # (BINS,) each over all services, by `HISTOGRAMS`
    cpu_s: float = 0.0  # its share, by rows


@dataclass(slots=True, kw_only=True)
class Fleet:
    """Simulates plans by contender, counting from a moment on, day by day."""

    scene: Scene
    warm_up_s: float
    plans: Mapping[str, Sequence[Plan]]
    outcomes: dict[str, Outcome] = field(default_factory=dict)

    @property
    def start_s(self) -> float:
        """Unix s at which the simulation begins."""
        return self.scene.demand.start_s + self.scene.first * self.scene.demand.step_s

    @property
    def ends_s(self) -> FloatArray:
        """(n_days,) Unix s at which each day that is counted ends; the last may be shorter."""
        begin_s, end_s = self.start_s + self.warm_up_s, self.scene.demand.end_s
        return np.append(np.arange(begin_s + DAY_S, end_s, DAY_S), end_s)

    @property
    def days_s(self) -> FloatArray:
        """(n_days,) s that are counted of each."""
        return np.diff(self.ends_s, prepend=self.start_s + self.warm_up_s)

    def run(self, on_share: OnShare) -> None:
        """Simulate all, in passes of so many rows."""
        self.outcomes = {
            name: Outcome(
                columns={key: [] for key in COLUMNS}, histograms={key: [] for key in HISTOGRAMS}
            )
            for name in self.plans
        }
        every = [(name, at) for name, some in self.plans.items() for at in range(len(some))]
        at_once = max(1, MOST_ROWS // len(self.scene.demand.services))
        passes = [every[begin : begin + at_once] for begin in range(0, len(every), at_once)]
        for number, some in enumerate(passes):

            def show(share: float, number: int = number) -> None:
                on_share((number + share) / len(passes))

            self._pass(some, show)

    def _pass(self, some: Sequence[tuple[str, int]], on_share: OnShare) -> None:
        begun = time.process_time()
        simulation = Simulation(self._world(some), self._policies(some), start_s=self.start_s)
        simulation.run(self.start_s + self.warm_up_s)
        simulation.reset_counts()
        at_ends = []
        for end_s in self.ends_s:
            while simulation.now < end_s:
                simulation.run(min(simulation.now + STRIDE_S, float(end_s)))
                on_share((simulation.now - self.start_s) / (self.ends_s[-1] - self.start_s))
            counts = simulation.counts(COLUMNS)
            at_ends.append({key: column.copy() for key, column in counts.items()})
        histograms = simulation.counts(HISTOGRAMS)
        spent_s = (time.process_time() - begun) / len(some)
        for row, (name, _) in enumerate(some):
            outcome = self.outcomes[name]
            outcome.cpu_s += spent_s
            for key in COLUMNS:
                so_far = np.stack([counts[key][row] for counts in at_ends], axis=1)
                zero = np.zeros((len(so_far), 1), dtype=so_far.dtype)
                outcome.columns[key].append(np.diff(so_far, axis=1, prepend=zero))
            for key in HISTOGRAMS:
                outcome.histograms[key].append(histograms[key][row].sum(axis=0))

    def _policies(self, some: Sequence[tuple[str, int]]) -> list[Policy]:
        return [
            Policy(
                name=_name(name, at),
                revision=self.plans[name][at].services.revision,
                forecasts=name if self.plans[name][at].forecasts else "",
                floors=_name(name, at) if self.plans[name][at].floors is not None else "",
            )
            for name, at in some
        ]

    def _world(self, some: Sequence[tuple[str, int]]) -> World:
        scene, demand = self.scene, self.scene.demand
        steps = np.arange(scene.first, demand.n_steps, dtype=np.float64)
        tables, floors = {}, {}
        for name, at in some:
            plan = self.plans[name][at]
            if plan.forecasts:
                tables[name] = plan.forecasts  # of all its knob's values
            if plan.floors is not None:
                floors[_name(name, at)] = Floors(
                    from_s=demand.start_s + steps * demand.step_s, pods=plan.floors
                )
        return World(
            services=demand.services,
            requests=scene.requests,
            tables=tables,
            concurrency=scene.services.concurrency,
            start_up_s=scene.services.revision.lead_s,
            drain_s=scene.services.revision.drain_s,
            floors=floors,
        )


def _name(name: str, at: int) -> str:
    return f"{name} {at}"
