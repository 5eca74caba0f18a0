"""The learner as one thing: past demand in, calibrated forecasts of the best model out.

Fits twice. First on the past without its end, to see on that end which model's forecasts lead to
the cheapest decisions for each service and how far the pooled model's probabilities are off; then
on all of it, to forecast what comes. The pooled model speaks for every service for which no other
was clearly better: it alone has an answer for services without a past of their own.

What goes wrong with a service concerns that service. Where fitting or forecasting fails for all,
whoever makes it fail is found, and left out until the models are fitted anew: published with a
reason and without a curve.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from autoscaler.bundle.checks import faults_of_curves
from autoscaler.core.prediction.forecasts import QUARANTINED, ForecastBundle
from autoscaler.core.types import IntArray
from learner.demand import Demand
from learner.models import WINDOWS, Forecast, Model
from learner.models.pooled import Pooled
from learner.models.seasonal import SeasonalCopy
from learner.models.timers import Timers
from learner.models.upstream import UpstreamModel
from learner.selection.bisection import faulty_services
from learner.selection.competition import Competition, Progress, Selection

FEWEST_STEPS = 60  # of history, over all services, before anything is forecast
REHEARSED_ROWS = 2_000  # that a model learns from when it is only tried with whom it fails

log = logging.getLogger(__name__)


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


def _show_nothing(stage: str, share: float) -> None:
    """Progress for nobody."""


class Learner:
    """Learns and forecasts; ``predict`` is causal as its models are."""

    def __init__(
        self,
        settings: LearnerSettings | None = None,
        models: Callable[[LearnerSettings], tuple[Model, ...]] = candidates,
    ) -> None:
        self.settings = LearnerSettings() if settings is None else settings
        self._models = models

    def fit(self, demand: Demand, *, progress: Progress = _show_nothing) -> Self:
        """Learn from all of ``demand``; ``progress`` hears what it is at, and the share done."""
        self.fitted_at_s_ = demand.end_s
        self.excluded_: dict[str, str] = {}  # by service: why it is left out
        known = int(demand.known.sum(axis=1).max(initial=0))
        self.reason_ = (
            "" if known >= FEWEST_STEPS else f"{known} steps of history; allowed: >= {FEWEST_STEPS}"
        )
        if not self.reason_:
            self.competition_ = self._fitted(demand, progress)
        progress("fitted", 1.0)
        return self

    def predict(self, demand: Demand, origins: IntArray) -> Forecast:
        """Each service's forecast by the model chosen for it; the pooled one where it is silent."""
        return self._spoken(demand, origins)[0]

    def bundle(self, demand: Demand) -> ForecastBundle:
        """The forecast made at the end of ``demand``, as published."""
        forecast, speaker = self._spoken(demand, np.array([demand.n_steps]))
        exceedance = forecast.exceedance[:, 0].astype(np.float64)
        model, reason = list(speaker), list(forecast.reason)
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
        """Fitted on all; where that fails, on all but those with whom it does."""
        try:
            return self._competition(self.settings).fit(demand, progress)
        except Exception as error:  # noqa: BLE001  # found out with whom it fails
            quick = replace(
                self.settings, max_rows=REHEARSED_ROWS, rounds=1, seeds=self.settings.seeds[:1]
            )

            def rehearse(rows: IntArray) -> None:
                progress(f"looking for whom fitting fails with, among {len(rows)} services", 0.0)
                self._competition(quick).fit(demand.only(rows), _show_nothing)

            everybody = np.arange(len(demand.services))
            others = self._exclude(demand, faulty_services(everybody, error, rehearse), error)
            return self._competition(self.settings).fit(demand.only(others), progress)

    def _spoken(self, demand: Demand, origins: IntArray) -> tuple[Forecast, Selection]:
        """Forecasts, and who speaks for each service."""
        silenced = self._silenced(demand)
        rows = np.delete(np.arange(len(demand.services)), list(silenced))
        if not len(rows):
            return _without_curves(demand, len(origins), self.settings.windows, silenced)
        some = demand.only(rows) if silenced else demand
        try:
            said, speaker = self.competition_.speak(some, origins)
        except Exception as error:  # noqa: BLE001  # found out with whom it fails
            among = np.arange(len(rows))
            found = faulty_services(
                among, error, lambda few: self.competition_.speak(some.only(few), origins)
            )
            self._exclude(some, found, error)
            return self._spoken(demand, origins)
        return _spread(said, speaker, demand, rows, silenced) if silenced else (said, speaker)

    def _silenced(self, demand: Demand) -> dict[int, str]:
        """By row: whom nobody speaks for, and why."""
        if self.reason_:
            return dict.fromkeys(range(len(demand.services)), self.reason_)
        known = np.asarray(demand.known.any(axis=1))
        return {
            row: self.excluded_.get(name) or QUARANTINED + demand.quarantined[name]
            for row, name in enumerate(demand.services)
            if name in self.excluded_ or (name in demand.quarantined and not known[row])
        }

    def _exclude(
        self, demand: Demand, found: Mapping[int, Exception], error: Exception
    ) -> IntArray:
        """Leave those out that were found; the rows of the others.

        Raises ``error`` where nobody was found, or everybody.
        """
        if not 0 < len(found) < len(demand.services):
            raise error
        for row, cause in found.items():
            log.error("%s is left out", demand.services[row], exc_info=cause)
            self.excluded_[demand.services[row]] = f"{QUARANTINED}{cause!r:.200}"
        return np.delete(np.arange(len(demand.services)), list(found))

    def _competition(self, settings: LearnerSettings) -> Competition:
        return Competition(lambda: self._models(settings), settings.windows)


def _spread(
    said: Forecast,
    speaker: Selection,
    demand: Demand,
    rows: IntArray,
    silenced: Mapping[int, str],
) -> tuple[Forecast, Selection]:
    """What was said of ``rows``, in its place among the silence about all others."""
    _, n_origins, n_windows, n_cells = said.exceedance.shape
    n = len(demand.services)
    exceedance = np.full((n, n_origins, n_windows, n_cells), np.nan, dtype=np.float32)
    exceedance[rows] = said.exceedance
    edges = np.where(np.arange(n_cells + 1) > 0, demand.capacity[:, None], 0.0)
    edges[rows] = said.demand_edges
    place = {int(row): i for i, row in enumerate(rows)}
    forecast = Forecast(
        demand_edges=edges,
        exceedance=exceedance,
        reason=tuple(
            silenced[row] if row in silenced else said.reason[place[row]] for row in range(n)
        ),
    )
    return forecast, tuple(speaker[place[row]] if row in place else "" for row in range(n))


def _without_curves(
    demand: Demand, n_origins: int, windows: tuple[int, ...], silenced: Mapping[int, str]
) -> tuple[Forecast, Selection]:
    """Nobody speaks for anybody."""
    none = np.zeros(0, dtype=np.int64)
    said = Forecast(
        demand_edges=np.zeros((0, 2)),
        exceedance=np.zeros((0, n_origins, len(windows) - 1, 1), dtype=np.float32),
        reason=(),
    )
    return _spread(said, (), demand, none, silenced)
