"""Slow and idle connections are closed; others are not."""

import asyncio

import pytest

from autoscaler.limits import HANDSHAKE_S, MESSAGE_S, QUIET_S, Limit
from tests.knative.statistics.clients import (
    PATIENCE_S,
    PROBE,
    Port,
    Raw,
    code,
    is_cut,
    run,
    until,
)
from tests.knative.statistics.examples import a_frame, a_message

FRAME = a_message(a_frame("cart"))
FIRST, REST = a_message(b"\n", head=0x02), a_message(b"\0", head=0x80)  # of a message in fragments
PONG = a_message(b"?", head=0x8A)


def refused(port: Port, limit: Limit) -> int:
    return port.refusals.counts[limit.name]


def took(port: Port) -> int:
    return port.server.counts.frames


async def is_open(raw: Raw) -> None:
    """A ping is answered."""
    raw.send(a_message(b"?", head=0x89))
    pong = await asyncio.wait_for(raw.reader.readexactly(3), PATIENCE_S)
    assert pong == b"\x8a\x01?"


@pytest.mark.parametrize("said", [b"", PROBE[:-1]])
def test_a_request_has_so_long_to_be_whole(said: bytes) -> None:
    async def story(port: Port) -> None:
        raw = await port.raw()
        raw.send(said)
        await until(lambda: port.server.counts.pending)
        port.later(HANDSHAKE_S.most / 2)
        port.later(HANDSHAKE_S.most / 2 + 1)
        assert await raw.rest() == b""
        assert refused(port, HANDSHAKE_S) == 1

    run(story)


def test_a_probe_that_stays_after_its_answer_is_cut_off() -> None:
    async def story(port: Port) -> None:
        raw = await port.raw()
        raw.send(PROBE)
        assert (await raw.rest()).startswith(b"HTTP/1.1 200 ")
        assert port.server.counts.pending == 1
        port.later(HANDSHAKE_S.most + 1)
        assert port.server.counts.pending == 0

    run(story)


@pytest.mark.parametrize(
    "begun",
    [FRAME[:1], FRAME[:6], FRAME[:-1], FIRST, FIRST + PONG, FRAME + FRAME[:2]],
    ids=["a byte", "a header", "nearly all", "a fragment", "a fragment and a pong", "the next"],
)
def test_a_message_that_has_begun_has_so_long_to_be_whole(begun: bytes) -> None:
    async def story(port: Port) -> None:
        raw = await port.raw()
        await raw.upgrade()
        raw.send(FRAME)
        await until(lambda: took(port) == 1)
        raw.send(begun)
        await until(lambda: port.server.counts.unfinished_bytes)
        port.later(MESSAGE_S.most / 2)
        assert port.server.counts.unknown == 1
        port.later(MESSAGE_S.most / 2 + 1)
        assert code((await raw.rest())[:4]) == 1008
        assert refused(port, MESSAGE_S) == 1

    run(story)


def test_a_message_that_drips_has_no_longer() -> None:
    async def story(port: Port) -> None:
        raw = await port.raw()
        await raw.upgrade()
        raw.send(FIRST)
        for _ in range(int(MESSAGE_S.most)):
            raw.send(a_message(b"", head=0x00))
            await is_open(raw)
            port.later(1.01)
        assert port.server.counts.unknown == 0
        assert code((await raw.rest())[:4]) == 1008

    run(story)


@pytest.mark.parametrize("rest", [FIRST + REST, FRAME])
def test_a_message_that_is_whole_in_time_ends_the_wait(rest: bytes) -> None:
    async def story(port: Port) -> None:
        raw = await port.raw()
        await raw.upgrade()
        raw.send(rest[:3])
        await until(lambda: port.server.counts.unfinished_bytes)
        port.later(MESSAGE_S.most - 1)
        raw.send(rest[3:])
        await until(lambda: took(port) == 1)
        port.later(MESSAGE_S.most)
        await is_open(raw)
        assert refused(port, MESSAGE_S) == 0

    run(story)


def test_who_is_silent_for_too_long_is_cut_off_and_who_pings_is_not() -> None:
    async def story(port: Port) -> None:
        async with await port.dial() as silent:
            raw = await port.raw()
            await raw.upgrade()
            for _ in range(4):
                await is_open(raw)
                port.later(QUIET_S.most / 4 + 0.1)
            assert await is_cut(silent) == 1008
            await is_open(raw)
        assert refused(port, QUIET_S) == 1

    run(story)


def test_a_server_sweeps_of_its_own_accord(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("knative.statistics.port.server.SWEEP_S", 0.01)

    async def story(port: Port) -> None:
        raw = await port.raw()
        await until(lambda: port.server.counts.pending)
        port.clock.ahead_s += HANDSHAKE_S.most + 1
        assert await raw.rest() == b""

    run(story)


def test_who_does_not_close_after_us_is_cut_off() -> None:
    async def story(port: Port) -> None:
        raw = await port.raw()
        await raw.upgrade()
        raw.send(b"\x83\x80" + bytes(4))  # no such opcode
        assert code(await raw.rest()) == 1002
        assert port.server.counts.pending == 1
        port.later(HANDSHAKE_S.most + 1)
        assert port.server.counts.pending == 0

    run(story)
