"""Graphs to test with: edges by index, paths by pair."""

from collections.abc import Iterable

import numpy as np

from autoscaler.advisor.paths import NamedPaths, best_paths
from autoscaler.core.prediction.dependencies import COLUMNS, Edges, Origin

NAN = np.nan


def edges_of(
    services: Iterable[str],
    pairs: Iterable[tuple[int, int]],
    *,
    probability: object = NAN,
    confidence: object = 1.0,
    gain: object = NAN,
    lag_s: object = NAN,
    origin: object = Origin.ANNOTATION,
) -> Edges:
    """Edges between services, by index; a column is a number for all or one for each."""
    ends = np.array(list(pairs), dtype=np.int64).reshape(-1, 2)
    m = len(ends)

    def column(values: object) -> np.ndarray:
        return np.broadcast_to(np.asarray(values, dtype=float), (m,)).copy()

    return Edges(
        services=tuple(services),
        upstream=ends[:, 0],
        downstream=ends[:, 1],
        lag_s=column(lag_s),
        gain=column(gain),
        probability=column(probability),
        confidence=column(confidence),
        evidence=column(NAN),
        seen_at_s=column(NAN),
        direct=np.ones(m, dtype=np.bool_),
        origin=np.broadcast_to(np.asarray(origin, dtype=np.int64), (m,)).copy(),
    )


def shop(n: int) -> list[str]:
    """Names of services in one namespace, in the order of their indices."""
    return [f"shop/s{i:05d}" for i in range(n)]


def paths_of(edges: Edges, **options: object) -> NamedPaths:
    """All paths; nobody stops it."""
    found = best_paths(edges, **options)  # type: ignore[arg-type]
    assert found is not None
    return found


def pairs(paths: NamedPaths) -> list[tuple[int, int]]:
    """(upstream, downstream) of each path."""
    return list(zip(paths.upstream.tolist(), paths.downstream.tolist(), strict=True))


def numbers(paths: NamedPaths) -> dict[tuple[int, int], tuple[float, ...]]:
    """Probability, gain, lag and hops by pair."""
    columns = paths.probability, paths.gain, paths.lag_s, paths.hops
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return dict(zip(pairs(paths), rows, strict=True))


def value(paths: NamedPaths) -> dict[tuple[int, int], float]:
    """Probability x confidence by pair."""
    values = (paths.probability * paths.confidence).tolist()
    return dict(zip(pairs(paths), values, strict=True))


def joined(one: Edges, other: Edges) -> Edges:
    """The edges of both, over the same services; pairs perhaps twice."""
    columns = {name: np.concatenate([getattr(one, name), getattr(other, name)]) for name in COLUMNS}
    return Edges(services=one.services, **columns)


def layered(n: int, layers: int, m: int) -> list[tuple[int, int]]:
    """A mesh: m edges, each from one layer to the next."""
    rng, size = np.random.default_rng(0), n // layers
    found: set[tuple[int, int]] = set()
    while len(found) < m:
        layer = int(rng.integers(layers - 1))
        up, down = rng.integers(size, size=2).tolist()
        found.add((layer * size + up, (layer + 1) * size + down))
    return sorted(found)


def random_pairs(n: int, m: int) -> list[tuple[int, int]]:
    """m edges between any two services."""
    rng = np.random.default_rng(0)
    found: set[tuple[int, int]] = set()
    while len(found) < m:
        up, down = rng.integers(n, size=2).tolist()
        if up != down:
            found.add((up, down))
    return sorted(found)
