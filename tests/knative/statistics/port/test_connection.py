"""What a connection does with bytes, without a socket."""

import asyncio
from collections.abc import Callable

from websockets.http11 import Request, Response

from autoscaler.limits import FRAME_BYTES, UNREAD_BYTES, WAITING_BYTES
from autoscaler.refusals import Refusals
from knative.statistics.decode import PIECE_MESSAGES
from knative.statistics.port.connection import Connection
from knative.statistics.port.scheduler import FairScheduler
from knative.statistics.port.shared import SharedState
from tests.knative.statistics.clients import UPGRADE
from tests.knative.statistics.examples import a_frame, a_message

LARGE = a_frame(*(f"revision-{i:05d}" for i in range(3 * PIECE_MESSAGES)))


class Host:
    """Opens a socket for everybody, and keeps what comes."""

    def __init__(self) -> None:
        self.frames = list[bytes]()
        self.forgotten = list[Connection]()

    def answer(self, connection: Connection, request: Request) -> Response:
        return connection.protocol.accept(request)

    def take(self, connection: Connection, frame: bytes) -> None:
        self.frames.append(frame)

    def shed_unfinished(self) -> None:
        raise AssertionError("nothing here is so long")

    def forget(self, connection: Connection) -> None:
        self.forgotten.append(connection)


class Transport(asyncio.Transport):
    """Knows whether it is read."""

    def __init__(self) -> None:
        super().__init__()
        self.is_read = True

    def is_closing(self) -> bool:
        return False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        assert high == UNREAD_BYTES.most

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert bytes(data).startswith(b"HTTP/1.1 101 ")

    def abort(self) -> None:
        pass

    def pause_reading(self) -> None:
        self.is_read = False

    def resume_reading(self) -> None:
        self.is_read = True


class Party:
    """A host and what its connections share."""

    def __init__(self) -> None:
        self.host, self.transport = Host(), Transport()
        self.shared = SharedState(
            now=lambda: 0.0, scheduler=FairScheduler(lambda: 0.0), refusals=Refusals()
        )

    def connection(self) -> Connection:
        """One that is open."""
        it = Connection(self.host, self.shared, ("10.0.0.7", 1234), known=True)
        it.connection_made(self.transport)
        self.give(it, UPGRADE)
        assert it.open
        return it

    def give(self, it: Connection, data: bytes) -> None:
        """Have bytes come, of which it does nothing yet."""
        for begin in range(0, len(data), len(self.shared.buffer)):
            chunk = data[begin : begin + len(self.shared.buffer)]
            self.shared.buffer[: len(chunk)] = chunk
            it.buffer_updated(len(chunk))

    def work(self, it: Connection) -> None:
        """Have it do all that it may."""
        while it.has_work() and it.may_step():
            it.step()


def story(scenario: Callable[[Party], None]) -> None:
    """Run with an event loop, which has nothing to do."""

    async def run() -> None:
        scenario(Party())

    asyncio.run(run())


def test_what_came_is_parsed_a_little_at_a_time() -> None:
    def scenario(party: Party) -> None:
        it = party.connection()
        party.give(it, a_message(a_frame("cart")) * 100)
        assert party.host.frames == []
        it.step()
        assert party.shared.received.frames < 50
        party.work(it)
        assert party.host.frames == [a_frame("cart")] * 100

    story(scenario)


def test_while_a_chunk_waits_to_be_parsed_no_more_is_read() -> None:
    def scenario(party: Party) -> None:
        it = party.connection()
        message = a_message(bytes(len(party.shared.buffer)))
        party.give(it, message[:100])
        assert party.transport.is_read
        party.give(it, message[100:])
        assert not party.transport.is_read
        party.work(it)
        assert party.transport.is_read

    story(scenario)


def test_while_too_much_waits_who_holds_much_goes_no_further() -> None:
    def scenario(party: Party) -> None:
        large, small = party.connection(), party.connection()
        party.give(large, a_message(bytes(int(FRAME_BYTES.most)))[: 2**20])
        party.work(large)
        others = int(WAITING_BYTES.most) + 1
        party.shared.held.waiting += others
        party.give(large, b"\0" * 100)
        party.give(small, a_message(a_frame("asleep")))
        assert not large.may_step()
        assert small.may_step()
        party.work(small)
        assert party.host.frames == [a_frame("asleep")]
        party.shared.held.waiting -= others
        assert large.may_step()

    story(scenario)


def test_of_one_connection_no_more_waits_than_two_of_the_longest_frames() -> None:
    def scenario(party: Party) -> None:
        it = party.connection()
        longest = bytes(int(FRAME_BYTES.most))  # no messages: it is not split, and refused later
        party.give(it, a_message(longest) * 4)
        most = 0
        while it.has_work():
            it.step()
            most = max(most, it.held.waiting + it.held.unfinished)
        assert len(party.host.frames) == 4
        assert len(longest) < most < 3 * len(longest)

    story(scenario)


def test_small_frames_are_handed_on_before_the_pieces_of_large_ones() -> None:
    def scenario(party: Party) -> None:
        it = party.connection()
        party.give(it, a_message(LARGE) + a_message(a_frame("asleep")))
        party.work(it)
        assert party.host.frames[0] == a_frame("asleep")
        assert b"".join(party.host.frames[1:]) == LARGE
        assert len(party.host.frames) == 4

    story(scenario)


def test_what_is_held_is_counted_to_the_byte() -> None:
    def scenario(party: Party) -> None:
        it, held = party.connection(), party.shared.held
        party.give(it, a_message(LARGE)[:-1])
        assert (held.waiting, held.unfinished) == (0, 0)
        party.work(it)
        assert (held.waiting, held.unfinished) == (0, len(a_message(LARGE)) - 1)
        party.give(it, a_message(LARGE)[-1:])
        it.step()
        assert (held.waiting, held.unfinished) == (len(LARGE), 0)
        party.work(it)
        assert (held.waiting, held.unfinished) == (0, 0)
        party.give(it, a_message(LARGE))
        it.abort()
        assert (held.waiting, held.unfinished) == (0, 0)
        assert party.host.forgotten == [it]

    story(scenario)
