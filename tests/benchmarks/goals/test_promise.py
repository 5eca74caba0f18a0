"""Promises are judged where they can be kept, against the cheapest price that keeps them."""

import numpy as np
import pytest

from benchmarks.goals.promise import PRICES, RATES, kept_of

N = 100_000.0  # requests


def counts(cold: float, pod_s: float, fixed_cold: float) -> np.ndarray:
    """Of one service: so many cold under each promise; at fixed prices fewer the dearer."""
    part = np.linspace(1.0, 0.0, len(PRICES))
    colds = [N, *(fixed_cold * part), *[cold] * len(RATES)]
    pods = [0.0, *(100.0 + 100.0 * (1.0 - part)), *[pod_s] * len(RATES)]
    return np.array([np.full(len(colds), N), colds, pods])[:, :, None]


def test_a_promise_is_kept_up_to_a_quarter_beyond_it() -> None:
    kept = kept_of(counts(cold=1250.0, pod_s=150.0, fixed_cold=10_000.0))
    assert [row.kept for row in kept] == [1, 1, 1, 0]  # of 5, 2, 1 and 0.5 %
    assert [row.worst for row in kept] == pytest.approx([0.25, 0.625, 1.25, 2.5])


def test_it_costs_more_or_less_than_the_cheapest_price_that_keeps_it() -> None:
    (five, *_) = kept_of(counts(cold=100.0, pod_s=300.0, fixed_cold=5000.0))
    assert five.cost == pytest.approx(3.0)  # the cheapest of all keeps it


def test_what_no_price_keeps_is_not_judged() -> None:
    below = counts(cold=100.0, pod_s=300.0, fixed_cold=0.0)
    below[1, 1 : 1 + len(PRICES)] = 0.9 * N
    assert [(row.services, row.attainable) for row in kept_of(below)] == [(1, 0)] * len(RATES)
