"""Whose starts follow whose: planted edges are found, coincidences are not."""

import numpy as np
import pytest

from autoscaler.core.types import FloatArray
from learner.dependencies.busy_periods import busy_periods_of
from learner.dependencies.starts.edges import edges_from_starts
from learner.dependencies.starts.evidence import gather
from tests.learner.dependencies.starts.made import (
    DAY_S,
    busy_periods,
    by_name,
    delays,
    found,
    poisson,
)


def test_a_planted_edge_is_found_with_its_direction_lag_and_gain() -> None:
    rng = np.random.default_rng(1)
    a = poisson(rng, 200)
    b = a[rng.random(200) < 0.6] + 2.0
    calls = {"a": a, "b": b, "other": poisson(rng, 200), "more": poisson(rng, 300)}
    edges = edges_from_starts(gather(busy_periods(calls)))
    assert set(by_name(edges)) == {("a", "b")}
    assert edges.lag_s[0] == pytest.approx(2.0, abs=0.2)
    assert edges.gain[0] == pytest.approx(0.6, abs=0.12)
    assert edges.probability[0] >= edges.gain[0]
    assert edges.confidence[0] > 0.99
    assert edges.direct.all()
    assert edges.seen_at_s[0] == pytest.approx(b.max(), abs=1e-6)


def test_a_service_between_explains_the_edge_to_the_far_end() -> None:
    rng = np.random.default_rng(2)
    a = poisson(rng, 150)
    chain = {"a": a, "b": a + 2.0, "c": a + 4.0, "d": a + 6.0}
    edges = edges_from_starts(gather(busy_periods(chain)))
    ends = by_name(edges)
    assert set(ends) == {(x, y) for x, y in ("ab", "ac", "ad", "bc", "bd", "cd")}
    assert {e for e, i in ends.items() if edges.direct[i]} == {("a", "b"), ("b", "c"), ("c", "d")}


def test_a_cycle_is_found_both_ways() -> None:
    rng = np.random.default_rng(3)
    starts = poisson(rng, 300)
    by_a, by_b = starts[::2], starts[1::2]
    calls = {
        "a": np.concatenate([by_a, by_b + 2.0]),
        "b": np.concatenate([by_a + 2.0, by_b]),
        "other": poisson(rng, 100),
    }
    assert set(found(calls)) == {("a", "b"), ("b", "a")}


def test_day_and_night_make_no_edges() -> None:
    rng = np.random.default_rng(4)
    calls: dict[str, FloatArray] = {}
    for i in range(30):
        at = poisson(rng, 3000, 3 * DAY_S)
        day = np.maximum(np.sin(2 * np.pi * at / DAY_S), 0.0)
        calls[f"s{i}"] = at[rng.random(len(at)) < 0.7 * day]
    assert found(calls, 3 * DAY_S) == {}


def test_timers_of_one_period_and_phase_come_together() -> None:
    """Whoever calls: each is needed when the other starts."""
    rng = np.random.default_rng(5)
    due = np.arange(30.0, 3 * DAY_S, 600.0)
    calls = {f"s{i}": due + delays(rng, len(due)) for i in range(2)}
    calls["other"] = np.arange(330.0, 3 * DAY_S, 600.0) + delays(rng, len(due))
    edges = edges_from_starts(gather(busy_periods(calls, 3 * DAY_S)))
    assert set(by_name(edges)) == {("s0", "s1"), ("s1", "s0")}
    assert edges.together.all()
    assert edges.probability.min() > 0.95


def test_a_timer_and_what_it_calls_are_an_edge() -> None:
    rng = np.random.default_rng(6)
    a = np.arange(30.0, 3 * DAY_S, 600.0)
    b = a + 2.0 * np.exp(0.1 * rng.standard_normal(len(a)))
    assert set(found({"a": a, "b": b, "c": b + 2.0}, 3 * DAY_S)) == {
        ("a", "b"),
        ("a", "c"),
        ("b", "c"),
    }


def test_loops_of_one_period_that_drift_side_by_side_make_no_edge_both_ways() -> None:
    rng = np.random.default_rng(13)
    calls = {f"s{i}": rng.uniform(0, 300) + np.cumsum(300.0 + 30 * delays(rng, 800)) for i in "ab"}
    assert found(calls, 3 * DAY_S) == {}


def test_a_timer_does_not_hide_a_caller_at_other_times() -> None:
    rng = np.random.default_rng(7)
    due = np.arange(30.0, DAY_S, 1800.0)
    a = poisson(rng, 150)
    assert set(found({"a": a, "b": np.concatenate([due, a + 2.0])})) == {("a", "b")}


def test_four_of_fourteen_suffice_where_the_callee_hardly_ever_starts() -> None:
    rng = np.random.default_rng(19)
    a = poisson(rng, 14, 3 * DAY_S)
    calls = {"a": a, "b": a[[2, 5, 7, 11]] + 2.0}
    calls |= {f"other{i}": poisson(rng, 100, 3 * DAY_S) for i in range(20)}
    assert set(found(calls, 3 * DAY_S)) == {("a", "b")}


@pytest.mark.parametrize("seed", range(3))
def test_shuffled_services_make_hardly_any_edge(seed: int) -> None:
    """Two thousand four hundred and fifty pairs, none true; now and then one may pass."""
    rng = np.random.default_rng(seed)
    calls = {f"s{i}": poisson(rng, int(rng.integers(5, 400))) for i in range(50)}
    assert len(found(calls)) <= 1


def test_the_same_calls_under_two_names_are_edges_both_ways() -> None:
    a = poisson(np.random.default_rng(8), 100)
    assert set(found({"a": a, "b": a})) == {("a", "b"), ("b", "a")}


def test_without_starts_there_are_no_edges() -> None:
    nothing = np.zeros(0)
    assert found({"a": nothing, "b": nothing}) == {}
    assert found({"a": np.array([5.0]), "b": nothing}) == {}
    assert found({"a": np.array([5.0]), "b": np.array([6.0])}) == {}  # once is chance
    none = np.zeros(0, dtype=np.int64)
    empty = busy_periods_of((), none, nothing, since_s=0.0, until_s=DAY_S)
    assert len(edges_from_starts(gather(empty))) == 0


def test_a_continuous_service_has_no_edges() -> None:
    rng = np.random.default_rng(9)
    assert found({"busy": np.arange(0.0, DAY_S, 10.0), "a": poisson(rng, 200)}) == {}
