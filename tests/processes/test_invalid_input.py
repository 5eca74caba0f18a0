"""Whatever frames, objects and advice arrive, memory and response times stay bounded."""

import asyncio
import io
import json
import os
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from operator import mul
from pathlib import Path

import aiohttp
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from autoscaler.exchange.advice import LAYOUT, NAME
from benchmarks.controller.fake_objects import (
    a_deployment,
    a_pod,
    a_podautoscaler,
    a_serverlessservice,
)
from benchmarks.controller.processes import HERE, frame
from tests.processes.conftest import REVISIONS, Background, Watched

MIB = 2**20
ANSWER_S = 0.5  # that an attacker waits for an answer
KINDS = {
    "podautoscalers": a_podautoscaler,
    "serverlessservices": a_serverlessservice,
    "deployments": a_deployment,
    "pods": a_pod,
}
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: autoscaler\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)

Attack = Callable[[Watched], Awaitable[None]]


# --- what is said on the socket -------------------------------------------------------------------


def says(
    data: bytes, *, address: str = HERE, connections: int = 1, head: bytes = UPGRADE
) -> Attack:
    """Connections that say something, and then nothing."""

    async def attack(watched: Watched) -> None:
        writers = []
        for _ in range(connections):
            with suppress(OSError, TimeoutError):
                _, writer = await asyncio.open_connection(
                    HERE, watched.it.port, local_addr=(address, 0)
                )
                writers.append(writer)
                writer.write(head + data)
                await asyncio.wait_for(writer.drain(), ANSWER_S)
        await asyncio.sleep(0.1)
        for writer in writers:
            writer.close()

    return attack


def reports(data: bytes) -> Attack:
    """An activator that reports that."""

    async def attack(watched: Watched) -> None:
        with suppress(OSError, WebSocketException, TimeoutError):
            async with (
                asyncio.timeout(ANSWER_S),
                connect(f"ws://{HERE}:{watched.it.port}/", compression=None, proxy=None) as socket,
            ):
                await socket.send(data)
                await socket.wait_closed()

    return attack


def masked(opcode: int, length: int, payload: bytes) -> bytes:
    """The begin of a WebSocket frame of a client."""
    return bytes([opcode, 0x80 | 127]) + struct.pack(">Q", length) + bytes(4) + payload


numbers = st.one_of(
    st.floats(), st.sampled_from([1e9, 1e300, -1.0, -1e300, float("nan"), float("inf")])
)
names = st.one_of(
    st.text(max_size=300).filter(lambda text: not any("\ud800" <= c <= "\udfff" for c in text)),
    st.sampled_from(["namespace-000", "service-00000-00001", "\x1b[31m", "a" * 5_000]),
)
said = st.one_of(
    st.binary(max_size=70_000),
    st.builds(frame, names, names, numbers),
    st.builds(mul, st.just(b"\x0a\x00"), st.sampled_from([10, 20_000, 2 * MIB])),
    st.builds(mul, st.just(frame("shop", "cart", 1.0)), st.sampled_from([10, 30_000])),
)
on_the_socket = st.one_of(
    st.builds(reports, said),
    st.builds(
        says,
        st.one_of(
            st.binary(max_size=5000),
            st.builds(masked, st.integers(0, 255), st.integers(0, 2**63), st.binary(max_size=900)),
            st.builds(masked, st.just(2), st.just(4 * MIB), st.builds(bytes, st.just(70_000))),
        ),
        address=st.sampled_from([HERE, "127.0.0.2"]),
        connections=st.sampled_from([1, 10, 100]),
        head=st.sampled_from(
            [b"", UPGRADE, UPGRADE[:50], UPGRADE[:-2] + b"Origin: http://x\r\n\r\n"]
        ),
    ),
)


# --- what the API server says ---------------------------------------------------------------------


def tells(kind: str, line: bytes) -> Attack:
    """A line of a watch."""

    async def attack(watched: Watched) -> None:
        url = f"http://{HERE}:{watched.it.api_port}/made/{kind}"
        async with aiohttp.ClientSession() as session, session.post(url, data=io.BytesIO(line)):
            pass

    return attack


leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    numbers,
    st.text(max_size=50),
    st.builds(mul, st.just("<"), st.just(MIB)),
)
values = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=20), inner, max_size=4)
    ),
    max_leaves=8,
)
places = st.sampled_from(
    [
        ("metadata",), ("metadata", "name"), ("metadata", "namespace"), ("metadata", "uid"),
        ("metadata", "annotations"), ("metadata", "annotations", "kn-ahead.dev/upstreams"),
        ("metadata", "annotations", "autoscaling.knative.dev/target"),
        ("metadata", "annotations", "autoscaling.knative.dev/max-scale"),
        ("metadata", "labels"), ("metadata", "labels", "serving.knative.dev/service"),
        ("metadata", "ownerReferences"), ("metadata", "resourceVersion"), ("spec",),
        ("spec", "replicas"), ("spec", "scaleTargetRef"), ("spec", "containerConcurrency"),
        ("status",), ("status", "conditions"), ("status", "podIP"), ("status", "startTime"),
    ]
)  # fmt: skip


