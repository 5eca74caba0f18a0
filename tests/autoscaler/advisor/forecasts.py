"""Forecasts of one sure number, for tests."""

import numpy as np

from autoscaler.core.prediction.dependencies import Edges, no_edges
from autoscaler.core.prediction.forecasts import ForecastBundle

NOW_S = 1_700_000_000.0


def a_bundle(
    demand: float,
    service: str = "shop/cart-service",
    *,
    now: float = NOW_S,
    edges: Edges | None = None,
) -> ForecastBundle:
    """Sure of so many requests in flight for the ten minutes after Unix s ``now``."""
    return ForecastBundle(
        services=(service,),
        made_at_s=now - 60,
        fitted_at_s=now - 60,
        window_edges_s=np.array([0.0, 660.0]),
        demand_edges=np.array([[0.0, demand]]),
        exceedance=np.ones((1, 1, 1), dtype=np.float32),
        model=("seasonal",),
        reason=("",),
        edges=edges or no_edges(()),
    )
