"""Models fitted side by side, and which of them speaks for whom.

They are judged on the end of the past, which they have not seen then, by what decisions would cost
that follow from their forecasts. The pooled model, the first, speaks for every service for which no
other is clearly better. A model other than that which fails as a whole is not heard.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Self

import numpy as np

from autoscaler.core.types import BoolArray, IntArray
from learner.demand import Demand
from learner.models import Exceedance, Forecast, Model
from learner.models.upstream import UpstreamModel
from learner.selection.backtest import HeldBack
from learner.selection.calibration import Calibration

CLEARLY = 0.95  # of the pooled model's cost: less than this, and another model speaks

Progress = Callable[[str, float], None]
Selection = tuple[str, ...]  # by service: the name of the model that speaks for it; "" = none

log = logging.getLogger(__name__)


class Competition:
    """Chooses, calibrates and speaks, for all services at once."""

    def __init__(self, models: Callable[[], tuple[Model, ...]], windows: tuple[int, ...]) -> None:
        """``models``: makes those that compete, the pooled one first."""
        self._models, self._windows = models, windows

    def fit(self, demand: Demand, progress: Progress) -> Self:
        """Learn from all of ``demand``; ``progress`` hears what it is at, and the share done."""
        self._choose(demand, progress)
        self.models_ = self._fitted(demand, progress, "fitting on all of the past", 0.5)
        return self

    def speak(self, demand: Demand, origins: IntArray) -> tuple[Forecast, Selection]:
        """Each service's forecast by the model chosen for it; the pooled one where it is silent."""
        pooled, *others = self.models_
        forecast = pooled.predict(demand, origins)
        exceedance = self.calibration_.apply(forecast.exceedance)
        speaker = np.full(len(demand.services), pooled.name, dtype=object)
        for model in others:
            chosen = [self.chosen_.get(service) == model.name for service in demand.services]
            rows = np.flatnonzero(chosen)
            if len(rows):
                with _unless_it_fails(model):
                    said = _said(model, demand, rows, origins)
                    speaks = _overlay(exceedance, rows, said)
                    speaker[rows[speaks]] = model.name
        return replace(forecast, exceedance=exceedance), tuple(speaker)

    def _choose(self, demand: Demand, progress: Progress) -> None:
        """Fit on the past without its end; learn from the end who speaks, and how far off it is."""
        held_back = HeldBack.of(demand, self._windows)
        past = demand.until(held_back.first)
        models = self._fitted(past, progress, "fitting on the past before the held-back end", 0.0)
        progress("choosing models by what their decisions cost", 0.45)
        pooled = models[0].predict(demand, held_back.origins)
        passed, known = held_back.passed(pooled.exceedance)
        self.calibration_ = Calibration.fit(pooled.exceedance, passed, known)
        calibrated = replace(pooled, exceedance=self.calibration_.apply(pooled.exceedance))
        names, costs = [models[0].name], [held_back.cost(calibrated)]
        for model in models[1:]:
            with _unless_it_fails(model):
                costs.append(held_back.cost(model.predict(demand, held_back.origins)) / CLEARLY)
                names.append(model.name)
        best = np.stack(costs).argmin(axis=0)  # of equals the first: the pooled model
        self.chosen_ = {
            service: names[which] for service, which in zip(demand.services, best, strict=True)
        }

    def _fitted(
        self, demand: Demand, progress: Progress, what: str, share_done: float
    ) -> tuple[Model, ...]:
        """The pooled model, and all others that do not fail, fitted on ``demand``."""
        pooled, *others = self._models()
        progress(f"{what}: {pooled.name}", share_done)
        fitted = [pooled.fit(demand)]
        for place, model in enumerate(others, 1):
            progress(f"{what}: {model.name}", share_done + 0.12 * place)
            with _unless_it_fails(model):
                fitted.append(model.fit(demand))
        return tuple(fitted)


@contextmanager
def _unless_it_fails(model: Model) -> Iterator[None]:
    try:
        yield
    except Exception:
        log.exception("the model %r is not heard", model.name)


def _said(model: Model, demand: Demand, rows: IntArray, origins: IntArray) -> Forecast:
    """What a model says of ``rows``; who follows others is told of them, too."""
    if not isinstance(model, UpstreamModel):
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
