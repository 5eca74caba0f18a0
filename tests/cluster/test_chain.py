"""A chain of cold services starts together: one start-up, however long it is."""

from collections.abc import Callable

import numpy as np

from tests.cluster.conftest import Cluster, Deploy

LENGTH, ROUNDS = 4, 10
START_MS = 2000
TO_ZERO_S = 150.0
CALL_S = 60.0  # a call that is waited for


def chain(deploy: Deploy, name: str, mode: str) -> list[str]:
    """Revisions that call each other, the first one first; made from the last one on."""
    revisions: list[str] = []
    for i in reversed(range(LENGTH)):
        ours = {"mode": mode} | ({"upstreams": f"{name}-{i - 1}"} if i else {})
        calls = revisions[0] if revisions else ""
        made = deploy(f"{name}-{i}", start_ms=START_MS, ours=ours, calls=calls)
        revisions.insert(0, made)
    return revisions


def cold_calls(
    cluster: Cluster, revisions: list[str], rounds: int, tell: Callable[[str], None]
) -> list[float]:
    """s that each of so many calls took, all services being cold and all pods new."""
    used: set[str] = set()
    took = []
    for _ in range(rounds):
        for revision in revisions:
            cluster.until(lambda r=revision: not cluster.pods(r), TO_ZERO_S, f"{revision} at zero")  # type: ignore[misc]
        status, pods, seconds = cluster.call_all(revisions[0])
        assert (status, len(pods)) == (200, len(revisions))
        assert not used & set(pods)
        used |= set(pods)
        took.append(seconds)
        tell(f"{len(took)}: {seconds:.2f} s")
    return took


def test_a_cold_chain_costs_one_start_up(cluster: Cluster, deploy: Deploy) -> None:
    single = deploy("e2e-single-start", start_ms=START_MS)
    one = cold_calls(cluster, [single], 3, print)
    ours = cold_calls(cluster, chain(deploy, "e2e-chain", "outward"), ROUNDS, print)
    knative = cold_calls(cluster, chain(deploy, "e2e-slow", "off"), 2, print)
    p95 = float(np.percentile(ours, 95))
    print(f"one {np.median(one):.2f} s; chain p95 {p95:.2f} s; Knative's rule {knative}")
    assert p95 <= 1.2 * np.median(one)
    assert min(knative) >= 0.8 * LENGTH * START_MS / 1000
