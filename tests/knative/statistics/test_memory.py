"""The memory that connections take is bounded."""

import asyncio

from autoscaler.limits import (
    FRAME_BYTES,
    UNFINISHED_BYTES,
    UNREAD_BYTES,
    Limit,
)
from knative.statistics.port.shared import CHUNK_BYTES
from tests.knative.statistics.clients import PATIENCE_S, Port, code, is_cut, run, until
from tests.knative.statistics.examples import a_frame, a_message

LONGEST = int(FRAME_BYTES.most)


async def unfinished(port: Port, least: int) -> None:
    await until(lambda: port.server.counts.unfinished_bytes >= least)


def refused(port: Port, limit: Limit) -> int:
    return port.refusals.counts[limit.name]


def test_the_longest_frame_is_taken_and_a_longer_one_cuts_its_sender_alone() -> None:
    async def story(port: Port) -> None:
        async with await port.dial() as one, await port.dial() as other:
            await one.send(bytes(LONGEST))
            await until(lambda: port.frames)
            assert len(port.frames[0][0]) == LONGEST
            sending = asyncio.create_task(one.send(bytes(LONGEST + 1)))
            assert await is_cut(one) == 1009
            await asyncio.gather(sending, return_exceptions=True)
            await other.send(a_frame("till"))
            await port.has("shop/till")
        assert refused(port, FRAME_BYTES) == 1

    run(story)


def test_fragments_may_not_be_longer_together() -> None:
    async def story(port: Port) -> None:
        raw = await port.raw()
        await raw.upgrade()
        raw.send(a_message(bytes(LONGEST), head=0x02) + a_message(b"", head=0x00))
        await unfinished(port, LONGEST)
        raw.send(a_message(b"x", head=0x80))
        assert code(await raw.rest()) == 1009
        assert port.server.counts.unfinished_bytes == 0

    run(story)


def test_of_all_unfinished_messages_so_much_is_kept_and_who_holds_most_for_longest_goes() -> None:
    async def story(port: Port) -> None:
        size = LONGEST - 1000
        held = int(UNFINISHED_BYTES.most) // size
        holders = []
        for i in range(held + 2):
            holders.append(await port.raw(f"127.0.1.{i}"))
            await holders[-1].upgrade()
            holders[-1].send(a_message(bytes(size))[:-1])
            await unfinished(port, min(i + 1, held) * size)
            port.clock.ahead_s += 0.1
        await until(lambda: refused(port, UNFINISHED_BYTES) == 2)
        for raw in holders[:2]:
            assert code(await raw.rest()) == 1013
        assert port.server.counts.unfinished_bytes <= UNFINISHED_BYTES.most
        holders[-1].send(b"\0")
        await until(lambda: port.frames)

    run(story)


def test_what_was_held_is_let_go_when_its_sender_leaves() -> None:
    async def story(port: Port) -> None:
        raw = await port.raw()
        await raw.upgrade()
        raw.send(a_message(bytes(LONGEST))[:-1])
        await unfinished(port, LONGEST)
        raw.leave()
        await until(lambda: port.server.counts.unfinished_bytes == 0)
        assert port.server.counts.waiting_bytes == 0
        assert port.server.counts.unknown == 0

    run(story)


def test_who_does_not_read_our_answers_is_cut_off() -> None:
    async def story(port: Port) -> None:
        raw = await port.raw()
        await raw.upgrade()
        raw.stop_reading()
        while not refused(port, UNREAD_BYTES):
            raw.send(a_message(bytes(125), head=0x89) * 100)
            async with asyncio.timeout(PATIENCE_S):
                await asyncio.sleep(0)
        assert port.server.counts.unknown == 0

    run(story)


def test_who_talks_on_after_our_last_word_is_cut_off() -> None:
    async def story(port: Port) -> None:
        raw = await port.raw()
        raw.send(b"POST / HTTP/1.1\r\n\r\n")
        await until(lambda: port.server.counts.pending)
        assert (await raw.rest()).startswith(b"HTTP/1.1 405 ")
        raw.send(bytes(CHUNK_BYTES))
        raw.send(bytes(4 * CHUNK_BYTES))
        await until(lambda: port.server.counts.pending == 0)

    run(story)
