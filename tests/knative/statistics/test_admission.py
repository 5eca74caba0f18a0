"""Which peers get a connection, and which a WebSocket."""

import asyncio
from contextlib import AsyncExitStack

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import InvalidStatus

from autoscaler.limits import (
    BROWSERS,
    HEADER_BYTES,
    PEER_CONNECTIONS,
    REQUEST_BODY,
    SOCKET_CONNECTIONS,
    UNIDENTIFIED,
    UNIDENTIFIED_CONNECTIONS,
    Limit,
)
from knative.statistics.peers import ReporterPolicy
from tests.knative.statistics.clients import (
    PATIENCE_S,
    PROBE,
    UPGRADE,
    Port,
    is_cut,
    run,
    status,
    until,
)
from tests.knative.statistics.examples import a_frame, activators

ACTIVATOR, UNKNOWN = "127.0.0.2", "127.0.0.3"


def refused(port: Port, limit: Limit) -> int:
    return port.refusals.counts[limit.name]


async def denied(port: Port, address: str = UNKNOWN, **headers: str) -> int:
    """The status that somebody gets instead of a socket."""
    with pytest.raises(InvalidStatus) as caught:
        await port.dial(address, **headers)
    return caught.value.response.status_code


def test_a_page_in_a_browser_gets_no_socket() -> None:
    async def story(port: Port) -> None:
        assert await denied(port, Origin="https://example.org") == 403
        assert refused(port, BROWSERS) == 1

    run(story)


def test_strangers_are_taken_until_an_activator_comes_and_are_cut_off_then() -> None:
    async def story(port: Port) -> None:
        port.peers.follow(activators(ACTIVATOR))
        async with await port.dial(UNKNOWN) as stranger:
            await stranger.send(a_frame("cart"))
            await port.has("shop/cart")
            port.later(0)
            async with await port.dial(ACTIVATOR) as activator:
                port.later(1)
                assert await is_cut(stranger) == 1008
                assert await denied(port) == 403
                assert status(await port.answer(PROBE, UNKNOWN)) == 200
                await activator.send(a_frame("till"))
                await port.has("shop/till")
        assert refused(port, UNIDENTIFIED) == 2

    run(story)


def test_an_activator_that_becomes_known_later_is_an_activators_connection() -> None:
    async def story(port: Port) -> None:
        async with await port.dial(ACTIVATOR):
            assert (port.server.counts.known, port.server.counts.unknown) == (0, 1)
            port.peers.follow(activators(ACTIVATOR))
            port.later(1)
            assert (port.server.counts.known, port.server.counts.unknown) == (1, 0)
            assert await denied(port) == 403

    run(story)


def test_an_activator_whose_pod_has_gone_is_cut_off() -> None:
    async def story(port: Port) -> None:
        port.peers.follow(activators(ACTIVATOR))
        async with await port.dial(ACTIVATOR) as activator:
            port.peers.follow([])
            port.later(1)
            assert await is_cut(activator) == 1008

    run(story)


def test_where_only_activators_report_strangers_get_no_socket() -> None:
    async def story(port: Port) -> None:
        port.peers.follow(activators(ACTIVATOR))
        assert await denied(port) == 403
        async with await port.dial(ACTIVATOR):
            pass

    run(story, port=Port(ReporterPolicy.ACTIVATORS))


async def sockets(
    port: Port, stack: AsyncExitStack, address: str, n: float
) -> list[ClientConnection]:
    """So many open sockets from an address."""
    return [await stack.enter_async_context(await port.dial(address)) for _ in range(int(n))]


def test_one_known_address_gets_so_many_connections_and_others_still_theirs() -> None:
    async def story(port: Port) -> None:
        port.peers.follow(activators(ACTIVATOR, "127.0.0.4"))
        async with AsyncExitStack() as stack:
            await sockets(port, stack, ACTIVATOR, PEER_CONNECTIONS.most)
            assert await port.answer(PROBE, ACTIVATOR) == b""
            assert refused(port, PEER_CONNECTIONS) == 1
            await sockets(port, stack, "127.0.0.4", 1)

    run(story)


def test_all_known_addresses_together_get_so_many_connections() -> None:
    async def story(port: Port) -> None:
        known = ["127.0.1.1", "127.0.1.2", ACTIVATOR]
        port.peers.follow(activators(*known))
        async with AsyncExitStack() as stack:
            for address in known[:2]:
                await sockets(port, stack, address, SOCKET_CONNECTIONS.most / 2)
            assert await port.answer(PROBE, ACTIVATOR) == b""
            assert refused(port, SOCKET_CONNECTIONS) == 1
            assert status(await port.answer(PROBE, UNKNOWN)) == 200

    run(story)


