"""What competes in the benchmark: a policy with one knob, whose values make its curve.

A contender plans for all services at once. What its plan holds for a step may depend on the steps
before it alone, unless it says that it has hindsight; a test holds every contender to that.
"""

from dataclasses import dataclass
from typing import Protocol

from autoscaler.core.types import FloatArray, IntArray
from benchmarks.simulator.arrivals import Requests
from benchmarks.simulator.forecasts import ForecastTable
from benchmarks.simulator.settings import Configured
from learner.demand import Demand


@dataclass(frozen=True, slots=True, kw_only=True)
class Knob:
    """The one number that trades cold requests for pods."""

    name: str  # with its unit, such as "kept, min"
    values: tuple[float, ...]  # that are swept, from sparing to lavish; the first of one is its own
    default: float  # that its authors or its users' manuals name


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What is planned for: the past, and the future that is to be played step by step."""

    demand: Demand  # past and future; (n, n_steps)
    first: int  # step at which the future begins
    requests: Requests  # of which the demand is made, each with its time
    services: Configured  # how each is set, and how its pods behave


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How services are scaled; what is None is left to Knative's rule."""

    services: Configured  # as they are to be set
    floors: IntArray | None = None  # (n, n_steps - first) least pods during each step
    forecasts: ForecastTable | None = None  # for our own decision, a row for each step
    mean_in_flight: FloatArray | None = None  # (n, n_steps - first) forecast that floors follow


class Contender(Protocol):
    """A policy with a knob."""

    name: str
    knob: Knob
    hindsight: bool  # whether plans know the future: bounds, and no rivals

    def plan(self, scene: Scene, value: float) -> Plan:
        """Plan with the knob at a value. Raises PermanentError where the scene is too short."""
        ...
