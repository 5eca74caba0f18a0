"""What activators and kubelets get of the port."""

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

from autoscaler.limits import FRAME_BYTES
from knative.statistics.port.server import Counts
from knative.statistics.wire import FORWARDED, WireStatMessage, WireStatMessages
from tests.knative.statistics.clients import (
    HERE,
    PATIENCE_S,
    PROBE,
    UPGRADE,
    Port,
    code,
    is_cut,
    run,
    status,
    until,
)
from tests.knative.statistics.examples import a_frame, a_message, activators

BUCKET = b"autoscaler-bucket-00-of-01.knative-serving.svc.cluster.local"


def test_a_frame_is_handed_on_as_it_came() -> None:
    async def story(port: Port) -> None:
        async with await port.dial() as activator:
            await activator.send(a_frame("cart"))
            await until(lambda: port.frames)
        assert port.frames == [(a_frame("cart"), False)]

    run(story)


def test_two_activators_are_heard() -> None:
    async def story(port: Port) -> None:
        async with await port.dial() as one, await port.dial() as two:
            await one.send(a_frame("cart"))
            await two.send(a_frame("till"))
            await port.has("shop/cart", "shop/till")

    run(story)


def test_a_large_frame_is_handed_on_whole_in_pieces() -> None:
    async def story(port: Port) -> None:
        names = [f"revision-{i:05d}" for i in range(20_000)]
        async with await port.dial() as activator:
            await activator.send(a_frame(*names))
            await port.has("shop/revision-19999")
        assert port.keys == [f"shop/{name}" for name in names]
        assert len(port.frames) == 20
        assert port.server.counts.frames == 1

    run(story)


def test_a_small_frame_overtakes_the_pieces_of_a_large_one() -> None:
    async def story(port: Port) -> None:
        names = [f"revision-{i:05d}" for i in range(20_000)]
        raw = await port.raw()
        await raw.upgrade()
        raw.send(a_message(a_frame(*names)) + a_message(a_frame("asleep")))
        await port.has("shop/revision-19999", "shop/asleep")
        assert len(port.frames) == 21
        assert port.frames[-1][0] != a_frame("asleep")

    run(story)


def test_what_came_before_a_close_is_taken() -> None:
    async def story(port: Port) -> None:
        names = [f"revision-{i:05d}" for i in range(20_000)]
        async with await port.dial() as activator:
            await activator.send(a_frame(*names))
        await port.has("shop/revision-19999")

    run(story)


def test_a_message_in_fragments_is_put_together_across_pings() -> None:
    async def story(port: Port) -> None:
        frame = a_frame(*(f"revision-{i}" for i in range(500)))

        async def fragments() -> AsyncIterator[bytes]:
            for begin in range(0, len(frame), 4096):
                yield frame[begin : begin + 4096]
                await activator.ping()

        async with await port.dial() as activator:
            await activator.send(fragments())
            await until(lambda: port.frames)
        assert port.frames == [(frame, False)]

    run(story)


def test_a_frame_that_comes_byte_by_byte_is_read() -> None:
    async def story(port: Port) -> None:
        raw = await port.raw()
        await raw.upgrade()
        frame = a_frame("cart")
        for byte in a_message(frame):
            raw.send(bytes([byte]))
            await asyncio.sleep(0)
        await port.has("shop/cart")

    run(story)


def test_a_frame_sent_in_the_moment_of_leaving_is_taken() -> None:
    async def story(port: Port) -> None:
        raw = await port.raw()
        await raw.upgrade()
        frame = a_frame("cart")
        raw.send(a_message(frame))
        raw.writer.write_eof()
        assert await raw.rest() == b""
        assert port.keys == ["shop/cart"]

    run(story)


@pytest.mark.parametrize("headers", [b"User-Agent: kube-probe/1.31", b"K-Kubelet-Probe: queue"])
@pytest.mark.parametrize("path", [b"/", b"/healthz?x=%00"])
def test_the_kubelet_is_answered_on_any_path(headers: bytes, path: bytes) -> None:
    async def story(port: Port) -> None:
        request = b"GET " + path + b" HTTP/1.1\r\nHost: " + BUCKET + b"\r\n" + headers
        answer = await port.answer(request + b"\r\n\r\n")
        assert status(answer) == 200
        assert answer.endswith(b"\r\n\r\n")  # nothing behind the headers

    run(story, port=Port(leads=False))


def test_who_does_not_upgrade_is_told_to() -> None:
    async def story(port: Port) -> None:
        assert status(await port.answer(b"GET / HTTP/1.1\r\nHost: autoscaler\r\n\r\n")) == 426

    run(story)


@pytest.mark.parametrize("leads", [True, False])
def test_who_seeks_the_leader_of_a_bucket_is_sent_away_where_there_is_none(leads: bool) -> None:
    async def story(port: Port) -> None:
        async with await port.dial():
            pass
        raw = await port.raw()
        raw.send(UPGRADE.replace(b"autoscaler", BUCKET))
        answer = await asyncio.wait_for(raw.reader.readuntil(b"\r\n\r\n"), PATIENCE_S)
        assert status(answer) == (101 if leads else 503)

    run(story, port=Port(leads=leads))


