"""What is called by a timer is learned from Prometheus, and never cold again.

Takes some twenty minutes: a service that Knative lets go to zero between two calls, its twin that
no forecast may touch, a real Prometheus, and the learner as its manifest has it.
"""

import time
from collections.abc import Iterator

import pytest

from tests.cluster.conftest import Cluster, Deploy
from tests.cluster.learning import learner

PERIOD_S = 90.0
LEARNING, SHOWN = 14, 5  # calls at most until it is learned; calls that must be warm from then on
WARM_S = 1.0  # a cold call takes the start-up time, two seconds


@pytest.fixture(scope="module")
def learning(cluster: Cluster) -> Iterator[None]:
    """Prometheus and a learner."""
    with learner(cluster, refit="3m"):
        yield


def test_a_timer_that_was_learned_is_never_cold_again(
    cluster: Cluster, deploy: Deploy, learning: None
) -> None:
    ahead = deploy("e2e-ahead", start_ms=2000, ours={"mode": "outward"})
    twin = deploy("e2e-twin", start_ms=2000, ours={"mode": "off"})
    begin = time.monotonic()  # noqa: TID251
    warm: list[bool] = []
    twin_warm: list[bool] = []
    used: set[str] = set()
    for call in range(1, LEARNING + SHOWN + 1):
        time.sleep(max(0.0, begin + call * PERIOD_S - time.monotonic()))  # noqa: TID251
        ready = cluster.ready(ahead)
        status, pod, took = cluster.call(ahead)
        twin_status, _, twin_took = cluster.call(twin)
        assert (status, twin_status) == (200, 200)
        new = pod not in used
        used.add(pod)
        # Ready before the request came, and not merely kept since the last one.
        warm.append(pod in ready and new and took < WARM_S)
        twin_warm.append(twin_took < WARM_S)
        print(f"call {call}: {took:.2f} s by {pod}, new {new}; twin {twin_took:.2f} s")
        if len(warm) > SHOWN and all(warm[-SHOWN:]):
            break
    assert all(warm[-SHOWN:]), warm
    assert not any(twin_warm[1:]), twin_warm
