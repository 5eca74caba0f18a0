"""Forecasts of every step, each from the steps before it alone, with refits as in operation."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from benchmarks.simulator.forecasts import ForecastTable, joined
from learner.calibration.rolling import RollingCalibration
from learner.demand import Demand
from learner.engine import ExpertsFactory, Learner
from learner.settings import LearnerSettings

DAY_STEPS = 1440  # of a minute
HISTORY_STEPS = 14 * DAY_STEPS  # that are read
ORIGINS_AT_ONCE = 60  # forecasts made in one call, with the same calibration

OnShare = Callable[[float], None]  # called with the share that is done


def _ignore(_share: float) -> None:
    """Show no progress."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WalkSettings:
    """What the forecasts may cost."""

    refit_steps: int = DAY_STEPS
    """Steps from one fit to the next; in operation an hour."""

    learner: LearnerSettings = field(
        default_factory=lambda: LearnerSettings(max_rows=20_000, rounds=100)
    )
    """Limits of a fit."""

    @classmethod
    def of(cls, refit: int, max_rows: int, rounds: int) -> Self:
        """By the options of a command."""
        return cls(refit_steps=refit, learner=LearnerSettings(max_rows=max_rows, rounds=rounds))


DEFAULTS = WalkSettings()


def walk(
    demand: Demand,
    first: int,
    settings: WalkSettings = DEFAULTS,
    on_share: OnShare = _ignore,
    learned: Demand | None = None,
) -> ForecastTable:
    """One forecast for each step from ``first`` on; demand: past and future.

    learned: of services that are learned from instead, with the same steps.
    """
    calibration = RollingCalibration(settings.learner.windows)
    experts = ExpertsFactory(settings.learner.windows)
    pieces = []
    for origin in range(first, demand.n_steps, ORIGINS_AT_ONCE):
        if (origin - first) % settings.refit_steps < ORIGINS_AT_ONCE:
            learner = Learner(settings.learner, experts, calibration)
            learner.fit(_history(learned or demand, origin))
            calibration.succeed(min(origin, HISTORY_STEPS))
        end = min(origin + ORIGINS_AT_ONCE, demand.n_steps)
        seen = _history(demand, end)
        pieces.append(learner.predict(seen, np.arange(origin, end) - end + seen.n_steps))
        on_share((end - first) / (demand.n_steps - first))
    edges, exceedance = joined(pieces)
    origins = np.arange(first, demand.n_steps)
    n = len(demand.services)
    return ForecastTable(
        services=demand.services,
        made_at_s=np.asarray(demand.start_s + origins * demand.step_s, dtype=np.float64),
        fitted_at_s=demand.start_s + first * demand.step_s,
        window_edges_s=np.array(settings.learner.windows, dtype=np.float64) * demand.step_s,
        demand_edges=edges,
        exceedance=exceedance,
        model=("experts",) * n,
        reason=("",) * n,
    )


def _history(demand: Demand, end: int) -> Demand:
    """What is read of the steps before ``end``."""
    return demand.until(end).last(HISTORY_STEPS)
