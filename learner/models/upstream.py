"""What a service's upstream did some steps ago, as features beside those of the service's own past.

For continuous services that follow another at a lag of a step or more: what has arrived upstream is
still to arrive here. Each service has one upstream, the strongest of those that call it directly.
An upstream that the service calls itself, directly or not, is none: its requests may be the
service's own.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from autoscaler.core.prediction.dependencies import Edges, Origin
from autoscaler.core.types import BoolArray, FloatArray, IntArray
from learner.demand import Demand, Steps
from learner.models.gaps import Columns
from learner.models.levels import LEVELS, pods_needed
from learner.models.rows import LevelRows
from learner.models.series import RunningMean, value_at

COLUMNS = tuple(
    f"upstream_{what}" for what in ("now", "next", "before", "greatest", "to_mean", "began")
)
MEAN_STEPS = 60  # over which the mean is taken that the upstream's newest value is compared with


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamPairs:
    """The upstream of each service that has one."""

    upstream: tuple[str, ...]  # (k,) name of a service or of an external series
    service: tuple[str, ...]  # (k,)
    lag: IntArray  # (k,) steps, >= 1
    pods_per_request: FloatArray  # (k,) pods of the service for a request upstream, on average


NO_PAIRS = UpstreamPairs(
    upstream=(),
    service=(),
    lag=np.zeros(0, dtype=np.int64),
    pods_per_request=np.zeros(0, dtype=np.float64),
)


def upstream_columns(pairs: UpstreamPairs, demand: Demand, rows: LevelRows) -> Columns:
    """(n_rows,) each, from steps before each row's origin only.

    NaN = not known, or the service has no upstream in ``demand``.
    """
    columns = no_upstream(len(rows))
    arrivals = _arrivals_by_name(demand)
    row_of = {name: row for row, name in enumerate(demand.services)}
    present = [
        i
        for i, (up, down) in enumerate(zip(pairs.upstream, pairs.service, strict=True))
        if up in arrivals and down in row_of
    ]
    if not present:
        return columns
    pair_of = np.full(len(demand.services), -1)
    pair_of[[row_of[pairs.service[i]] for i in present]] = np.arange(len(present))
    mine = np.flatnonzero(pair_of[rows.service] >= 0)
    followed = _UpstreamArrivals(
        arrivals=np.stack([arrivals[pairs.upstream[i]] for i in present]).astype(np.float64),
        lag=pairs.lag[present],
        pods_per_request=pairs.pods_per_request[present],
    )
    follower = LevelRows(
        service=pair_of[rows.service[mine]], cell=rows.cell[mine], origin=rows.origin[mine]
    )
    for name, column in followed.columns(follower).items():
        columns[name][mine] = column
    return columns


def no_upstream(n_rows: int) -> Columns:
    """The columns of services without an upstream."""
    return {name: np.full(n_rows, np.nan, dtype=np.float32) for name in COLUMNS}


@dataclass(frozen=True, slots=True, kw_only=True)
class _UpstreamArrivals:
    """What arrived at the upstream of each service."""

    arrivals: FloatArray  # (k, n_steps) requests upstream; NaN = gap
    lag: IntArray  # (k,) steps
    pods_per_request: FloatArray  # (k,)

    def columns(self, rows: LevelRows) -> Columns:
        """(n_rows,) each; a row's service is the place of its pair. NaN = not known."""
        service, origin = rows.service, rows.origin
        lag = self.lag[service]
        now, next_, before = (self._at(rows, lag - later) for later in (0, 1, -1))
        scale = self.pods_per_request[service] / LEVELS[rows.cell]
        means = RunningMean(self.arrivals)
        mean = means.between(service, origin - lag - MEAN_STEPS, origin - lag)
        recent = means.between(service, origin - lag - 5, origin - lag)
        columns = (
            now * scale,
            next_ * scale,
            before * scale,
            self._greatest(rows) * scale,
            now / np.maximum(mean, 1e-9),
            np.where(np.isnan(recent + now), np.nan, (recent == 0) & (now > 0)),
        )
        named = zip(COLUMNS, columns, strict=True)
        return {name: column.astype(np.float32) for name, column in named}

    def _at(self, rows: LevelRows, ago: IntArray) -> FloatArray:
        """Arrivals ``ago`` steps before each origin; NaN from the origin on."""
        return value_at(self.arrivals, rows.service, np.where(ago > 0, rows.origin - ago, -1))

    def _greatest(self, rows: LevelRows) -> FloatArray:
        """The most arrivals in a step of the last ``lag`` ones: all of them still to come here."""
        most = np.full(len(rows), np.nan)
        lag = self.lag[rows.service]
        for ago in range(1, int(lag.max(initial=0)) + 1):
            arrivals = self._at(rows, np.full(len(rows), ago))
            most = np.fmax(most, np.where(lag >= ago, arrivals, np.nan))
        return most


def strongest_upstreams(demand: Demand, edges: Edges) -> UpstreamPairs:
    """Of each service the upstream that brings it most requests, outside of cycles.

    edges: those of services without demand are left out. An external series that a user named goes
    before what was found.
    """
    arrivals = _arrivals_by_name(demand)
    edges = edges.onto(tuple(arrivals))
    edges = edges.where(edges.direct & ~_in_a_cycle(edges))
    total = {name: float(np.nansum(counts, dtype=np.float64)) for name, counts in arrivals.items()}
    brought = edges.gain * [total[edges.services[up]] for up in edges.upstream]
    edges = edges.where(np.lexsort((-brought, edges.origin != Origin.PROMETHEUS)))
    row_of = {name: row for row, name in enumerate(demand.services)}
    chosen: dict[str, tuple[str, int, float]] = {}
    for up, down, lag_s in zip(edges.upstream, edges.downstream, edges.lag_s, strict=True):
        upstream, service = edges.services[up], edges.services[down]
        lag = round(lag_s / demand.step_s)
        if lag >= 1 and service not in chosen:
            pods = pods_needed(demand.only(np.array([row_of[service]])))
            share = float(np.nansum(pods)) / max(total[upstream], 1.0)
            chosen[service] = upstream, lag, share
    return UpstreamPairs(
        upstream=tuple(up for up, _, _ in chosen.values()),
        service=tuple(chosen),
        lag=np.array([lag for _, lag, _ in chosen.values()], dtype=np.int64),
        pods_per_request=np.array([share for _, _, share in chosen.values()], dtype=np.float64),
    )


def _arrivals_by_name(demand: Demand) -> dict[str, Steps]:
    """(n_steps,) by name of a service or of an external series."""
    arrivals: dict[str, Steps] = dict(zip(demand.services, demand.arrivals, strict=True))
    if demand.external:
        arrivals |= dict(zip(demand.external.names, demand.external.values, strict=True))
    return arrivals


def _in_a_cycle(edges: Edges) -> BoolArray:
    """(m,) whether a path leads back from the downstream to the upstream."""
    n = len(edges.services)
    ones = np.ones(len(edges), dtype=np.int8)
    graph = csr_array((ones, (edges.upstream, edges.downstream)), (n, n))
    _, component = connected_components(graph, directed=True, connection="strong")
    return np.asarray(component[edges.upstream] == component[edges.downstream])
