"""Connections are accepted, and nothing spins where they cannot be."""

import asyncio
import errno
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from tests.knative.statistics.clients import PROBE, Port, Raw, run, status, until
from tests.knative.statistics.examples import a_frame, activators


@contextmanager
def descriptors(spare: int) -> Iterator[list[socket.socket]]:
    """Let the process have so many more; yields what takes up the others."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    held = list[socket.socket]()
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 512), hard))
    try:
        with suppress(OSError):
            while True:
                held.append(socket.socket())
        for _ in range(spare):
            held.pop().close()
        yield held
    finally:
        for each in held:
            each.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_without_descriptors_it_waits_and_goes_on(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("knative.statistics.port.listener.RETRY_S", 0.05)

    async def story(port: Port) -> None:
        async with await port.dial() as activator:
            raw = socket.socket()
            raw.setblocking(False)
            with descriptors(0) as held:
                assert raw.connect_ex(("127.0.0.1", port.number)) == errno.EINPROGRESS
                await until(lambda: caplog.records)
                await activator.send(a_frame("cart"))
                await port.has("shop/cart")
                assert 1 <= len(caplog.records) < 20
                for _ in range(50):
                    held.pop().close()
                assert status(await port.answer(PROBE)) == 200
            raw.close()

    run(story)
    assert "cannot accept connections" in caplog.text
    assert "Traceback" not in caplog.text


def test_a_burst_of_connections_is_accepted() -> None:
    async def story(port: Port) -> None:
        raws = await asyncio.gather(*(port.raw(f"127.0.1.{i}") for i in range(30)))
        for raw in raws:
            raw.send(PROBE)
        answers = await asyncio.gather(*(raw.rest() for raw in raws))
        assert {status(answer) for answer in answers} == {200}

    run(story)


def test_no_burst_of_addresses_has_an_unread_probe_closed() -> None:
    async def story(port: Port) -> None:
        asked = list[socket.socket]()
        for i in range(1, 201):  # all wait in the kernel, as the server shares this loop
            address = (f"127.0.1.{i}", 0)
            asked.append(socket.create_connection(("127.0.0.1", port.number), 1, address))
            asked[-1].sendall(PROBE)
        raws = [Raw(*await asyncio.open_connection(sock=each)) for each in asked]
        port.raws.extend(raws)
        answers = [await raw.rest() for raw in raws]
        assert {answer[:12] for answer in answers} == {b"HTTP/1.1 200"}

    run(story)


def test_a_peer_that_goes_before_it_is_greeted_harms_nobody() -> None:
    async def story(port: Port) -> None:
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", port.number)) as gone:
                gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        assert status(await port.answer(PROBE)) == 200
        await until(lambda: port.server.counts.pending == 0)

    run(story)


def test_addresses_of_version_6_are_served() -> None:
    async def story(port: Port) -> None:
        reader, writer = await asyncio.open_connection("::1", port.number)
        writer.write(PROBE)
        assert status(await reader.read()) == 200
        writer.close()

    run(story, host="::1")


def test_one_socket_serves_both_versions() -> None:
    async def story(port: Port) -> None:
        port.peers.follow(activators("127.0.0.1"))
        for host in ("::1", "127.0.0.1"):
            reader, writer = await asyncio.open_connection(host, port.number)
            writer.write(PROBE)
            assert status(await reader.read()) == 200
            writer.close()
        async with await port.dial():
            assert port.server.counts.known == 1

    run(story, host="::")


def test_a_port_that_is_taken_is_an_error() -> None:
    async def story(port: Port) -> None:
        with pytest.raises(OSError, match="Address already in use"):
            await Port().server.start("127.0.0.1", port.number)

    run(story)
