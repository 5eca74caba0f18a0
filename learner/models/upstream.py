"""What a service's upstream did some steps ago, beside what the service's own past says.

For services that never sleep and follow another at a lag of a step or more: what has come upstream
is still to come here. Each service has one upstream, the strongest of those that call it directly.
An upstream that the service pulls itself, over whatever way, is none: it would hear its own echo.
Services without an upstream get no answer; the backtest decides about the others.
"""

import logging
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from autoscaler.core.prediction.dependencies import Edges
from autoscaler.core.types import BoolArray, FloatArray, IntArray
from learner.demand import Demand
from learner.dependencies.count_search import edges_among_busiest, edges_from_outside
from learner.models import WINDOWS, Forecast
from learner.models.boosting import Boosting, Features, forecast_of
from learner.models.features import level_features
from learner.models.levels import LEVELS, demand_edges, pods_needed
from learner.models.rows import LevelRows, draw_rows

NONE = "no service pulls it a step or more ahead"
MEAN_STEPS = 60  # what the upstream's level now is measured against

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Following:
    """Who follows whom, one upstream each."""

    upstream: tuple[str, ...]  # (k,) by service that follows
    service: tuple[str, ...]  # (k,)
    lag: IntArray  # (k,) steps, >= 1
    pods: FloatArray  # (k,) pods here a request there, on average


NOBODY = Following(
    upstream=(), service=(), lag=np.zeros(0, dtype=np.int64), pods=np.zeros(0, dtype=np.float64)
)


class UpstreamModel:
    """Boosting over the levels of services that follow another."""

    name = "pulled"

    def __init__(
        self,
        *,
        windows: tuple[int, ...] = WINDOWS,
        seeds: tuple[int, ...] = (0,),
        max_rows: int = 100_000,
        rounds: int = 250,
    ) -> None:
        self.windows = windows
        self.seeds = seeds
        self.max_rows = max_rows
        self.rounds = rounds

    def fit(self, demand: Demand) -> Self:
        """Find out who follows whom, and learn what comes of it."""
        try:
            self.following_ = following(demand)
        except Exception as error:  # noqa: BLE001
            # The same search for the published edges says more; the other models are to be heard.
            log.warning("nobody is forecast from an upstream: %r", error)
            self.following_ = NOBODY
        if self.following_.service:
            own, pull = self._cut(demand)
            need = pods_needed(own)
            rows = draw_rows(need, self.max_rows)
            boosting = Boosting(windows=self.windows, seeds=self.seeds, rounds=self.rounds)
            self.boosting_ = boosting.fit(self._features(own, need, pull, rows), need, rows)
        return self

    def predict(self, demand: Demand, origins: IntArray) -> Forecast:
        """Answer for the services that follow one that is in ``demand``, too."""
        own, pull = self._cut(demand)
        need = pods_needed(own)

        def answer(rows: LevelRows) -> FloatArray:
            return self.boosting_.probabilities(self._features(own, need, pull, rows))

        said = forecast_of(own, need, origins, len(self.windows) - 1, answer)
        n, n_cells = len(demand.services), said.exceedance.shape[3]
        rows = np.array([demand.services.index(name) for name in own.services], dtype=np.int64)
        shape = (n, *said.exceedance.shape[1:])
        exceedance = np.full(shape, np.nan, dtype=np.float32)
        exceedance[rows] = said.exceedance
        edges = demand_edges(demand.capacity, np.full(n, n_cells))
        edges[rows] = said.demand_edges
        speaks = set(own.services)
        reason = tuple("" if name in speaks else NONE for name in demand.services)
        return Forecast(demand_edges=edges, exceedance=exceedance, reason=reason)

    def _cut(self, demand: Demand) -> tuple[Demand, "_Pull"]:
        """The services that follow, and what pulls them, as far as both are in ``demand``."""
        place = {name: row for row, name in enumerate(demand.services)}
        came, f = _came(demand), self.following_
        kept = [
            i
            for i, (up, down) in enumerate(zip(f.upstream, f.service, strict=True))
            if up in came and down in place
        ]
        rows = np.array([place[f.service[i]] for i in kept], dtype=np.int64)
        series = [came[f.upstream[i]] for i in kept]
        pulling = np.stack(series) if kept else np.zeros((0, demand.n_steps))
        return demand.only(rows), _Pull(came=pulling, lag=f.lag[kept], pods=f.pods[kept])

    def _features(self, own: Demand, need: FloatArray, pull: "_Pull", rows: LevelRows) -> Features:
        level = level_features(need, rows, self.windows, start_s=own.start_s, step_s=own.step_s)
        return np.column_stack([level, pull.features(rows)])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pull:
    """What came upstream of each service that follows."""

    came: FloatArray  # (k, n_steps) requests upstream; NaN = gap
    lag: IntArray  # (k,) steps
    pods: FloatArray  # (k,) pods here a request there

    def features(self, rows: LevelRows) -> Features:
        """(n_rows, 6), from steps before each row's origin only; NaN = not known."""
        lag = self.lag[rows.service]
        level = LEVELS[rows.cell]
        now, next_, before = (self._at(rows, lag - later) for later in (0, 1, -1))
        scale = self.pods[rows.service] / level
        mean = self._mean(rows, lag + MEAN_STEPS, lag)
        recent = self._mean(rows, lag + 5, lag)
        columns = [
            now * scale,
            next_ * scale,
            before * scale,
            self._greatest(rows) * scale,
            now / np.maximum(mean, 1e-9),
            np.where(np.isnan(recent + now), np.nan, (recent == 0) & (now > 0)),
        ]
        return np.column_stack(columns).astype(np.float32)

    def _at(self, rows: LevelRows, ago: IntArray) -> FloatArray:
        """What came ``ago`` steps before each origin; NaN from the origin on."""
        step = rows.origin - ago
        inside = (step >= 0) & (step < rows.origin)
        return np.where(inside, self.came[rows.service, np.where(inside, step, 0)], np.nan)

    def _mean(self, rows: LevelRows, begin: IntArray, end: IntArray) -> FloatArray:
        """Mean of what came from ``begin`` to before ``end`` steps ago, of known steps."""
        known = np.pad(np.cumsum(~np.isnan(self.came), axis=1), ((0, 0), (1, 0)))
        total = np.pad(np.cumsum(np.nan_to_num(self.came), axis=1), ((0, 0), (1, 0)))
        first, last = (np.maximum(rows.origin - ago, 0) for ago in (begin, end))
        number = known[rows.service, last] - known[rows.service, first]
        added = total[rows.service, last] - total[rows.service, first]
        return np.where(number > 0, added / np.maximum(number, 1), np.nan)

    def _greatest(self, rows: LevelRows) -> FloatArray:
        """The most that came in a step of the last ``lag`` ones: all of it is still to come."""
        most = np.full(len(rows), np.nan)
        lag = self.lag[rows.service]
        for ago in range(1, int(lag.max(initial=0)) + 1):
            most = np.fmax(
                most, np.where(lag >= ago, self._at(rows, np.full(len(rows), ago)), np.nan)
            )
        return most