def spoiled(kind: str, event: str, place: tuple[str, ...], value: object) -> Attack:
    """An object of a watch, with something else in one place."""
    made = KINDS[kind](REVISIONS - 1)
    inner = made
    for step in place[:-1]:
        inner = inner.setdefault(step, {})
    inner[place[-1]] = value
    return tells(kind, json.dumps({"type": event, "object": made}).encode() + b"\n")


from_the_server = st.one_of(
    st.builds(
        spoiled,
        st.sampled_from(list(KINDS)),
        st.sampled_from(["ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR", "OTHER"]),
        places,
        values,
    ),
    st.builds(
        tells,
        st.sampled_from(list(KINDS)),
        st.one_of(
            st.binary(max_size=2000),
            st.builds(lambda v: json.dumps(v).encode() + b"\n", values),
            st.builds(mul, st.just(b"["), st.sampled_from([10, 100_000])),
            st.builds(mul, st.just(b"<"), st.just(3 * MIB)),
            st.just(b'{"type": "ADDED", "object": {"metadata": {"generation": ' + b"9" * 5000),
        ),
    ),
)


# --- what the advisor puts there ------------------------------------------------------------------


def advises(put: Callable[[Path], object]) -> Attack:
    """Something in the place of advice, for longer than a tick."""

    async def attack(watched: Watched) -> None:
        path = watched.it.folder / "advice" / NAME
        path.unlink(missing_ok=True)
        put(path)
        await asyncio.sleep(0.2)

    return attack


@np.errstate(invalid="ignore")
def absurd(size: int, value: float) -> bytes:
    """Advice of the right layout, in which no number is right."""
    shape = {name: 5 if name == "windows" else size for name in LAYOUT.most}
    arrays = {
        field.name: np.full([shape[dimension] for dimension in field.dimensions], value).astype(
            field.dtype
        )
        for field in LAYOUT.fields
    }
    return LAYOUT.pack(arrays)


def _cut(data: bytes, at: int, more: bytes) -> bytes:
    return data[:at] + more


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.write(absurd(3, 1.0)[:64])
        file.truncate(2**33)


some = st.sampled_from([0, 3, 10_000])
garbage = st.one_of(
    st.binary(max_size=5000),
    st.builds(absurd, some, st.sampled_from([0.0, 1.0, 1e30, -1.0])),
    st.builds(_cut, st.builds(absurd, some, st.just(1.0)), st.integers(0, 5000), st.binary()),
)
from_the_advisor = st.one_of(
    st.builds(lambda data: advises(lambda path: path.write_bytes(data)), garbage),
    st.sampled_from(
        [
            advises(os.mkfifo),
            advises(_sparse),
            advises(lambda path: path.symlink_to("/dev/zero")),
            advises(lambda path: path.symlink_to(path)),
        ]
    ),
)


# --- the law --------------------------------------------------------------------------------------

attacks = st.lists(
    st.one_of(on_the_socket, from_the_server, from_the_advisor), min_size=1, max_size=8
)
EXAMPLES = int(os.environ.get("KN_AHEAD_FUZZ_EXAMPLES", "15"))
much = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large,
    ],
)  # fmt: skip


async def is_survived(watched: Watched, *story: Attack) -> None:
    await asyncio.gather(*(attack(watched) for attack in story))
    await watched.lives()


@much
@given(attacks)
def test_invalid_input_the_controller_stays_small_and_quick(
    background: Background, watched: Watched, story: list[Attack]
) -> None:
    background.run(is_survived(watched, *story))


def test_after_all_that_pods_are_still_started_at_a_word(
    background: Background, watched: Watched
) -> None:
    background.run(watched.is_scaled())


@pytest.mark.parametrize(
    "attack",
    [
        reports(b"\x0a\x00" * (2 * MIB)),  # two million empty messages
        says(masked(2, 4 * MIB, bytes(3 * MIB)), connections=100),  # begun, and never ended
        says(b"", head=b"", connections=150),  # silent
        says(b"", head=b"", connections=150, address="127.0.0.2"),
        says(frame("shop", "\x1b[31mforged\nline", 1.0)),
        reports(frame("namespace-000", "service-00000-00001", 1e9)),
        tells("podautoscalers", b"<" * (3 * MIB) + b"\n"),
        advises(_sparse),
        advises(os.mkfifo),
    ],
)
def test_what_once_took_it_along(background: Background, watched: Watched, attack: Attack) -> None:
    background.run(is_survived(watched, *[attack] * 3))
    background.run(watched.is_scaled())
