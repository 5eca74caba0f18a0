"""Faults of activators: floods, invalid frames and wrong clocks affect no other service."""

import asyncio
import contextlib
import time

import pytest
import websockets

from autoscaler.limits import FRAME_BYTES, FRAME_MESSAGES
from tests.apiserver.activator import Activator
from tests.apiserver.neighbour import NAME, Neighbour
from tests.apiserver.objects import Objects
from tests.apiserver.plane import wait_until
from tests.apiserver.processes import Controller
from tests.apiserver.standins import World

FLOODED = 100  # revisions in each frame of a flood


def test_a_flood_of_one_activator_delays_no_other(
    controller: Controller, neighbour: Neighbour, other_activator: Activator, world: World
) -> None:
    other, sent = other_activator, 0

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
    time.sleep(1)  # so that it is no matter of buffers
    neighbour.assert_served()
    rate = sent / (time.monotonic() - began_s)  # noqa: TID251
    world.cancel(task)
    print(f"{rate:.0f} frames/s of {FLOODED} revisions")
    assert rate > 300
    assert controller.listens()


def test_frames_that_nobody_understands_concern_their_sender_alone(
    cluster: Objects,
    controller: Controller,
    neighbour: Neighbour,
    other_activator: Activator,
    world: World,
) -> None:
    other = other_activator
    for frame in (
        b"\xff" * 40,
        b"",
        b"\x0a\xff\xff\xff\xff\x0f",
        other.frame({neighbour.key: (9, 9)})[:-2],
        b"\x0a\x00" * (int(FRAME_MESSAGES.most) + 1),
    ):
        world.run(other.socket.send(frame))
    world.run(other.socket.send("text is no frame"))
    bitten = {"garbled_frames", "message_bytes", "frame_messages"}
    wait_until(lambda: bitten <= controller.notes["refused"].keys(), 40, "the garbage to be said")
    assert other.connections == 1
    world.run(other.socket.send(b"\0" * (int(FRAME_BYTES.most) + 1)))
    wait_until(lambda: 1009 in other.closed, 40, "the oversized frame to be refused")
    wait_until(lambda: other.connections == 2, 40, "its sender to be back")
    assert cluster.replicas(NAME) == 0
    assert "Traceback" not in controller.log
    neighbour.assert_served()


def test_numbers_that_no_activator_can_mean_change_nothing(
    cluster: Objects,
    controller: Controller,
    neighbour: Neighbour,
    other_activator: Activator,
    world: World,
) -> None:
    for absurd in (float("nan"), float("inf"), -5.0, 1e300):
        stats = {neighbour.key: (absurd, absurd), "nowhere/cart-00001": (absurd, 1.0)}
        world.run(other_activator.send(stats))
    controller.wait_for_ticks()
    assert controller.notes["refused"]["sample"] >= 4
    assert cluster.replicas(NAME) == 0
    assert "Traceback" not in controller.log
    neighbour.assert_served()


@pytest.mark.parametrize("skew_s", [-3600.0, 3600.0])
def test_a_clock_that_is_an_hour_off_costs_no_request(
    cluster: Objects,
    controller: Controller,
    neighbour: Neighbour,
    other_activator: Activator,
    world: World,
    skew_s: float,
) -> None:
    """What the clock of one activator makes unusable does not spoil what another says."""
    other_activator.skew_s = skew_s
    world.run(other_activator.send({neighbour.key: (3.0, 3.0)}))
    other_activator.in_flight[neighbour.key] = 3.0
    controller.wait_for_ticks(1)
    neighbour.assert_served()
    wait_until(lambda: cluster.is_active(NAME), 40, "up")
    controller.wait_for_ticks()
    assert cluster.replicas(NAME) >= 1
    assert "Traceback" not in controller.log
    other_activator.in_flight.clear()
    neighbour.activator.in_flight.clear()
    cluster.wait_for_pods(NAME, 0, 60)
