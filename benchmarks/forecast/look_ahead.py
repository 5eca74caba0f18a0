"""What is ahead of one service, and how often such forecasts of its last days came true."""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from autoscaler.cli.resources import Selection, services_named
from autoscaler.core.prediction.forecasts import demand_at
from autoscaler.core.prediction.predictive import PodCosts, at_price
from autoscaler.core.state.fleet import ALL, Fleet
from autoscaler.core.state.revision import Revision
from autoscaler.core.types import FloatArray
from autoscaler.errors import PermanentError
from benchmarks.policies.policies import revision
from benchmarks.replay import OnProgress, Replay, ReplaySettings
from benchmarks.scores.forecast_score import mid_coverage, most_ahead
from benchmarks.simulator.arrivals import Requests
from benchmarks.simulator.past_waits import count_past
from benchmarks.whatif.past import Past
from benchmarks.whatif.run import with_prior
from learner.engine import Learner
from learner.models.levels import pods_needed

QUANTILES = (0.5, 0.9, 0.99)


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowAhead:
    """One window ahead, and what came of forecasts as far ahead in the checked time."""

    minutes: tuple[float, float]  # from now
    any: float  # probability of a request
    demand: tuple[float, ...]  # requests in flight at once, by `QUANTILES`
    pods: int  # worth starting at the price; -1 = no forecast
    checked: int  # forecasts
    covered: tuple[float, ...]  # share that came within each quantile; NaN = nothing was checked
    any_forecast: float  # mean probability of a request
    any_came: float  # share of windows with one


@dataclass(frozen=True, slots=True, kw_only=True)
class Ahead:
    """One service: its past, and what is ahead of it."""

    service: str
    start_s: float  # Unix s of the first step
    step_s: float
    peak: FloatArray  # (T,) requests in flight at once, by step; NaN = gap
    band: FloatArray  # (len(QUANTILES), T) as forecast a step before; NaN = was not
    windows: tuple[WindowAhead, ...]
    model: str
    reason: str  # why there is no forecast; "" = there is one

    @property
    def now_s(self) -> float:
        """Unix s, the end of the past."""
        return self.start_s + len(self.peak) * self.step_s


def service_of(past: Past, asked: str) -> str:
    """The service that is asked for; "" = the one that is called most.

    Raises PermanentError for one that is not known, with the nearest.
    """
    services = past.requests.services
    if not asked:
        return services[int(np.nansum(past.requests.counts, axis=1).argmax())]
    found = services_named(sorted(services), Selection(names=(asked,)))
    if len(found) > 1:
        raise PermanentError(f"service is {asked!r}; allowed: one of {', '.join(found)}")
    return found[0]


def look_ahead(
    past: Past, service: str, settings: ReplaySettings, pod_requests: int, progress: OnProgress
) -> Ahead:
    """Forecast the time from ``fit_until_s`` on as it was, and then what is ahead.

    Both as `kn-ahead learn` does at its first fit. pod_requests: that a pod takes; 0 = no limit.
    Raises PermanentError where there is nothing to check.
    """
    if not settings.fit_until_s < past.end_s:
        raise PermanentError(f"check is less than a step; allowed: >= {settings.step_s:g}s")
    replay = Replay(past.trace(), settings)
    replay.fit(progress=progress, model=with_prior(settings))
    progress("fitting on all", 0.0)
    learner = Learner(settings.learner, with_prior(settings)).fit(replay.demand)
    progress("fitting on all", 1.0)
    row = replay.demand.services.index(service)
    bundle = learner.bundle(replay.demand)
    reason = bundle.reason[row]
    return Ahead(
        service=service,
        start_s=replay.demand.start_s,
        step_s=settings.step_s,
        peak=replay.demand.peak[row],
        band=_band(replay, row),
        windows=() if reason else _windows(replay, learner, row, pod_requests),
        model=bundle.model[row],
        reason=reason,
    )


def _band(replay: Replay, row: int) -> FloatArray:
    """(len(QUANTILES), n_steps) of each step, as forecast right before it."""
    next_step = replay.table.exceedance[row, :, :1]  # (n_origins, 1, n_cells)
    edges = np.repeat(replay.table.demand_edges[row : row + 1], len(next_step), axis=0)
    band = np.full((len(QUANTILES), replay.demand.n_steps), np.nan)
    for place, quantile in enumerate(QUANTILES):
        threshold = np.round(np.array([[1 - quantile]]), 9)
        band[place, replay.first :] = demand_at(next_step, edges, threshold)[:, 0]
    return band


def costs_after(spec: Revision, requests: Requests, service: int, until: float) -> PodCosts:
    """What pods of a service would cost, as a controller would count it by Unix s ``until``."""
    fleet = Fleet()
    fleet.add({"service": spec}, now=until)
    count_past(fleet, requests, np.array([service]), until)
    return PodCosts.of(fleet, ALL, fleet.spec)


def _windows(
    replay: Replay, learner: Learner, row: int, pod_requests: int
) -> tuple[WindowAhead, ...]:
    demand, s = replay.demand, replay.settings
    bundle = learner.bundle(demand)
    curve, cells = bundle.exceedance[row : row + 1], bundle.demand_edges[row : row + 1]
    spec = revision(pod_requests, s.start_up_s, s.drain_s)
    priced = replace(spec, cold_price_s=s.price_s)
    costs = costs_after(priced, replay.requests, row, bundle.made_at_s)
    worth_starting = at_price(bundle, np.array([row]), costs).worth_starting
    pods = np.ceil(worth_starting[0] / spec.target)
    ahead = [demand_at(curve, cells, np.round(np.array([[1 - q]]), 9))[0] for q in QUANTILES]
    need = pods_needed(demand)[row : row + 1]
    found = []
    for j, (begin, end) in enumerate(pairwise(s.learner.windows)):
        origins = np.arange(replay.first, demand.n_steps)
        came = most_ahead(need, origins + begin, end - begin)[0]
        forecast = replay.table.exceedance[row, :, j].astype(np.float64)
        known = ~np.isnan(came) & ~np.isnan(forecast[:, 0])
        came, forecast = came[known], forecast[known]
        found.append(
            WindowAhead(
                minutes=(begin * s.step_s / 60, end * s.step_s / 60),
                any=float(curve[0, j, 0]),
                demand=tuple(float(values[j]) for values in ahead),
                pods=int(pods[j]),
                checked=int(known.sum()),
                covered=tuple(_mean(mid_coverage(forecast, came, q)) for q in QUANTILES),
                any_forecast=_mean(forecast[:, 0]),
                any_came=_mean((came > 0).astype(np.float64)),
            )
        )
    return tuple(found)


def _mean(values: FloatArray) -> float:
    return float(values.mean()) if len(values) else np.nan