@pytest.mark.parametrize("marked", [True, False])
def test_frames_that_were_forwarded_are_told_from_others(marked: bool) -> None:
    async def story(port: Port) -> None:
        async with await port.dial(**({FORWARDED: "autoscaler-b"} if marked else {})) as sender:
            await sender.send(b"no message at all")
            await until(lambda: port.frames)
        assert port.frames == [(b"no message at all", marked)]

    run(story)


NO_STAT = WireStatMessages(messages=[WireStatMessage(namespace="shop", name="x")])


@pytest.mark.parametrize(
    "frame",
    [b"\xff\xff\xff\xff", b"", "hello", "", NO_STAT.SerializeToString()],
    ids=["garbage", "empty", "text", "empty text", "without a stat"],
)
def test_a_frame_that_says_nothing_harms_nobody(frame: bytes | str) -> None:
    async def story(port: Port) -> None:
        async with await port.dial() as odd, await port.dial() as other:
            await odd.send(frame)
            await odd.send(a_frame("cart"))
            await other.send(a_frame("till"))
            await port.has("shop/cart", "shop/till")
        assert set(port.keys) == {"shop/cart", "shop/till"}

    run(story)


def test_text_in_fragments_is_passed_over() -> None:
    async def story(port: Port) -> None:
        async with await port.dial() as odd:
            await odd.send(["he", "ll", "o"])
            await odd.send(a_frame("cart"))
            await port.has("shop/cart")
        assert len(port.frames) == 1

    run(story)


def test_an_activator_that_vanishes_harms_nobody() -> None:
    async def story(port: Port) -> None:
        async with await port.dial() as other:
            gone = await port.dial()
            await gone.send(a_frame("cart"))
            gone.transport.abort()
            await other.send(a_frame("till"))
            await port.has("shop/till")
            await until(lambda: port.server.counts.unknown == 1)

    run(story)


class Faulty(Port):
    """A server whose receiver fails."""

    def take(self, frame: bytes, forwarded: bool) -> None:
        super().take(frame, forwarded)
        raise ZeroDivisionError("a fault of ours")


def test_a_fault_of_ours_concerns_its_frame_alone(caplog: pytest.LogCaptureFixture) -> None:
    async def story(port: Port) -> None:
        async with await port.dial() as activator:
            await activator.send(a_frame("cart"))
            await activator.send(a_frame("till"))
            await port.has("shop/cart", "shop/till")
            await asyncio.wait_for(await activator.ping(), PATIENCE_S)

    run(story, port=Faulty())
    assert "a fault of ours" in caplog.text


def test_pings_are_answered() -> None:
    async def story(port: Port) -> None:
        async with await port.dial() as activator:
            await asyncio.wait_for(await activator.ping(b"still there?"), PATIENCE_S)

    run(story)


def test_on_stopping_activators_are_told_to_dial_again() -> None:
    async def story(port: Port) -> None:
        async with await port.dial() as one, await port.dial() as two:
            silent = await port.raw()
            await until(lambda: port.server.counts.unknown == 2)
            await port.server.stop()
            assert await is_cut(one) == 1012
            assert await is_cut(two) == 1012
            assert await silent.rest() == b""
            with pytest.raises(OSError, match="Connect call failed"):
                await asyncio.open_connection(HERE, port.number)

    run(story)


def test_who_does_not_hear_that_we_stop_does_not_hold_us() -> None:
    async def story(port: Port) -> None:
        raw = await port.raw()
        await raw.upgrade()
        begin = port.clock()
        await port.server.stop()
        assert 1.0 < port.clock() - begin < PATIENCE_S / 2

    run(story)


def test_a_server_that_never_began_can_be_stopped() -> None:
    asyncio.run(Port().server.stop())


def test_a_frame_that_is_too_long_is_refused_at_its_header() -> None:
    async def story(port: Port) -> None:
        async with await port.dial() as other:
            raw = await port.raw()
            await raw.upgrade()
            # A binary frame, 64 bits of length, masked; the rest need not come.
            raw.send(b"\x82\xff" + int(FRAME_BYTES.most + 1).to_bytes(8) + bytes(4))
            assert code(await raw.rest()) == 1009
            await other.send(a_frame("till"))
            await port.has("shop/till")
        assert port.refusals.counts[FRAME_BYTES.name] == 1
        assert port.server.counts.refused == 1

    run(story)


def test_it_counts_what_it_sees() -> None:
    async def story(port: Port) -> None:
        port.peers.follow(activators("127.0.0.2"))
        async with await port.dial() as stranger, await port.dial("127.0.0.2") as activator:
            await stranger.send(a_frame("cart"))
            await activator.send(a_frame("till"))
            await port.has("shop/cart", "shop/till")
            size = 2 * len(a_frame("cart"))
            assert port.server.counts == Counts(
                known=1,
                unknown=1,
                pending=0,
                unfinished_bytes=0,
                waiting_bytes=0,
                frames=2,
                bytes=size,
                refused=0,
            )

    run(story)


def test_a_line_is_logged_when_an_activator_comes_and_when_it_goes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)

    async def story(port: Port) -> None:
        await port.answer(PROBE)
        async with await port.dial() as activator:
            me = activator.local_address[1]
            await activator.close(1001, "bye\nactivator forged")
        await until(lambda: len(caplog.records) == 2)
        assert [record.getMessage() for record in caplog.records] == [
            f'activator connected activator="127.0.0.1 port {me}"',
            f'activator left activator="127.0.0.1 port {me}" '
            r'why="1001 (going away) bye\nactivator forged"',
        ]

    run(story)
