"""Rivals that forecast one number a step: the requests in flight on average.

This is how such a planner runs beside Knative: before each step it forecasts the step from those
before it, and sets min-scale to what the forecast needs, ``ceil(forecast x factor / target)`` pods.
Knative's rule goes on above, so that the greater of the two is in force. The factor is the knob;
1 trusts the forecast as it is. The floor is set as the step begins, without the time that a planner
takes to read and to compute: a lead of some seconds that these rivals are given.

A gap in the demand counts as nothing in flight: rivals' definitions know no gaps.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from autoscaler.core.types import FloatArray, IntArray
from benchmarks.policies.contender import Knob, Plan, Scene
from benchmarks.policies.latest import Latest
from benchmarks.simulator.arrivals import mean_in_flight

NOTHING = 0.8e-5  # in flight: forecasts below are of nothing, as under FeMux's rules
FACTOR = Knob(name="factor on the forecast", values=(0.5, 1.0, 1.5, 2.0, 4.0), default=1.0)

# Of the mean in flight (n, n_steps) and a first step, (n, n_steps - first): the forecast of each
# step from the first on, made from the steps before it.
Forecaster = Callable[[FloatArray, int], FloatArray]


class PointForecast:
    """A contender of a forecaster."""

    knob = FACTOR
    hindsight = False

    def __init__(self, name: str, forecasts: Callable[[Scene], FloatArray]) -> None:
        """forecasts: of a scene, as `forecasts` returns; see `OfInFlight`."""
        self.name = name
        self._forecasts = Latest(forecasts)

    def plan(self, scene: Scene, value: float) -> Plan:
        """``value``: the factor."""
        forecasts = self.forecasts(scene)
        return Plan(
            services=scene.services,
            floors=pods_for(forecasts, scene, value),
            mean_in_flight=forecasts * value,
        )

    def forecasts(self, scene: Scene) -> FloatArray:
        """(n, n_steps - first) requests in flight on average, of each step from the first on."""
        return self._forecasts(scene)


@dataclass(frozen=True, slots=True)
class OfInFlight:
    """A scene's forecasts by a forecaster of what is in flight."""

    forecaster: Forecaster

    def __call__(self, scene: Scene) -> FloatArray:
        """(n, n_steps - first) never below 0."""
        return np.maximum(self.forecaster(in_flight(scene), scene.first), 0.0)


def pods_for(forecasts: FloatArray, scene: Scene, factor: float = 1.0) -> IntArray:
    """(n, n_steps) pods that forecasts (n, n_steps) of the mean in flight need at the target."""
    n = len(scene.demand.services)
    target = np.broadcast_to(np.asarray(scene.services.revision.target, dtype=np.float64), n)
    pods = np.ceil(np.round(forecasts * factor / target[:, None], 9))
    return np.where(forecasts < NOTHING, 0.0, pods).astype(np.int64)


def in_flight(scene: Scene) -> FloatArray:
    """(n, n_steps) requests in flight, averaged over each step, if none has to wait."""
    demand, requests = scene.demand, scene.requests
    if not demand.services:
        return np.zeros((0, demand.n_steps))
    return np.array(
        [
            mean_in_flight(
                requests.arrival_s[begin:end] - demand.start_s,
                requests.service_s[begin:end],
                demand.n_steps,
                demand.step_s,
            )
            for begin, end in pairwise(requests.offset)
        ]
    )
