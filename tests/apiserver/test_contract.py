"""What is easiest to get wrong about Knative's contract, item by item, on a real API server."""

from tests.apiserver.conftest import Objects, SeatProcess
from tests.apiserver.plane import wait_until
from tests.apiserver.standins import Activator, World


def test_a_revision_becomes_ready_goes_to_zero_and_is_woken(
    cluster: Objects, seat: SeatProcess, activator: Activator, world: World
) -> None:
    key = cluster.revision("cart-00001")
    wait_until(lambda: cluster.initialized("cart-00001"), 20, "initialized")
    assert cluster.condition("cart-00001", "Active")["status"] == "True"
    wait_until(lambda: cluster.replicas("cart-00001") == 0, 40, "zero")
    world.run(activator.poke(key))
    took = wait_until(lambda: cluster.replicas("cart-00001") == 1, 5, "woken")
    assert took < 1
