"""A forecast bundle of the fake cluster's services, with a random dependency graph."""

import numpy as np

from autoscaler.clock import SystemClock
from autoscaler.core.prediction.dependencies import Edges, Origin
from autoscaler.core.prediction.forecasts import ForecastBundle
from benchmarks.controller.processes import keys

EDGES_A_SERVICE = 3320 / 3333


def random_bundle(revisions: int, seed: int) -> ForecastBundle:
    """Forecasts of no demand for all services, made now, and edges drawn at random."""
    rng = np.random.default_rng(seed)
    services = sorted({f"{ns}/{name.rpartition('-')[0]}" for ns, name in keys(revisions)})
    n = len(services)
    ends = np.unique(rng.integers(0, n, (round(EDGES_A_SERVICE * n), 2)), axis=0)
    ends = ends[ends[:, 0] != ends[:, 1]]
    m = len(ends)
    now = SystemClock().now()
    return ForecastBundle(
        services=tuple(services),
        made_at_s=now,
        fitted_at_s=now,
        window_edges_s=np.array([0.0, 60.0, 120.0, 300.0, 900.0, 3600.0]),
        demand_edges=np.tile(np.arange(9.0), (n, 1)),
        exceedance=np.zeros((n, 5, 8), dtype=np.float32),
        model=("seasonal",) * n,
        reason=("",) * n,
        edges=Edges(
            services=tuple(services),
            upstream=ends[:, 0],
            downstream=ends[:, 1],
            lag_s=rng.uniform(0.0, 1.0, m),
            gain=np.ones(m),
            probability=np.ones(m),
            confidence=rng.uniform(0.5, 1.0, m),
            evidence=np.full(m, 100.0),
            seen_at_s=np.full(m, now),
            direct=np.ones(m, dtype=np.bool_),
            origin=np.full(m, int(Origin.LEARNED_STARTS)),
        ),
    )
