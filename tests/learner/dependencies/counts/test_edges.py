"""Whose counts follow whose: planted edges are found, seasons and constants make none."""

import numpy as np
import pytest

from autoscaler.core.prediction.dependencies import Edges
from autoscaler.core.types import FloatArray
from learner.demand import Demand
from learner.dependencies.counts.edges import edges_from_counts

DAY = 1440  # steps of a minute


def demand(counts: FloatArray) -> Demand:
    return Demand(
        services=tuple(f"shop/s{i}" for i in range(len(counts))),
        start_s=7 * 3600.0,
        step_s=60.0,
        arrivals=counts,
        peak=counts,
        capacity=np.ones(len(counts)),
    )


def ends(edges: Edges) -> set[tuple[int, int]]:
    return set(zip(edges.upstream.tolist(), edges.downstream.tolist(), strict=True))


def busy(rng: np.random.Generator, n: int, days: int = 5) -> FloatArray:
    return rng.poisson(rng.uniform(5.0, 40.0, (n, 1)), (n, days * DAY)).astype(np.float64)


def plant(
    rng: np.random.Generator, counts: FloatArray, up: int, down: int, lag: int, gain: float
) -> None:
    counts[down, lag:] += rng.poisson(gain * counts[up, : counts.shape[1] - lag])


@pytest.mark.parametrize(("lag", "gain"), [(1, 0.5), (7, 2.0), (30, 0.3)])
def test_a_planted_edge_is_found_with_its_lag_and_gain(lag: int, gain: float) -> None:
    rng = np.random.default_rng(lag)
    counts = busy(rng, 8)
    plant(rng, counts, 2, 5, lag, gain)
    edges = edges_from_counts(demand(counts))
    assert ends(edges) == {(2, 5)}
    assert edges.lag_s[0] == 60.0 * lag
    assert edges.gain[0] == pytest.approx(gain, rel=0.2)
    assert edges.probability[0] > 0.9
    assert edges.direct[0]
    assert edges.seen_at_s[0] == 7 * 3600.0 + 5 * DAY * 60.0


def test_a_lag_between_steps_loses_no_gain() -> None:
    rng = np.random.default_rng(11)
    counts = busy(rng, 4)
    plant(rng, counts, 0, 1, 4, 0.45)
    plant(rng, counts, 0, 1, 5, 0.55)
    edges = edges_from_counts(demand(counts))
    assert ends(edges) == {(0, 1)}
    assert edges.lag_s[0] == 300.0
    assert edges.gain[0] == pytest.approx(1.0, rel=0.1)


def test_without_a_lag_both_ways_are_edges_and_come_together() -> None:
    rng = np.random.default_rng(1)
    counts = busy(rng, 4)
    plant(rng, counts, 0, 1, 0, 1.0)
    edges = edges_from_counts(demand(counts))
    assert ends(edges) == {(0, 1), (1, 0)}
    assert edges.together.all()
    assert edges.direct.all()


def test_a_service_between_explains_the_edge_to_the_far_end() -> None:
    rng = np.random.default_rng(2)
    counts = busy(rng, 5)
    plant(rng, counts, 0, 1, 3, 2.0)
    plant(rng, counts, 1, 2, 4, 2.0)
    edges = edges_from_counts(demand(counts))
    assert ends(edges) == {(0, 1), (1, 2), (0, 2)}
    direct = edges.where(edges.direct)
    assert ends(direct) == {(0, 1), (1, 2)}


def test_a_cycle_is_found_both_ways() -> None:
    rng = np.random.default_rng(3)
    counts = busy(rng, 5)
    before = counts.copy()
    counts[1, 3:] += rng.poisson(0.8 * before[0, :-3])
    counts[0, 5:] += rng.poisson(0.8 * before[1, :-5])
    edges = edges_from_counts(demand(counts))
    assert ends(edges) == {(0, 1), (1, 0)}
    assert sorted(edges.lag_s.tolist()) == [180.0, 300.0]


def test_an_autocorrelated_upstream_makes_no_edge_back() -> None:
    rng = np.random.default_rng(4)
    counts = busy(rng, 4, days=10)
    swing = np.convolve(rng.standard_normal(10 * DAY + 9), np.ones(10) / 10**0.5, "valid")
    counts[0] = rng.poisson(30.0 * np.exp(0.4 * swing))
    plant(rng, counts, 0, 1, 4, 1.0)
    assert ends(edges_from_counts(demand(counts))) == {(0, 1)}


@pytest.mark.parametrize(("days", "period"), [(10, DAY), (2, DAY), (1, DAY // 3)])
def test_a_common_season_makes_no_graph(days: int, period: int) -> None:
    """Too short a history to know the day's profile, and a swing of another period, among them."""
    rng = np.random.default_rng(5)
    step = np.arange(days * DAY)
    day = 1.0 + 0.9 * np.sin(2 * np.pi * step / period)
    hour = np.where(step % 60 < 2, 3.0, 1.0)
    level = rng.uniform(5.0, 40.0, (30, 1))
    counts = rng.poisson(level * day * hour).astype(np.float64)
    assert len(edges_from_counts(demand(counts))) == 0


@pytest.mark.parametrize("seed", range(3))
def test_independent_services_make_hardly_any_edge(seed: int) -> None:
    """Three thousand five hundred and forty pairs, none true."""
    counts = busy(np.random.default_rng(seed), 60, days=2)
    assert len(edges_from_counts(demand(counts))) <= 1


def test_shuffled_in_time_there_are_no_edges() -> None:
    rng = np.random.default_rng(6)
    counts = busy(rng, 20, days=2)
    for i in range(0, 20, 2):
        plant(rng, counts, i, i + 1, 5, 1.0)
    assert len(edges_from_counts(demand(counts))) == 10
    for row in counts:
        rng.shuffle(row)
    assert len(edges_from_counts(demand(counts))) <= 1


def test_constant_and_empty_series_make_no_edge_and_identical_ones_two() -> None:
    rng = np.random.default_rng(7)
    counts = busy(rng, 6, days=2)
    counts[0], counts[1], counts[2] = 0.0, 7.0, np.nan
    counts[4] = counts[3]
    edges = edges_from_counts(demand(counts))
    assert ends(edges) == {(3, 4), (4, 3)}
    np.testing.assert_allclose(edges.gain, 1.0, rtol=0.05)


@pytest.mark.parametrize("n_steps", [0, 1, 3, 70])
def test_short_history_finds_nothing(n_steps: int) -> None:
    counts = np.random.default_rng(8).poisson(9.0, (5, n_steps)).astype(np.float64)
    assert len(edges_from_counts(demand(counts))) == 0


def test_gaps_hide_no_edge() -> None:
    rng = np.random.default_rng(9)
    counts = busy(rng, 6)
    plant(rng, counts, 0, 1, 6, 1.0)
    counts[:, 2000:2200] = np.nan
    counts[1, 3000:3500] = np.nan
    edges = edges_from_counts(demand(counts))
    assert ends(edges) == {(0, 1)}
    assert edges.gain[0] == pytest.approx(1.0, rel=0.2)


def test_thousands_of_edges_are_found() -> None:
    """One service calls forty-five, which thereby follow each other: over two thousand pairs."""
    rng = np.random.default_rng(10)
    counts = busy(rng, 50, days=2)
    for i in range(1, 47):
        plant(rng, counts, 0, i, i % 15, 2.0)
    edges = edges_from_counts(demand(counts))
    assert len(edges) >= 2 * 46 * 45 / 4
    assert {i for a, i in ends(edges) if a == 0} >= set(range(1, 47))
