"""The learner as one object: past demand in, calibrated forecasts of the best model out.

Fits twice: on the past without its end, to select models on that end; then on all of it, to
forecast. The pooled model forecasts every service for which no other is clearly cheaper: it alone
has an answer for services without a past of their own. It is calibrated by what came of what it
forecast in the last day.

An error with one service concerns that service only. Where fitting or forecasting fails for all,
the faulty services are found, and excluded until the models are fitted anew: published with a
reason and without a curve.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Self

import numpy as np

from autoscaler.bundle.checks import faults_of_curves
from autoscaler.core.prediction.forecasts import QUARANTINED, ForecastBundle
from autoscaler.core.types import IntArray
from autoscaler.logs import get_logger
from learner.demand import Demand
from learner.models import Forecast, Model
from learner.models.pooled import Pooled
from learner.models.seasonal import SeasonalCopy
from learner.models.timers import Timers
from learner.models.upstream import UpstreamModel
from learner.selection.bisection import faulty_services
from learner.selection.calibration import RollingCalibration
from learner.selection.competition import Competition, Progress, Selection
from learner.settings import LearnerSettings

NOTHING_SEEN = "no step of any service's demand is known yet"
TRIAL_ROWS = 2_000  # that a model learns from while faulty services are searched for

log = get_logger(__name__)


def candidates(settings: LearnerSettings) -> tuple[Model, ...]:
    """The models that compete, the pooled one first."""
    windows, seeds = settings.windows, settings.seeds
    rows, rounds = settings.max_rows, settings.rounds
    return (
        Pooled(windows=windows, seeds=seeds, max_rows=rows, rounds=rounds),
        SeasonalCopy(windows=windows),
        Timers(windows=windows),
        UpstreamModel(windows=windows, seeds=seeds, max_rows=rows, rounds=rounds),
    )


def _no_progress(stage: str, share: float) -> None:
    """Ignore progress."""


class Learner:
    """Learns and forecasts; ``predict`` is causal as its models are."""

    def __init__(
        self,
        settings: LearnerSettings | None = None,
        models: Callable[[LearnerSettings], tuple[Model, ...]] = candidates,
        calibration: RollingCalibration | None = None,
    ) -> None:
        """``calibration``: goes on from what came of former models' forecasts."""
        self.settings = LearnerSettings() if settings is None else settings
        self._models = models
        self.calibration = calibration or RollingCalibration(self.settings.windows)

    def fit(self, demand: Demand, *, progress: Progress = _no_progress) -> Self:
        """Learn from all of ``demand``; ``progress`` gets each stage and the share done."""
        self.fitted_at_s_ = demand.end_s
        self.excluded_: dict[str, str] = {}  # by service: why
        self.reason_ = "" if demand.known.any() else NOTHING_SEEN
        if not self.reason_:
            self.competition_ = self._fitted(demand, progress)
        progress("fitted", 1.0)
        return self

    def predict(self, demand: Demand, origins: IntArray) -> Forecast:
        """Each service's forecast by the model selected; by the pooled one where that has none."""
        return self._forecast(demand, origins)[0]

    def bundle(self, demand: Demand) -> ForecastBundle:
        """The forecast made at the end of ``demand``, as published."""
        forecast, selection = self._forecast(demand, np.array([demand.n_steps]))
        exceedance = forecast.exceedance[:, 0].astype(np.float64)
        model, reason = list(selection), list(forecast.reason)
        for row, why in faults_of_curves(forecast.demand_edges, exceedance).items():
            exceedance[row], model[row], reason[row] = np.nan, "", QUARANTINED + why
        return ForecastBundle(
            services=demand.services,
            made_at_s=demand.end_s,
            fitted_at_s=self.fitted_at_s_,
            window_edges_s=np.array(self.settings.windows, dtype=np.float64) * demand.step_s,
            demand_edges=forecast.demand_edges,
            exceedance=exceedance,
            model=tuple(model),
            reason=tuple(reason),
        )

    def _fitted(self, demand: Demand, progress: Progress) -> Competition:
        """Fitted on all services; where that fails, on all but the faulty ones."""
        try:
            return self._competition(self.settings, self.calibration).fit(demand, progress)
        except Exception as error:  # noqa: BLE001  # the faulty services are searched for
            quick = replace(
                self.settings, max_rows=TRIAL_ROWS, rounds=1, seeds=self.settings.seeds[:1]
            )

            def attempt(rows: IntArray) -> None:
                progress(f"searching {len(rows)} services for those that make fitting fail", 0.0)
                unused = RollingCalibration(quick.windows)
                self._competition(quick, unused).fit(demand.only(rows), _no_progress)

            rows = np.arange(len(demand.services))
            others = self._exclude(demand, faulty_services(rows, error, attempt), error)
            competition = self._competition(self.settings, self.calibration)
            return competition.fit(demand.only(others), progress)

    def _forecast(self, demand: Demand, origins: IntArray) -> tuple[Forecast, Selection]:
        """Forecasts of all services, and the model of each."""
        reasons = self._reasons(demand)
        rows = np.flatnonzero([not reason for reason in reasons])
        if not len(rows):
            none = _no_forecast(len(origins), self.settings.windows)
            return none.among(rows, demand.capacity, reasons), ("",) * len(reasons)
        some = demand.only(rows) if any(reasons) else demand  # without a copy of a large past
        try:
            forecast, selection = self.competition_.predict(some, origins)
        except Exception as error:  # noqa: BLE001  # the faulty services are searched for
            found = faulty_services(
                np.arange(len(rows)),
                error,
                lambda few: self.competition_.predict(some.only(few), origins),
            )
            self._exclude(some, found, error)
            return self._forecast(demand, origins)
        if some is demand:
            return forecast, selection
        models = dict(zip(rows.tolist(), selection, strict=True))
        everywhere = tuple(models.get(row, "") for row in range(len(reasons)))
        return forecast.among(rows, demand.capacity, reasons), everywhere

    def _reasons(self, demand: Demand) -> list[str]:
        """(n,) why a service is given no forecast; "" = it is."""
        if self.reason_:
            return [self.reason_] * len(demand.services)
        known = np.asarray(demand.known.any(axis=1))
        why = {
            name: QUARANTINED + demand.quarantined[name]
            for name, some in zip(demand.services, known, strict=True)
            if name in demand.quarantined and not some
        }
        return [self.excluded_.get(name) or why.get(name, "") for name in demand.services]

    def _exclude(
        self, demand: Demand, faulty: Mapping[int, Exception], error: Exception
    ) -> IntArray:
        """Exclude the faulty rows; return the others. Raises ``error`` if none or all are."""
        if not 0 < len(faulty) < len(demand.services):
            raise error
        for row, cause in faulty.items():
            log.error("service left out", service=demand.services[row], exc_info=cause)
            self.excluded_[demand.services[row]] = f"{QUARANTINED}{cause!r:.200}"
        return np.delete(np.arange(len(demand.services)), list(faulty))

    def _competition(
        self, settings: LearnerSettings, calibration: RollingCalibration
    ) -> Competition:
        return Competition(lambda: self._models(settings), settings.windows, calibration)


def _no_forecast(n_origins: int, windows: tuple[int, ...]) -> Forecast:
    """That of no service."""
    return Forecast(
        demand_edges=np.zeros((0, 2)),
        exceedance=np.zeros((0, n_origins, len(windows) - 1, 1), dtype=np.float32),
        reason=(),
    )
