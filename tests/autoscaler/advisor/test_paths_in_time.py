"""Graphs that once took seconds or all memory; the bounds are ten times what a slow core takes."""

from dataclasses import fields
from itertools import pairwise, permutations
from time import process_time

import numpy as np
import pytest

from autoscaler.advisor.paths import NamedPaths
from autoscaler.core.prediction.dependencies import Edges
from autoscaler.limits import PATHS
from tests.autoscaler.advisor.graphs import (
    NAN,
    edges_of,
    layered,
    pairs,
    paths_of,
    random_pairs,
    shop,
)


def timed(edges: Edges) -> tuple[NamedPaths, float]:
    begun_s = process_time()
    paths = paths_of(edges)
    return paths, process_time() - begun_s


def probability_of(known: bool, m: int) -> object:
    return np.random.default_rng(0).uniform(0.3, 1.0, m) if known else NAN


def test_ten_that_name_each_other_and_a_chain_after_them() -> None:
    clique = list(permutations(range(10), 2))
    chain = [(i, 10) for i in range(10)] + list(pairwise(range(10, 22)))
    paths, took_s = timed(edges_of(shop(22), clique + chain))
    assert len(paths) == 10 * 9 + 10 * 12 + 12 * 11 // 2
    assert paths.hops.max() == 12
    assert took_s < 1.0


def test_two_hundred_that_name_each_other() -> None:
    paths, took_s = timed(edges_of(shop(200), permutations(range(200), 2)))
    assert (len(paths), set(paths.hops.tolist())) == (200 * 64, {1})
    assert took_s < 3.0


@pytest.mark.parametrize("known", [True, False], ids=["probabilities", "none"])
def test_a_layered_mesh(known: bool) -> None:
    edges = edges_of(shop(1000), layered(1000, 10, 3320), probability=probability_of(known, 3320))
    paths, took_s = timed(edges)
    assert 30_000 < len(paths) <= 64_000
    assert took_s < 5.0


@pytest.mark.parametrize("m", [4_000, 10_000])
@pytest.mark.parametrize("known", [True, False], ids=["probabilities", "none"])
def test_a_graph_of_any_edges(known: bool, m: int) -> None:
    edges = edges_of(shop(1000), random_pairs(1000, m), probability=probability_of(known, m))
    paths, took_s = timed(edges)
    assert 60_000 < len(paths) <= 64_000
    assert took_s < 7.0


def test_paths_of_a_large_fleet_are_few_enough_to_hand_on() -> None:
    edges = edges_of(shop(3000), random_pairs(3000, 12_000))
    paths, took_s = timed(edges)
    assert len(paths) == PATHS.most
    assert len(set(pairs(paths))) == len(paths)
    columns = [getattr(paths, field.name) for field in fields(NamedPaths)]
    assert sum(c.nbytes for c in columns if isinstance(c, np.ndarray)) < 10_000_000
    assert took_s < 20.0
