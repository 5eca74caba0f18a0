"""Chains of services: a first request starts all downstream services before any tick."""

import numpy as np
import pytest

from autoscaler.core.prediction.advice import Paths
from autoscaler.core.state.decision import Reason, explain, reason_of
from knative.controller.state.instructions import Instruction, Scale
from tests.knative.controller.world import OUTWARD, World, plans
from tests.knative.objects import NAMESPACE

CHAIN = ("front", "cart", "stock", "bank")


def paths(*pairs: tuple[int, int]) -> Paths:
    """Sure paths between services, by index; the call follows at once."""
    m = len(pairs)
    return Paths(
        upstream=np.array([up for up, _ in pairs], dtype=np.int64),
        downstream=np.array([down for _, down in pairs], dtype=np.int64),
        probability=np.ones(m),
        confidence=np.ones(m),
        gain=np.ones(m),
        lag_s=np.zeros(m),
    )


class Chain(World):
    """Revisions at zero, and what is known of who calls whom."""

    def __init__(self, *pairs: tuple[int, int], ready: int = 0) -> None:
        """ready: pods of the first."""
        super().__init__()
        for i, name in enumerate(CHAIN):
            warm = ready if i == 0 else 0
            active = "True" if warm else "False"
            self.has_revision(name, active=active, ready=warm, annotations=OUTWARD)
            self.receives(f"{NAMESPACE}/{name}", concurrency=0.0)
        services = tuple(f"{NAMESPACE}/{name}-service" for name in CHAIN)
        self.advised({}, services=services, paths=paths(*pairs))
        self.tick()

    def call(self, name: str, after_s: float = 0.3) -> dict[str, int]:
        """A request comes; pods that are asked for at once, by name."""
        self.clock.advance(after_s)
        return pods(self.receives(f"{NAMESPACE}/{name}", concurrency=1.0))


def pods(done: list[Instruction]) -> dict[str, int]:
    return {
        plan.name: write.pods
        for plan in plans(done)
        for write in plan.writes
        if isinstance(write, Scale)
    }


EVERY = [(up, down) for up in range(4) for down in range(up + 1, 4)]


def test_a_chain_of_cold_services_starts_with_the_first_request() -> None:
    chain = Chain(*EVERY)
    assert chain.call("front") == dict.fromkeys(CHAIN, 1)


def test_a_call_in_the_middle_of_a_chain_starts_only_those_downstream() -> None:
    assert Chain(*EVERY).call("stock") == {"stock": 1, "bank": 1}


def test_without_paths_each_service_waits_for_its_own_call() -> None:
    assert Chain().call("front") == {"front": 1}


@pytest.mark.parametrize("mode", ["shadow", "off"])
def test_without_the_mode_each_service_waits_for_its_own_call(mode: str) -> None:
    chain = Chain(*EVERY)
    for name in CHAIN:
        chain.has_revision(name, active="False", ready=0, annotations={"kn-ahead.dev/mode": mode})
    assert chain.call("front") == {"front": 1}


def test_the_decision_names_the_upstream() -> None:
    chain = Chain(*EVERY)
    chain.call("front")
    decision = chain.decided(f"{NAMESPACE}/bank")
    assert reason_of(decision) is Reason.UPSTREAM
    said = explain(decision, upstream="shop/front-service")
    assert said.startswith("1 pod: shop/front-service rose to 1 rps 0 s ago; gain 1, lag 0 s")


def test_a_call_of_an_idle_warm_gateway_starts_its_downstreams_at_once() -> None:
    chain = Chain((0, 1), ready=1)
    assert chain.call("front") == {"cart": 1}
    assert chain.call("front") == {}  # it goes on: no start
    chain.tick(2.0)
    assert chain.call("front") == {}


def test_downstreams_change_nothing_for_the_gateway_itself() -> None:
    """A start of it is no reason to decide it: else whoever names it would say when it is."""
    decided = []
    for chain in (Chain(ready=1), Chain((0, 1), ready=1)):
        window = {"autoscaling.knative.dev/window": "5m"}  # in which it does not go to zero
        chain.has_revision("front", annotations=OUTWARD | window)
        chain.call("front")
        chain.tick(1.7)
        assert chain.decided("shop/front").kpa == 1
        assert chain.call("front", after_s=70.0).keys() <= {"cart"}
        decided.append(repr(chain.decided("shop/front")))
        chain.tick(1.3)
        decided.append(repr(chain.decided("shop/front")))
    assert decided[:2] == decided[2:]


def test_paths_follow_their_services_to_any_row() -> None:
    chain = Chain(*EVERY)
    chain.loses("PodAutoscaler", "shop/cart")
    assert chain.call("front") == {"front": 1, "stock": 1, "bank": 1}
    chain.has_revision("cart", active="False", ready=0, annotations=OUTWARD)
    chain.receives("shop/cart", concurrency=0.0)
    chain.tick(2.0)
    assert chain.column("decision", "anticipated", "shop/cart") == 1
