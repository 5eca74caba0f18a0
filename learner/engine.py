"""The learner as one object: past demand in, calibrated forecasts out.

One model forecasts every service, and has an answer for those without a past of their own. It is
calibrated by what came of what it forecast in the last day.

An error with one service concerns that service only. Where fitting or forecasting fails for all,
the faulty services are found, and excluded until the model is fitted anew: published with a reason
and without a curve.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Self

import numpy as np

from autoscaler.bundle.checks import faults_of_curves
from autoscaler.core.prediction.dependencies import Edges
from autoscaler.core.prediction.forecasts import QUARANTINED, ForecastBundle
from autoscaler.core.types import IntArray
from autoscaler.errors import TransientError
from autoscaler.logs import get_logger
from learner.bisection import faulty_services
from learner.calibration.rolling import RollingCalibration
from learner.demand import Demand
from learner.dependencies.count_search import edges_in_counts
from learner.experts.mixture import Mixture
from learner.experts.model import Experts, Unchanged
from learner.experts.recency import Recency
from learner.models import RECENT_STEPS, Forecast, Model
from learner.models.boosting import TrainingSet
from learner.models.known_rows import KnownRows
from learner.models.pooled import Pooled
from learner.settings import LearnerSettings

NOTHING_SEEN = "no step of any service's demand is known yet"
TRIAL_ROWS = 2_000  # that a model learns from while faulty services are searched for

NewModel = Callable[[LearnerSettings], Model]  # makes one to be fitted
Progress = Callable[[str, float], None]  # called with the stage of a fit and the share done

log = get_logger(__name__)


def pooled(settings: LearnerSettings, others: Sequence[TrainingSet] = ()) -> Pooled:
    """Boosting over all services; others: rows of other clusters to learn beside."""
    return Pooled(
        windows=settings.windows,
        seeds=settings.seeds,
        max_rows=settings.max_rows,
        rounds=settings.rounds,
        others=others,
    )


class ExpertsFactory:
    """Makes the models that forecast all services: boosting, counts of pauses, and the prior."""

    def __init__(
        self,
        windows: tuple[int, ...],
        prior: Model | None = None,
        others: Sequence[TrainingSet] = (),
    ) -> None:
        """``others``: as `pooled` has them."""
        self.prior, self._others = prior, others
        self.mixture = Mixture(3 if prior else 2, windows)

    def __call__(self, settings: LearnerSettings) -> Experts:
        """To be fitted, and weighed as the former ones."""
        return self.of(pooled(settings, self._others), Recency(settings.windows))

    def of(self, boosting: Pooled, recency: Recency) -> Experts:
        """Likewise, of fitted ones."""
        prior = (Unchanged(self.prior),) if self.prior else ()
        return Experts((boosting, recency, *prior), self.mixture)


def mixed(settings: LearnerSettings) -> Model:
    """Experts without a prior, weighed from the beginning."""
    return ExpertsFactory(settings.windows)(settings)


def _no_progress(stage: str, share: float) -> None:
    """Ignore progress."""


class Learner:
    """Learns and forecasts; ``predict`` is causal as its model is."""

    def __init__(
        self,
        settings: LearnerSettings | None = None,
        model: NewModel = mixed,
        calibration: RollingCalibration | None = None,
    ) -> None:
        """``model``: makes the one that forecasts; ``calibration``: goes on from former models'."""
        self.settings = LearnerSettings() if settings is None else settings
        self._new_model = model
        self.calibration = calibration or RollingCalibration(self.settings.windows)
        self.edges_: Edges | None = None  # who follows whom; None = that is not known

    @classmethod
    def of(
        cls,
        model: Model,
        settings: LearnerSettings,
        calibration: RollingCalibration,
        fitted_at_s: float = 0.0,
    ) -> Self:
        """Forecasts by a model that was fitted elsewhere; 0 = on demand of none of the services."""
        learner = cls(settings, calibration=calibration)
        learner.model_, learner.fitted_at_s_ = model, fitted_at_s
        learner.excluded_, learner.reason_ = {}, ""
        return learner

    def fit(self, demand: Demand, *, progress: Progress = _no_progress) -> Self:
        """Learn from all of ``demand``; ``progress`` gets each stage and the share done."""
        self.fitted_at_s_ = demand.end_s
        self.excluded_: dict[str, str] = {}  # by service: why
        self.reason_ = "" if demand.known.any() else NOTHING_SEEN
        self.edges_ = None
        if not self.reason_:
            progress("searching dependencies", 0.0)
            self.edges_ = found_edges(demand)
            progress("fitting", 0.0)
            self.model_ = self._fitted(demand, progress)
        progress("fitted", 1.0)
        return self

    def predict(
        self, demand: Demand, origins: IntArray, known: KnownRows | None = None
    ) -> Forecast:
        """Each service's calibrated forecast. ``known``: as `Model.predict` says."""
        reasons = self._reasons(demand)
        rows = np.flatnonzero([not reason for reason in reasons])
        if not len(rows):
            none = _no_forecast(len(origins), self.settings.windows)
            return none.among(rows, demand.capacity, reasons)
        some, then, known_of_some = _part(demand, origins, known, rows)
        try:
            forecast = self.model_.predict(some, then, known_of_some)
        except TransientError:
            raise  # nobody is there to answer: no service's fault
        except Exception as error:  # noqa: BLE001  # the faulty services are searched for
            found = faulty_services(
                np.arange(len(rows)),
                error,
                lambda few: self.model_.predict(
                    some.only(few), then, known_of_some and known_of_some.only(few)
                ),
            )
            self._exclude(some, found, error)
            return self.predict(demand, origins, known)
        forecast = self._calibrated(some, then, forecast)
        return forecast.among(rows, demand.capacity, reasons) if any(reasons) else forecast

    def bundle(self, demand: Demand, known: KnownRows | None = None) -> ForecastBundle:
        """The forecast made at the end of ``demand``, as published."""
        forecast = self.predict(demand, np.array([demand.n_steps]), known)
        exceedance = forecast.exceedance[:, 0].astype(np.float64)
        reason = list(forecast.reason)
        for row, why in faults_of_curves(forecast.demand_edges, exceedance).items():
            exceedance[row], reason[row] = np.nan, QUARANTINED + why
        by = forecast.by or ("" if all(reason) else self.model_.name,) * len(reason)
        return ForecastBundle(
            services=demand.services,
            made_at_s=demand.end_s,
            fitted_at_s=self.fitted_at_s_,
            window_edges_s=np.array(self.settings.windows, dtype=np.float64) * demand.step_s,
            demand_edges=forecast.demand_edges,
            exceedance=exceedance,
            model=tuple("" if why else model for why, model in zip(reason, by, strict=True)),
            reason=tuple(reason),
        )

    def _fitted(self, demand: Demand, progress: Progress) -> Model:
        """Fitted on all services; where that fails, on all but the faulty ones."""
        try:
            return self._new_model(self.settings).fit(demand, self.edges_)
        except TransientError:
            raise  # as in `predict`
        except Exception as error:  # noqa: BLE001  # the faulty services are searched for
            quick = replace(
                self.settings, max_rows=TRIAL_ROWS, rounds=1, seeds=self.settings.seeds[:1]
            )

            def attempt(rows: IntArray) -> None:
                progress(f"searching {len(rows)} services for those that make fitting fail", 0.0)
                self._new_model(quick).fit(demand.only(rows), self.edges_)

            rows = np.arange(len(demand.services))
            others = self._exclude(demand, faulty_services(rows, error, attempt), error)
            return self._new_model(self.settings).fit(demand.only(others), self.edges_)

    def _calibrated(self, demand: Demand, origins: IntArray, forecast: Forecast) -> Forecast:
        """What came of earlier forecasts counts up to the first origin."""
        self.calibration.settle(demand, int(origins.min(initial=demand.n_steps)))
        self.calibration.expect(demand, origins, forecast.exceedance)
        return replace(forecast, exceedance=self.calibration.apply(forecast.exceedance))

    def _reasons(self, demand: Demand) -> list[str]:
        """(n,) why a service is given no forecast; "" = it is."""
        if self.reason_:
            return [self.reason_] * len(demand.services)
        why = {
            name: QUARANTINED + demand.quarantined[name]
            for row, name in enumerate(demand.services)
            if name in demand.quarantined and np.isnan(demand.peak[row]).all()
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


def found_edges(demand: Demand) -> Edges | None:
    """Edges for the models and to be published; None where the search fails: the fit goes on."""
    try:
        return edges_in_counts(demand)
    except Exception:
        log.exception("the search for dependencies in counts failed")
        return None


def _part(
    demand: Demand, origins: IntArray, known: KnownRows | None, rows: IntArray
) -> tuple[Demand, IntArray, KnownRows | None]:
    """What a model is asked: of some services and, where rows are known, of the last steps alone.

    All of a long past would be a large copy.
    """
    if known:
        first = max(int(origins.min(initial=demand.n_steps)) - RECENT_STEPS, 0)
        demand, origins = demand.last(demand.n_steps - first), origins - first
        moved = replace(known.rows, origin=known.rows.origin - first)
        known = replace(known, rows=moved)
    if len(rows) == len(demand.services):
        return demand, origins, known
    return demand.only(rows), origins, known and known.only(rows)


def _no_forecast(n_origins: int, windows: tuple[int, ...]) -> Forecast:
    """That of no service."""
    return Forecast(
        demand_edges=np.zeros((0, 2)),
        exceedance=np.zeros((0, n_origins, len(windows) - 1, 1), dtype=np.float32),
        reason=(),
    )
