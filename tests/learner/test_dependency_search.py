"""Edges of all sources merged; a search that fails does not affect the others."""

from pathlib import Path

import numpy as np
import pytest

from autoscaler.core.prediction.dependencies import Edges, Origin, no_edges
from autoscaler.errors import TransientError
from learner.demand import Demand
from learner.dependencies.activity import Activity
from learner.dependencies.count_search import edges_in_counts
from learner.dependencies.start_search import StartSearch
from learner.dependency_search import DependencySearch, EdgeSource

NOW = 1_700_000_000.0
A_DAY = 1440


class Nothing:
    """A source without starts."""

    def read(self, *, start_s: float, end_s: float) -> Activity:
        return Activity(starts={}, last_calls={}, observed_s=np.zeros(0))


class Source:
    """Edges that a test sets, and faults."""

    def __init__(self, edges: Edges) -> None:
        self.edges = edges
        self.fault: Exception | None = None

    def find(self, demand: Demand) -> Edges:
        if self.fault:
            raise self.fault
        return self.edges


def busy() -> Demand:
    """Buy follows browse two minutes later; another is independent; seeded."""
    rng = np.random.default_rng(1)
    browse = rng.poisson(30.0 * np.exp(0.5 * rng.standard_normal(A_DAY)))
    counts = np.stack(
        [browse, np.roll(rng.binomial(browse, 0.5), 2), rng.poisson(20.0, A_DAY)]
    ).astype(float)
    return Demand(
        services=("shop/browse", "shop/buy", "shop/other"),
        start_s=NOW - 60.0 * A_DAY,
        step_s=60.0,
        arrivals=counts,
        peak=counts,
        capacity=np.ones(3),
    )


def edge(up: str, down: str, origin: Origin, **columns: float) -> Edges:
    known = {name: np.array([value]) for name, value in columns.items()}
    names = ("lag_s", "gain", "probability", "confidence", "evidence", "seen_at_s")
    return Edges(
        services=(up, down),
        upstream=np.array([0]),
        downstream=np.array([1]),
        direct=np.ones(1, dtype=np.bool_),
        origin=np.array([int(origin)]),
        **(dict.fromkeys(names, np.full(1, np.nan)) | known),
    )


def dependency_search(folder: Path, *sources: EdgeSource) -> DependencySearch:
    return DependencySearch(StartSearch(Nothing(), folder / "evidence.npz"), sources)


def pairs(edges: Edges) -> dict[tuple[str, str], int]:
    ends = zip(edges.upstream, edges.downstream, strict=True)
    return {(edges.services[up], edges.services[down]): i for i, (up, down) in enumerate(ends)}


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if record.levelname == "WARNING"]


def test_continuous_services_are_searched_when_models_are_fitted(tmp_path: Path) -> None:
    search = dependency_search(tmp_path)
    assert not search.update(None, NOW)
    assert search.update(busy(), NOW, edges_in_counts(busy()))
    at = pairs(search.edges)[("shop/browse", "shop/buy")]
    assert (search.edges.lag_s[at], search.edges.origin[at]) == (
        120.0,
        Origin.LEARNED_COUNTS,
    )
    found = search.edges
    assert not search.update(None, NOW + 60.0)
    assert search.edges is found


def test_the_best_source_wins_and_the_others_fill_in(tmp_path: Path) -> None:
    mesh = Source(edge("shop/browse", "shop/buy", Origin.ISTIO, gain=0.25))
    search = dependency_search(tmp_path, EdgeSource(part="a mesh", find=mesh.find))
    search.update(busy(), NOW, edges_in_counts(busy()))
    at = pairs(search.edges)[("shop/browse", "shop/buy")]
    edges = search.edges
    assert (edges.origin[at], edges.gain[at], edges.lag_s[at]) == (Origin.ISTIO, 0.25, 120.0)


@pytest.mark.parametrize("fault", [TransientError("is gone"), ValueError("a fault of ours")])
def test_a_search_that_fails_keeps_what_it_found_and_is_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, fault: Exception
) -> None:
    mesh = Source(edge("shop/front", "shop/cart", Origin.ISTIO))
    search = dependency_search(tmp_path, EdgeSource(part="a mesh", find=mesh.find))
    search.update(busy(), NOW, edges_in_counts(busy()))
    mesh.fault = fault
    for minute in (1, 2, 3):
        search.update(busy(), NOW + 60.0 * minute)
    assert {("shop/browse", "shop/buy"), ("shop/front", "shop/cart")} <= pairs(search.edges).keys()
    assert [("a mesh" in text, str(fault) in text) for text in warnings(caplog)] == [(True, True)]
    mesh.fault, mesh.edges = None, no_edges(())
    caplog.set_level("INFO")
    search.update(busy(), NOW + 240.0)
    assert ("shop/front", "shop/cart") not in pairs(search.edges)
    assert "after_s=180" in caplog.records[-1].message
