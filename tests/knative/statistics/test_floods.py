"""Probes are answered and activators heard, whatever others do; the server is a process of its own.

Limits here are loose, as the machine may be busy with other tests; `-s` shows what was measured.
"""

import socket
import time

import pytest

from autoscaler.limits import FRAME_BYTES, FRAME_MESSAGES
from tests.knative.statistics.examples import a_frame, a_message
from tests.knative.statistics.served import Served, attack, probe, served, upgraded

PROBES = 150
P99_S = 0.2
KUBELET = "127.0.0.9"
ACTIVATOR = "127.0.0.1"  # whose address the server knows
STRANGERS = [f"127.0.1.{i}" for i in range(1, 201)]

KNOWN = [f"revision-{i:05d}" for i in range(5000)]
SMALL_FRAMES = b"".join(a_message(a_frame(name)) for name in KNOWN)
LONG_NAMES = (f"revision-{i:05d}-{'x' * 45}" for i in range(int(FRAME_MESSAGES.most)))
LONGEST_FRAME = a_message(a_frame(*LONG_NAMES))
UNFINISHED = a_message(bytes(int(FRAME_BYTES.most)))[:-100]


def is_received(server: Served, activator: socket.socket, name: str) -> None:
    activator.sendall(a_message(a_frame(name, namespace="genuine")))
    assert server.took() == f"genuine/{name}"


def measure(server: Served, activator: socket.socket, what: str) -> None:
    """Probe for a while, and be heard in between."""
    took = list[float]()
    for i in range(PROBES):
        took.append(probe(server.port, KUBELET))
        if i % 10 == 0:
            is_received(server, activator, f"at-{i}")
        time.sleep(0.002)  # as kubelets come now and then, not all the time
    took.sort()
    p50, p99 = took[PROBES // 2], took[int(PROBES * 0.99)]
    print(
        f"{what}: probes p50 {p50 * 1e3:.1f} ms, p99 {p99 * 1e3:.1f} ms, {server.memory():.0f} MiB"
    )
    assert p99 < P99_S


@pytest.mark.parametrize(
    ("mode", "data", "addresses"),
    [
        pytest.param("again", SMALL_FRAMES, STRANGERS[:1], id="small frames"),
        pytest.param("again", SMALL_FRAMES, STRANGERS[:8], id="small frames by eight"),
        pytest.param("again", a_message(b"") * 10_000, STRANGERS[:1], id="empty frames"),
        pytest.param("again", LONGEST_FRAME, STRANGERS[:1], id="longest frames"),
        pytest.param("again", LONGEST_FRAME, STRANGERS[:4], id="longest frames by four"),
        pytest.param("once", UNFINISHED, STRANGERS, id="unfinished"),
        pytest.param("silent", b"", [KUBELET] * 150, id="silent"),
    ],
)
def test_a_flood_delays_nobody(mode: str, data: bytes, addresses: list[str]) -> None:
    with served() as server, upgraded(server.port, ACTIVATOR) as activator:
        is_received(server, activator, "first")
        memory = server.memory()
        with attack(mode, data, server.port, addresses):
            measure(server, activator, f"{mode} {len(data)} bytes by {len(addresses)}")
            assert server.memory("VmHWM") - memory < 64
