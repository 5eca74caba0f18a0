"""An activator that floods, talks nonsense or has a wrong clock harms nobody else."""

import asyncio
import contextlib
import time
from collections.abc import Iterator

import pytest
import websockets

from knative.activators import LARGEST_FRAME
from tests.apiserver.conftest import Objects, SeatProcess
from tests.apiserver.plane import wait_until
from tests.apiserver.standins import Activator, World

SERVED_S = 1.0  # from the word of a request to the pods asked for, however busy others keep us
FLOODED = 100  # revisions in each frame of a flood


@pytest.fixture
def asleep(cluster: Objects, activator: Activator) -> str:
    """A revision at zero."""
    return cluster.asleep("cart-00001")


@pytest.fixture
def other(seat: SeatProcess, world: World) -> Iterator[Activator]:
    """A second activator."""
    made = Activator(seat.stats_port)
    task = world.spawn(made.keep_connected())
    wait_until(lambda: made.socket is not None, 30, "the other activator's socket")
    yield made
    task.cancel()


def assert_served(cluster: Objects, world: World, activator: Activator, key: str) -> None:
    """A request of one activator brings a pod at once, over the socket that it has had all along.

    It goes on to report the request, as an activator does until a pod takes it.
    """
    activator.in_flight[key] = 1.0
    world.run(activator.poke(key))
    took_s = wait_until(lambda: cluster.replicas("cart-00001") == 1, 30, "woken")
    assert took_s < SERVED_S
    assert activator.connections == 1


def test_a_flood_of_one_activator_delays_no_other(
    cluster: Objects,
    seat: SeatProcess,
    activator: Activator,
    other: Activator,
    asleep: str,
    world: World,
) -> None:
    sent = 0

    async def flood() -> None:
        nonlocal sent
        frame = other.frame({f"nowhere/cart-{i:05d}": (1.0, 1.0) for i in range(FLOODED)})
        with contextlib.suppress(websockets.ConnectionClosed):
            while True:
                for _ in range(20):
                    await other.socket.send(frame)
                    sent += 1
                await asyncio.sleep(0)

    began_s = time.monotonic()  # noqa: TID251
    task = world.spawn(flood())
    time.sleep(1)
    assert_served(cluster, world, activator, asleep)
    rate = sent / (time.monotonic() - began_s)  # noqa: TID251
    task.cancel()
    print(f"{rate:.0f} frames/s of {FLOODED} revisions")
    assert rate > 300
    assert seat.listens()


def test_frames_that_nobody_understands_concern_their_sender_alone(
    cluster: Objects,
    seat: SeatProcess,
    activator: Activator,
    other: Activator,
    asleep: str,
    world: World,
) -> None:
    for frame in (
        b"\xff" * 40,
        b"",
        b"\x0a\xff\xff\xff\xff\x0f",
        other.frame({asleep: (9, 9)})[:-2],
    ):
        world.run(other.socket.send(frame))
    world.run(other.socket.send("text is no frame"))
    wait_until(lambda: "not understood" in seat.log, 30, "the garbage to be said")
    assert other.connections == 1
    world.run(other.socket.send(b"\0" * (LARGEST_FRAME + 1)))
    wait_until(lambda: 1009 in other.closed, 30, "the oversized frame to be refused")
    wait_until(lambda: other.connections == 2, 30, "its sender to be back")
    assert cluster.replicas("cart-00001") == 0
    assert_served(cluster, world, activator, asleep)


def test_numbers_that_no_activator_can_mean_change_nothing(
    cluster: Objects,
    seat: SeatProcess,
    activator: Activator,
    other: Activator,
    asleep: str,
    world: World,
) -> None:
    for absurd in (float("nan"), float("inf"), -5.0, 1e300):
        world.run(other.send({asleep: (absurd, absurd), "nowhere/cart-00001": (absurd, 1.0)}))
    time.sleep(3)  # a tick and more
    assert cluster.replicas("cart-00001") == 0
    assert "Traceback" not in seat.log
    assert_served(cluster, world, activator, asleep)


@pytest.mark.parametrize("skew_s", [-3600.0, 3600.0])
def test_a_clock_that_is_an_hour_off_costs_no_request(
    cluster: Objects,
    seat: SeatProcess,
    activator: Activator,
    other: Activator,
    asleep: str,
    world: World,
    skew_s: float,
) -> None:
    """What the clock of one activator makes unusable does not spoil what another says."""
    other.skew_s = skew_s
    world.run(other.send({asleep: (3.0, 3.0)}))
    other.in_flight[asleep] = 3.0
    time.sleep(1.5)
    assert_served(cluster, world, activator, asleep)
    wait_until(lambda: cluster.condition("cart-00001", "Active").get("status") == "True", 30, "up")
    time.sleep(3)
    assert cluster.replicas("cart-00001") >= 1
    assert "Traceback" not in seat.log
    other.in_flight.clear()
    activator.in_flight.clear()
    wait_until(lambda: cluster.replicas("cart-00001") == 0, 40, "zero again")
