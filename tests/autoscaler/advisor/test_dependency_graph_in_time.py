"""What tenants can declare, in time; the bounds are ten times what a slow core takes."""

from itertools import product
from time import process_time

import pytest

from autoscaler.advisor.declarations import Declaration
from autoscaler.advisor.dependency_graph import DependencyGraph, dependency_graph
from autoscaler.core.prediction.dependencies import Edges, Origin, no_edges
from autoscaler.core.state.revision import Mode
from autoscaler.limits import PATHS
from tests.autoscaler.advisor.graphs import edges_of, random_pairs

NOBODY = no_edges(())
Declarations = dict[str, list[Declaration]]


def timed(
    known: Edges, declared: Declarations, *, trust: bool = False
) -> tuple[DependencyGraph, float]:
    begun_s = process_time()
    graph = dependency_graph(known, declared, trust_namespaces=trust)
    assert graph is not None
    return graph, process_time() - begun_s


def naming(names: list[str]) -> Declaration:
    return Declaration(upstreams=",".join(names), mode=Mode.OUTWARD)


def test_ten_that_name_each_other_and_a_chain_after_them() -> None:
    ten = [f"a{i}" for i in range(10)]
    declared = {f"s/{name}": [naming([n for n in ten if n != name])] for name in ten}
    chain = [f"b{i:02d}" for i in range(12)]
    for name, before in zip(chain, [ten, *([c] for c in chain)], strict=False):
        declared[f"s/{name}"] = [naming(before)]
    graph, took_s = timed(NOBODY, declared)
    assert len(graph.paths) == 10 * 9 + 10 * 12 + 12 * 11 // 2
    assert took_s < 1.0


def test_those_who_name_each_other_and_are_off_make_no_path() -> None:
    ten = [f"a{i}" for i in range(10)]
    off = [Declaration(upstreams=",".join(ten), mode=Mode.OFF)]
    graph, _ = timed(NOBODY, {f"s/{name}": off for name in ten})
    assert (len(graph.edges), len(graph.paths)) == (90, 0)


def test_two_hundred_that_name_each_other() -> None:
    names = [f"a{i:03d}" for i in range(200)]
    declared = {f"s/{name}": [naming([n for n in names if n != name])] for name in names}
    graph, took_s = timed(NOBODY, declared)
    assert graph.excess["upstream_names"] == 200 * 167
    assert (len(graph.edges), len(graph.paths)) == (200 * 32, 33 * 64)
    assert took_s < 3.0


@pytest.mark.parametrize("trust", [False, True], ids=["by consent", "all"])
def test_a_large_fleet_of_twenty_namespaces(trust: bool) -> None:
    names = [f"n{i % 20:02d}/s{i:05d}" for i in range(3_000)]
    known = edges_of(sorted(names), random_pairs(3_000, 9_000), origin=Origin.ISTIO)
    declared = {name: [Declaration()] for name in names}
    graph, took_s = timed(known, declared, trust=trust)
    assert (len(graph.edges), len(graph.paths)) == (9_000, 40_960 if trust else 490)
    assert took_s < 40.0


@pytest.mark.parametrize("trust", [False, True], ids=["by consent", "all"])
def test_a_gateway_and_a_hundred_tenants_that_name_all_they_can(trust: bool) -> None:
    declared = {"edge/gate": [Declaration(downstream_namespaces="*")]}
    for tenant, k in product(range(100), range(5)):
        own = [f"s{i}" for i in range(5) if i != k]
        others = [f"t{(tenant + i) % 100:03d}/s{i % 5}" for i in range(1, 28)]
        declared[f"t{tenant:03d}/s{k}"] = [
            Declaration(
                upstreams=",".join(["edge/gate", *own, *others]),
                downstream_namespaces="*",
                mode=Mode.OUTWARD,
            )
        ]
    graph, took_s = timed(NOBODY, declared, trust=trust)
    assert len(graph.edges) == 500 * 32
    assert 0 < len(graph.paths) <= PATHS.most
    assert took_s < 30.0
