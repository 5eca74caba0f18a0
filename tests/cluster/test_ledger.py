"""What the ledger says of the policy that is not in force is what a copy really does.

Takes some ten minutes: a service that is made ready by calls of its upstream, and its copy under
Knative's rule alone, called at the same time. Of the first the twin says what Knative's rule would
have done; the second shows it.
"""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.cluster.conftest import Cluster, Deploy

CALLS, PERIOD_S, AHEAD_S = 4, 130.0, 4.0
START_MS, COLD_S = 2000, 1.0
SHOWN_S = 6.0  # after three ticks whatever was counted is shown


def ledger(cluster: Cluster, service: str, policy: str) -> dict[str, float]:
    """The sums of one service under one policy, by their name."""
    sums = {}
    for family in text_string_to_metric_families(cluster.page("/metrics")):
        for sample in family.samples:
            said = sample.labels
            if said.get("service") == service and said.get("policy") == policy:
                sums[sample.name.removeprefix("kn_ahead_ledger_").removesuffix("_total")] = (
                    sample.value
                )
    return sums


def test_the_twin_says_of_knatives_rule_what_a_copy_under_it_does(
    cluster: Cluster, deploy: Deploy
) -> None:
    upstream = deploy("e2e-up", start_ms=200, ours={"mode": "off"})
    declared = {"mode": "outward", "upstreams": "e2e-up"}
    ahead = deploy("e2e-warm", start_ms=START_MS, ours=declared)
    copy = deploy("e2e-copy", start_ms=START_MS, ours={"mode": "off"})

    def all_gone() -> bool:
        """Those that drain as well; a later account shows all that they cost."""
        gone = not any(cluster.there(revision) for revision in (upstream, ahead, copy))
        return gone and in_force() == in_force(after_s=SHOWN_S)

    def in_force(after_s: float = 0.0) -> list[dict[str, float]]:
        time.sleep(after_s)
        return [ledger(cluster, name, "kn-ahead") for name in ("e2e-warm", "e2e-copy")]

    cluster.until(all_gone, 200, "all at zero")
    before = {name: ledger(cluster, name, "knative") for name in ("e2e-warm", "e2e-copy")}
    ours_before = ledger(cluster, "e2e-warm", "kn-ahead")
    waited_s = 0.0
    begin = time.monotonic()  # noqa: TID251
    with ThreadPoolExecutor(2) as pool:
        for call in range(CALLS):
            time.sleep(max(0.0, begin + call * PERIOD_S - time.monotonic()))  # noqa: TID251
            cluster.call(upstream)
            time.sleep(AHEAD_S)
            took = [answer[2] for answer in pool.map(cluster.call, (ahead, copy))]
            print(f"call {call}: {took[0]:.2f} s; its copy {took[1]:.2f} s")
            assert took[0] < COLD_S < took[1]
            waited_s += took[1]
    cluster.until(all_gone, 200, "all at zero again")
    grown = {
        name: {of: now - before[name].get(of, 0.0) for of, now in after.items()}
        for name in before
        if (after := ledger(cluster, name, "knative"))
    }
    ours = ledger(cluster, "e2e-warm", "kn-ahead")
    said, done = grown["e2e-warm"], grown["e2e-copy"]
    print(f"the twin: {said}; the copy: {done}; ours: {ours}, before {ours_before}")
    assert said["cold_requests"] == done["cold_requests"] == CALLS
    assert ours["cold_requests"] == ours_before["cold_requests"]
    assert said["cold_seconds"] == pytest.approx(done["cold_seconds"], rel=0.3)
    assert said["cold_seconds"] == pytest.approx(waited_s, rel=0.3)
    assert said["pod_seconds"] == pytest.approx(done["pod_seconds"], rel=0.2)
    assert said["pod_starts"] == done["pod_starts"]
