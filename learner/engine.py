"""The learner as one thing: past demand in, calibrated forecasts of the best model out.

Fits twice. First on the past without its end, to see on that end which model's forecasts lead to
the cheapest decisions for each service and how far the pooled model's probabilities are off; then
on all of it, to forecast what comes. The pooled model speaks for every service for which no other
was clearly better: it alone has an answer for services without a past of their own.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from autoscaler.core.forecasts import ForecastBundle
from autoscaler.core.types import BoolArray, IntArray
from learner.backtest import HeldBack
from learner.calibration import Calibration
from learner.demand import Demand
from learner.models import WINDOWS, Exceedance, Forecast, Model
from learner.models.levels import demand_edges
from learner.models.pooled import Pooled
from learner.models.pulled import Pulled
from learner.models.seasonal import SeasonalCopy
from learner.models.timers import Timers

FEWEST_STEPS = 60  # of history, over all services, before anything is forecast
CLEARLY = 0.95  # of the pooled model's cost: less than this, and another model speaks

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnerSettings:
    """What a fit may cost, and how far it looks ahead."""

    windows: tuple[int, ...] = WINDOWS
    """Edges of the windows in steps after the origin, ascending from 0."""

    max_rows: int = 100_000
    """Rows that the pooled model learns from; time and memory grow in proportion."""

    rounds: int = 250
    """Trees of the pooled model for each window; time grows in proportion."""

    seeds: tuple[int, ...] = (0,)
    """The pooled model is the average of one for each seed."""


def _show_nothing(stage: str, share: float) -> None:
    """Progress for nobody."""


class Learner:
    """Chooses, calibrates and speaks; ``predict`` is causal as its models are."""

    def __init__(self, settings: LearnerSettings | None = None) -> None:
        self.settings = LearnerSettings() if settings is None else settings

    def fit(self, demand: Demand, *, progress: Progress = _show_nothing) -> Self:
        """Learn from all of ``demand``; ``progress`` hears what it is at, and the share done."""
        self.fitted_at_s_ = demand.end_s
        known = int(demand.known.sum(axis=1).max(initial=0))
        self.reason_ = (
            "" if known >= FEWEST_STEPS else f"{known} steps of history; allowed: >= {FEWEST_STEPS}"
        )
        if not self.reason_:
            self._choose(demand, progress)
            self.models_ = self._fitted(demand, progress, "fitting on all of the past", 0.5)
        progress("fitted", 1.0)
        return self

    def predict(self, demand: Demand, origins: IntArray) -> Forecast:
        """Each service's forecast by the model chosen for it; the pooled one where it is silent."""
        return self._spoken(demand, origins)[0]

    def bundle(self, demand: Demand) -> ForecastBundle:
        """The forecast made at the end of ``demand``, as published."""
        forecast, speaker = self._spoken(demand, np.array([demand.n_steps]))
        return ForecastBundle(
            services=demand.services,
            made_at_s=demand.end_s,
            fitted_at_s=self.fitted_at_s_,
            window_edges_s=np.array(self.settings.windows, dtype=np.float64) * demand.step_s,
            demand_edges=forecast.demand_edges,
            exceedance=forecast.exceedance[:, 0].astype(np.float64),
            model=speaker,
            reason=forecast.reason,
        )

    def _choose(self, demand: Demand, progress: Progress) -> None:
        """Fit on the past without its end; learn from the end who speaks, and how far off it is."""
        held_back = HeldBack.of(demand, self.settings.windows)
        past = demand.until(held_back.first)
        models = self._fitted(past, progress, "fitting on the past before the held-back end", 0.0)
        progress("choosing models by what their decisions cost", 0.45)
        forecasts = [model.predict(demand, held_back.origins) for model in models]
        pooled = forecasts[0]
        passed, known = held_back.passed(pooled.exceedance)
        self.calibration_ = Calibration.fit(pooled.exceedance, passed, known)
        calibrated = replace(pooled, exceedance=self.calibration_.apply(pooled.exceedance))
        cost = np.stack([held_back.cost(each) for each in (calibrated, *forecasts[1:])])
        cost[1:] /= CLEARLY
        best = cost.argmin(axis=0)  # of equals the first: the pooled model
        self.chosen_ = {
            service: models[which].name
            for service, which in zip(demand.services, best, strict=True)
        }

    def _fitted(
        self, demand: Demand, progress: Progress, what: str, share_done: float
    ) -> tuple[Model, ...]:
        """The candidates, the pooled model first, fitted on ``demand``."""
        windows = self.settings.windows
        candidates: tuple[Model, ...] = (
            Pooled(
                windows=windows,
                seeds=self.settings.seeds,
                max_rows=self.settings.max_rows,
                rounds=self.settings.rounds,
            ),
            SeasonalCopy(windows=windows),
            Timers(windows=windows),
            Pulled(
                windows=windows,
                seeds=self.settings.seeds,
                max_rows=self.settings.max_rows,
                rounds=self.settings.rounds,
            ),
        )
        for place, model in enumerate(candidates):
            progress(f"{what}: {model.name}", share_done + 0.12 * place)
            model.fit(demand)
        return candidates

    def _spoken(self, demand: Demand, origins: IntArray) -> tuple[Forecast, tuple[str, ...]]:
        """Forecasts, and the name of the model that speaks for each service ("" = none)."""
        if self.reason_:
            n_windows = len(self.settings.windows) - 1
            forecast = _no_forecast(demand, len(origins), n_windows, self.reason_)
            return forecast, ("",) * len(demand.services)
        pooled, *others = self.models_
        forecast = pooled.predict(demand, origins)
        exceedance = self.calibration_.apply(forecast.exceedance)
        speaker = np.full(len(demand.services), pooled.name, dtype=object)
        for model in others:
            chosen = [self.chosen_.get(service) == model.name for service in demand.services]
            rows = np.flatnonzero(chosen)
            if len(rows):
                said = self._said(model, demand, rows, origins)
                speaks = _overlay(exceedance, rows, said)
                speaker[rows[speaks]] = model.name
        return replace(forecast, exceedance=exceedance), tuple(speaker)

    @staticmethod
    def _said(model: Model, demand: Demand, rows: IntArray, origins: IntArray) -> Forecast:
        """What a model says of ``rows``; who follows others is told of them, too."""
        if not isinstance(model, Pulled):
            return model.predict(demand.only(rows), origins)
        said = model.predict(demand, origins)
        return Forecast(
            demand_edges=said.demand_edges[rows],
            exceedance=said.exceedance[rows],
            reason=tuple(said.reason[row] for row in rows),
        )


def _overlay(exceedance: Exceedance, rows: IntArray, said: Forecast) -> BoolArray:
    """Put what a model said for ``rows`` in place; which of them it said anything for."""
    n_cells = said.exceedance.shape[3]
    silent = np.isnan(said.exceedance)
    exceedance[rows, :, :, :n_cells] = np.where(
        silent, exceedance[rows, :, :, :n_cells], said.exceedance
    )
    return np.asarray(~silent.all(axis=(1, 2, 3)))


def _no_forecast(demand: Demand, n_origins: int, n_windows: int, reason: str) -> Forecast:
    one_cell = np.ones(len(demand.services), dtype=np.int64)
    return Forecast(
        demand_edges=demand_edges(demand.capacity, one_cell),
        exceedance=np.full(
            (len(demand.services), n_origins, n_windows, 1), np.nan, dtype=np.float32
        ),
        reason=(reason,) * len(demand.services),
    )