def test_strangers_take_no_activators_place() -> None:
    async def story(port: Port) -> None:
        port.peers.follow(activators(ACTIVATOR))
        async with AsyncExitStack() as stack:
            for address in ("127.0.1.1", "127.0.1.2"):
                await sockets(port, stack, address, PEER_CONNECTIONS.most)
                assert await denied(port, address) == 503
            assert await denied(port) == 503
            assert refused(port, SOCKET_CONNECTIONS) == 2  # at 128, the address matters no more
            assert refused(port, PEER_CONNECTIONS) == 1
            await sockets(port, stack, ACTIVATOR, 1)

    run(story, port=Port(ReporterPolicy.ANY))


@pytest.mark.parametrize("kubelet", ["127.0.0.9", UNKNOWN])
def test_silent_strangers_take_no_kubelets_place(kubelet: str) -> None:
    async def story(port: Port) -> None:
        silent = [await port.raw(UNKNOWN) for _ in range(150)]
        for _ in range(10):
            assert status(await port.answer(PROBE, kubelet)) == 200
        cut = 150 - int(UNIDENTIFIED_CONNECTIONS.most)
        assert refused(port, UNIDENTIFIED_CONNECTIONS) >= cut
        for raw in silent[:cut]:
            assert await raw.rest() == b""
        await silent[-1].upgrade()

    run(story)


def test_the_address_that_has_most_connections_gives_way() -> None:
    async def story(port: Port) -> None:
        slow = await port.raw("127.0.0.9")  # the oldest of all, but alone
        slow.send(PROBE[:10])
        for _ in range(3 * int(UNIDENTIFIED_CONNECTIONS.most)):
            await port.raw(UNKNOWN)
        slow.send(PROBE[10:])
        assert status(await slow.rest()) == 200

    run(story)


REQUEST = b"GET / HTTP/1.1\r\nHost: autoscaler\r\n"


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (b"POST / HTTP/1.1\r\nHost: autoscaler\r\nUser-Agent: kube-probe/1\r\n\r\n", 405),
        (b"HEAD / HTTP/1.1\r\n\r\n", 405),
        (REQUEST + b"Content-Length: 5\r\n\r\n", 400),
        (REQUEST + b"Transfer-Encoding: chunked\r\n\r\n", 400),
        (b"\x16\x03\x01\r\n\r\n", 400),  # TLS
        (b"GET / HTTP/2.0\r\n\r\n", 400),
        (REQUEST + b"bad header\r\n\r\n", 400),
        (REQUEST + b"Host: autoscaler-bucket\r\nHost: a\r\nUser-Agent: a\r\n\r\n", 426),
        (REQUEST + 127 * b"a: b\r\n" + b"\r\n", 426),
        (REQUEST + 128 * b"a: b\r\n" + b"\r\n", 400),
        (UPGRADE.replace(b"13", b"8"), 400),
        (UPGRADE.replace(b"AAAA==", b""), 400),
    ],
)
def test_what_is_no_request_of_an_activator_is_refused_and_closed(
    request_: bytes, expected: int
) -> None:
    async def story(port: Port) -> None:
        assert status(await port.answer(request_)) == expected

    run(story)


def test_a_request_that_is_too_long_is_refused_before_it_is_whole() -> None:
    async def story(port: Port) -> None:
        endless = REQUEST + b"X: " + b"a" * int(HEADER_BYTES.most)
        assert status(await port.answer(endless)) == 431
        assert refused(port, HEADER_BYTES) == 1

    run(story)


@pytest.mark.parametrize("request_", [PROBE, UPGRADE])
def test_a_request_with_something_behind_it_is_refused(request_: bytes) -> None:
    async def story(port: Port) -> None:
        assert status(await port.answer(request_ + b"x")) == 400
        assert refused(port, REQUEST_BODY) == 1

    run(story)


def test_a_request_may_come_in_pieces() -> None:
    async def story(port: Port) -> None:
        raw = await port.raw()
        for byte in UPGRADE:
            raw.send(bytes([byte]))
            await asyncio.sleep(0)
        head = await asyncio.wait_for(raw.reader.readuntil(b"\r\n\r\n"), PATIENCE_S)
        assert status(head) == 101
        await until(lambda: port.server.counts.unknown == 1)

    run(story)
