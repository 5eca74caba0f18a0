"""What a learner publishes: forecasts that are sure of themselves."""

import time
from collections.abc import Sequence

import numpy as np

from autoscaler.core.prediction.forecasts import ForecastBundle

AHEAD_S = 3600.0


def a_bundle(services: Sequence[str], demand: float, *, age_s: float = 60.0) -> ForecastBundle:
    """Sure of so many requests in flight for an hour, as seen so long ago."""
    made_at_s = time.time() - age_s  # noqa: TID251
    n = len(services)
    return ForecastBundle(
        services=tuple(services),
        made_at_s=made_at_s,
        fitted_at_s=made_at_s,
        window_edges_s=np.array([0.0, AHEAD_S]),
        demand_edges=np.tile([0.0, demand], (n, 1)),
        exceedance=np.ones((n, 1, 1), dtype=np.float32),
        model=("seasonal",) * n,
        reason=("",) * n,
    )
