"""A chain that nobody declared starts together once its starts were seen: one start-up again.

Takes some fifty minutes: four services without a word about who calls whom, called now and then, a
real Prometheus, and the learner as its manifest has it. A start is counted some minutes later, as
samples may be delayed.

No forecast has a part in it: models are fitted once an hour, as by default, and at first there is
nothing to fit them on. And where a call is worth ten seconds of a pod, few would be worth it. A
pod that goes costs its drain and the next one's start-up, half a minute: the next call is farther
away than both together, or a pod would rightly be kept for it.
"""

import json
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.cluster.chains import LENGTH, START_MS, chain, cold_calls
from tests.cluster.conftest import NAMESPACE, Cluster, Deploy
from tests.cluster.learning import learner

NAME = "e2e-learned"
OURS = {"mode": "outward", "cold-price": "10s"}
SLEPT_S, MEAN_S = 65.0, 90.0  # a call later than a minute after the last is a start; mean beyond
LEARNING_S = 3_000.0  # at most
ROUNDS = 10
SERVICES = [f"{NAMESPACE}/{NAME}-{i}" for i in range(LENGTH)]
REACH = {(up, down) for i, up in enumerate(SERVICES) for down in SERVICES[i + 1 :]}


@pytest.fixture(scope="module")
def learning(cluster: Cluster) -> Iterator[None]:
    """Prometheus and a learner."""
    with learner(cluster, refit="1h"):
        yield


def test_a_cold_chain_that_was_learned_costs_one_start_up(
    cluster: Cluster, deploy: Deploy, learning: None
) -> None:
    calls = cold_calls(cluster, chain(deploy, NAME, OURS), print)
    before = called_until_learned(cluster, calls)
    alone = deploy("e2e-alone", start_ms=START_MS, ours={"mode": "off"})
    single_calls = cold_calls(cluster, [alone], print)
    learned, single = [], []
    for _ in range(ROUNDS):
        learned.append(next(calls))
        head, *others = (woken_last(cluster, service) for service in SERVICES)
        assert head["reason"] in {"STABLE", "PANIC"}, head  # by the call itself
        for woken in others:
            assert woken["reason"] == "UPSTREAM", woken
            assert f"{SERVICES[0]} rose" in woken["sentence"], woken
        single.append(next(single_calls))
    p95 = float(np.percentile(learned, 95))
    print(
        f"one {np.median(single):.2f} s; chain, not learned yet, {np.median(before):.2f} s, the"
        f" median of {len(before)}; learned, p95 {p95:.2f} s"
    )
    assert np.median(before) >= 0.8 * LENGTH * START_MS / 1000
    assert p95 <= 1.2 * np.median(single)


def called_until_learned(cluster: Cluster, calls: Iterator[float]) -> list[float]:
    """s that calls took, at times that nothing tells, until all that follows is known."""
    begin = time.monotonic()  # noqa: TID251
    random = np.random.default_rng(0)
    took: list[float] = []
    while time.monotonic() - begin < LEARNING_S:  # noqa: TID251
        took.append(next(calls))
        due = time.monotonic() + SLEPT_S + random.exponential(MEAN_S)  # noqa: TID251
        while (left := due - time.monotonic()) > 0:  # noqa: TID251
            if learned_from_starts(cluster) == REACH:
                return took
            time.sleep(min(left, 1.0))
    raise AssertionError(f"after {len(took)} calls: {learned_from_starts(cluster)}")


def learned_from_starts(cluster: Cluster) -> set[tuple[str, str]]:
    """Who pulls whom among the chain's services, upstream first."""
    found = json.loads(cluster.page("/v1/dependencies?limit=1000"))["dependencies"]
    pairs = {
        (edge["upstream"], edge["downstream"])
        for edge in found
        if edge["origin"] == "learned from starts"
    }
    return {pair for pair in pairs if set(pair) <= set(SERVICES)}


def woken_last(cluster: Cluster, service: str) -> dict[str, Any]:
    """The newest decision that wanted pods of a service that had none."""
    changes = json.loads(cluster.page(f"/v1/decisions/{service}"))["changes"]
    return next(dict(change) for change in changes if change["before"] == 0)
