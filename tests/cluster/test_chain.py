"""A chain of cold services starts together: one start-up, however long it is."""

from itertools import islice

import numpy as np

from tests.cluster.chains import LENGTH, START_MS, chain, cold_calls
from tests.cluster.conftest import Cluster, Deploy

ROUNDS = 20  # of which the slowest one does not make the 95th percentile


def test_a_cold_chain_costs_one_start_up(cluster: Cluster, deploy: Deploy) -> None:
    single = cold_calls(cluster, [deploy("e2e-single-start", start_ms=START_MS)], print)
    ours = chain(deploy, "e2e-chain", {"mode": "outward"}, declared=True)
    rounds = zip(cold_calls(cluster, ours, print), single, strict=True)
    took, one = np.array(list(islice(rounds, ROUNDS))).T
    slow = chain(deploy, "e2e-slow", {"mode": "off"}, declared=True)
    knative = list(islice(cold_calls(cluster, slow, print), 2))
    p95 = float(np.percentile(took, 95))
    print(f"one {np.median(one):.2f} s; chain p95 {p95:.2f} s; Knative's rule {knative}")
    assert p95 <= 1.2 * np.median(one)
    assert min(knative) >= 0.8 * LENGTH * START_MS / 1000
