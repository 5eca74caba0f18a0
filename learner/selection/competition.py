"""Models fitted side by side, and which of them forecasts which service.

They are judged on the held-back end of the past by the cost of the decisions that follow from their
forecasts. The pooled model, the first, forecasts every service for which no other is clearly
cheaper. Any other model that fails as a whole is left out.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Self

import numpy as np

from autoscaler.core.types import BoolArray, IntArray
from autoscaler.logs import get_logger
from learner.demand import Demand
from learner.models import Exceedance, Forecast, Model
from learner.models.upstream import UpstreamModel
from learner.selection.backtest import HeldBack
from learner.selection.calibration import RollingCalibration

CLEARLY_CHEAPER = 0.95  # share of the pooled model's cost below which another model is selected
FEWEST_STEPS = 60  # known of a service, before models are compared

Progress = Callable[[str, float], None]  # called with the stage of a fit and the share done
Selection = tuple[str, ...]  # by service: name of the model that forecasts it; "" = none

log = get_logger(__name__)


class Competition:
    """Fits and selects models, for all services at once."""

    def __init__(
        self,
        models: Callable[[], tuple[Model, ...]],
        windows: tuple[int, ...],
        calibration: RollingCalibration,
    ) -> None:
        """``models``: makes those that compete, the pooled one first, which is calibrated."""
        self._models, self._windows, self._calibration = models, windows, calibration

    def fit(self, demand: Demand, progress: Progress) -> Self:
        """Learn from all of ``demand``. Of a past too short to compare models, the pooled alone."""
        self.selected_: dict[str, str] = {}  # by service: model
        if demand.known.sum(axis=1).max(initial=0) < FEWEST_STEPS:
            progress("fitting on a short past", 0.0)
            self.models_: tuple[Model, ...] = (self._models()[0].fit(demand),)
            return self
        self._select(demand, progress)
        self.models_ = self._fitted(demand, progress, "fitting on all of the past", 0.5)
        return self

    def predict(self, demand: Demand, origins: IntArray) -> tuple[Forecast, Selection]:
        """Each service's forecast by the model selected; by the pooled one where that has none.

        What came of earlier ones counts up to the first origin.
        """
        pooled, *others = self.models_
        forecast = pooled.predict(demand, origins)
        self._calibration.settle(demand, int(origins.min(initial=demand.n_steps)))
        self._calibration.expect(demand, origins, forecast.exceedance)
        exceedance = self._calibration.apply(forecast.exceedance)
        used = np.full(len(demand.services), pooled.name, dtype=object)
        for model in others:
            mine = [self.selected_.get(service) == model.name for service in demand.services]
            rows = np.flatnonzero(mine)
            if len(rows):
                with _failure_logged(model):
                    answered = _overlay(exceedance, rows, _predict(model, demand, rows, origins))
                    used[rows[answered]] = model.name
        return replace(forecast, exceedance=exceedance), tuple(used)

    def _select(self, demand: Demand, progress: Progress) -> None:
        """Fit on the past without its end; on the end, select models."""
        held_back = HeldBack.of(demand, self._windows)
        past = demand.until(held_back.first)
        models = self._fitted(past, progress, "fitting on the past before the held-back end", 0.0)
        progress("choosing models by what their decisions cost", 0.45)
        names = [models[0].name]
        costs = [held_back.cost(models[0].predict(demand, held_back.origins))]
        for model in models[1:]:
            with _failure_logged(model):
                cost = held_back.cost(model.predict(demand, held_back.origins))
                costs.append(cost / CLEARLY_CHEAPER)
                names.append(model.name)
        best = np.stack(costs).argmin(axis=0)  # of equals the first: the pooled model
        self.selected_ = {
            service: names[i] for service, i in zip(demand.services, best, strict=True)
        }

    def _fitted(
        self, demand: Demand, progress: Progress, stage: str, share_done: float
    ) -> tuple[Model, ...]:
        """The pooled model, and all others that do not fail, fitted on ``demand``."""
        pooled, *others = self._models()
        progress(f"{stage}: {pooled.name}", share_done)
        fitted = [pooled.fit(demand)]
        for place, model in enumerate(others, 1):
            progress(f"{stage}: {model.name}", share_done + 0.12 * place)
            with _failure_logged(model):
                fitted.append(model.fit(demand))
        return tuple(fitted)


@contextmanager
def _failure_logged(model: Model) -> Iterator[None]:
    try:
        yield
    except Exception:
        log.exception("model left out", model=model.name)


def _predict(model: Model, demand: Demand, rows: IntArray, origins: IntArray) -> Forecast:
    """The forecast of ``rows``. The upstream model needs the other services' demand, too."""
    if isinstance(model, UpstreamModel):
        return model.predict(demand, origins).only(rows)
    return model.predict(demand.only(rows), origins)


def _overlay(exceedance: Exceedance, rows: IntArray, forecast: Forecast) -> BoolArray:
    """Overwrite ``rows`` of ``exceedance`` where ``forecast`` has an answer; (n_rows,) if any."""
    n_cells = forecast.exceedance.shape[3]
    unanswered = np.isnan(forecast.exceedance)
    exceedance[rows, :, :, :n_cells] = np.where(
        unanswered, exceedance[rows, :, :, :n_cells], forecast.exceedance
    )
    return np.asarray(~unanswered.all(axis=(1, 2, 3)))
