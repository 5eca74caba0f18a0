"""kn-ahead in mode full, from forecasts of every step; its knob is the price of a cold request."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from autoscaler.core.state.revision import Mode
from benchmarks.policies.contender import Knob, Plan, Scene
from benchmarks.policies.latest import Latest
from benchmarks.policies.walk import DEFAULTS, WalkSettings, walk
from benchmarks.simulator.forecasts import ForecastTable, oracle_forecasts, stack
from learner.settings import WINDOWS

PRICE = Knob(
    name="price of a cold request, s of idle pod",
    values=(2.0, 6.0, 20.0, 60.0, 200.0, 600.0, 1200.0, 2000.0, 6000.0, 20_000.0, 100_000.0),
    default=600.0,
)

Tables = Callable[[Scene], ForecastTable]


class KnAhead:
    """A contender that decides by forecasts as kn-ahead does, at a price."""

    knob = PRICE

    def __init__(self, name: str, tables: Tables, *, hindsight: bool = False) -> None:
        """tables: makes a scene's forecasts, one for each step; they are kept for its last."""
        self.name = name
        self.hindsight = hindsight
        self._tables = Latest(tables)

    def plan(self, scene: Scene, value: float) -> Plan:
        """``value``: the price, s."""
        revision = replace(scene.services.revision, mode=Mode.FULL, cold_price_s=value)
        return Plan(
            services=replace(scene.services, revision=revision), forecasts=self._tables(scene)
        )


class Walked:
    """Tables of forecasts that the learner makes walking forward, with refits as in operation."""

    def __init__(self, settings: WalkSettings = DEFAULTS) -> None:
        self.settings = settings

    def __call__(self, scene: Scene) -> ForecastTable:
        """The forecasts of each step from the first on."""
        return walk(scene.demand, scene.first, self.settings)


class OfOthers:
    """Tables of forecasts by models that never saw the services they are of.

    Every second service is forecast by a model that was fitted on the others, and the other way
    round. Of a service that is alone there is no forecast.
    """

    def __init__(self, settings: WalkSettings = DEFAULTS) -> None:
        self.settings = settings

    def __call__(self, scene: Scene) -> ForecastTable:
        """As `Walked`."""
        demand, n = scene.demand, len(scene.demand.services)
        if n < 2:
            return _unknown(scene)
        halves = np.arange(0, n, 2), np.arange(1, n, 2)
        whole = stack(
            tuple(
                walk(demand.only(own), scene.first, self.settings, learned=demand.only(other))
                for own, other in (halves, halves[::-1])
            )
        )
        return whole.only(np.argsort(np.concatenate(halves)))


def foreseen(scene: Scene) -> ForecastTable:
    """An oracle's forecasts: certain of each step's true peak, with the windows of the learner's.

    What it decides by them has the same lead and the same steps as kn-ahead: what a perfect system
    could do.
    """
    origins = np.arange(scene.first, scene.demand.n_steps)
    return oracle_forecasts(_unknown(scene), scene.demand, origins)


def _unknown(scene: Scene) -> ForecastTable:
    """Without a forecast of any step."""
    demand = scene.demand
    origins = np.arange(scene.first, demand.n_steps)
    n = len(demand.services)
    return ForecastTable(
        services=demand.services,
        made_at_s=np.asarray(demand.start_s + origins * demand.step_s, dtype=np.float64),
        fitted_at_s=demand.start_s + scene.first * demand.step_s,
        window_edges_s=np.array(WINDOWS, dtype=np.float64) * demand.step_s,
        demand_edges=np.tile([0.0, 1.0], (n, 1)),
        exceedance=np.full((n, len(origins), len(WINDOWS) - 1, 1), np.nan, dtype=np.float32),
        model=("",) * n,
        reason=("nothing to learn from",) * n,
    )