def following(demand: Demand) -> Following:
    """Of each service that follows, its strongest upstream that is no echo of its own.

    What a user named as upstream goes before what was found.
    """
    services = edges_among_busiest(demand).onto(demand.services)
    services = services.where(services.direct & ~_in_a_cycle(services))
    total = np.nansum(demand.arrivals, axis=1)
    brought = services.gain * total[services.upstream]
    services = services.where(np.argsort(-brought, kind="stable"))
    pods = np.nansum(pods_needed(demand), axis=1)
    came = _came(demand)
    chosen: dict[str, tuple[str, int, float]] = {}
    for edges in (edges_from_outside(demand), services):
        for up, down, lag_s in zip(edges.upstream, edges.downstream, edges.lag_s, strict=True):
            upstream, service = edges.services[up], edges.services[down]
            lag = round(lag_s / demand.step_s)
            if lag >= 1 and service not in chosen:
                much = float(np.nansum(came[upstream]))
                share = float(pods[demand.services.index(service)]) / max(much, 1.0)
                chosen[service] = upstream, lag, share
    return Following(
        upstream=tuple(up for up, _, _ in chosen.values()),
        service=tuple(chosen),
        lag=np.array([lag for _, lag, _ in chosen.values()], dtype=np.int64),
        pods=np.array([share for _, _, share in chosen.values()], dtype=np.float64),
    )


def _came(demand: Demand) -> dict[str, FloatArray]:
    """(n_steps,) what came, by name of a service or of a series outside."""
    came = dict(zip(demand.services, demand.arrivals, strict=True))
    if demand.outside:
        came |= dict(zip(demand.outside.names, demand.outside.values, strict=True))
    return came


def _in_a_cycle(edges: Edges) -> BoolArray:
    """(m,) whether a way leads back from the downstream to the upstream."""
    n = len(edges.services)
    ones = np.ones(len(edges), dtype=np.int8)
    graph = csr_array((ones, (edges.upstream, edges.downstream)), (n, n))
    _, component = connected_components(graph, directed=True, connection="strong")
    return np.asarray(component[edges.upstream] == component[edges.downstream])
