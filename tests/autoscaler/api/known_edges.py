"""Edges that the API is asked for."""

from dataclasses import replace

import numpy as np

from autoscaler.core.prediction.dependencies import Edges, Origin

SEEN_S = 1_772_442_000.0  # 2026-03-02T09:00:00Z


def edges() -> Edges:
    """Cart calls pay, as was learned; browse calls cart, as its owner says; browse reaches pay."""
    nan = np.nan
    return Edges(
        services=("shop/pay", "shop/cart", "shop/browse"),
        upstream=np.array([1, 2, 2]),
        downstream=np.array([0, 1, 0]),
        lag_s=np.array([2.5, nan, 4.0]),
        gain=np.array([1.2, nan, 1.5]),
        probability=np.array([0.9, nan, 0.8]),
        confidence=np.array([0.99, 1.0, 0.7]),
        evidence=np.array([214.0, nan, 100.0]),
        seen_at_s=np.array([SEEN_S, nan, SEEN_S]),
        direct=np.array([True, True, False]),
        origin=np.array([Origin.LEARNED_STARTS, Origin.ANNOTATION, Origin.LEARNED_COUNTS]),
    )


def in_no_order() -> Edges:
    """Cart and pay are called in the same minutes; an order of cart and browse is known."""
    ends = np.array([[0, 1], [1, 0], [1, 2], [2, 1]])
    return replace(
        edges().where(np.array([2, 2, 2, 1])),
        upstream=ends[:, 0],
        downstream=ends[:, 1],
        lag_s=np.zeros(4),
        direct=np.array([False, False, False, True]),
    )
