"""Edges for the tests of what is drawn and printed."""

import numpy as np

from autoscaler.core.prediction.dependencies import Edges, Origin


def edges(*pairs: tuple[str, str], indirect: str = "", **values: float) -> Edges:
    """Learned edges between services of these names; one of them not direct."""
    services = tuple(sorted({name for pair in pairs for name in pair}))
    m, ends = len(pairs), np.array([[services.index(n) for n in pair] for pair in pairs])
    known = {
        "lag_s": 2.0,
        "gain": 1.0,
        "probability": 0.9,
        "confidence": 0.8,
        "evidence": 9.0,
    } | values
    return Edges(
        services=services,
        upstream=ends.reshape(m, 2)[:, 0].astype(np.int64),
        downstream=ends.reshape(m, 2)[:, 1].astype(np.int64),
        seen_at_s=np.full(m, 1.77e9),
        direct=np.array(["".join(pair) != indirect for pair in pairs], dtype=np.bool_),
        origin=np.full(m, int(Origin.LEARNED_STARTS)),
        **{name: np.full(m, value) for name, value in known.items()},
    )


CHAIN = edges(("a", "b"), ("b", "c"), ("c", "d"), ("a", "c"), ("x", "y"), indirect="ac")


def names(chosen: Edges) -> list[str]:
    ends = zip(chosen.upstream.tolist(), chosen.downstream.tolist(), strict=True)
    return [f"{chosen.services[u]}{chosen.services[d]}" for u, d in ends]


def random_edges(n: int, m: int) -> Edges:
    rng = np.random.default_rng(0)
    up, down = np.divmod(rng.permutation(n * n)[: 2 * m], n)
    ends = np.stack([up, down])[:, up != down][:, :m].T.tolist()
    return edges(*((f"shop/s{u}", f"shop/s{d}") for u, d in ends))
