import struct

import pytest
from google.protobuf.message import DecodeError

from knative.activators import ActivatorStat, decode
from knative.wire import Stat, WireStatMessage, WireStatMessages


def double(field: int, value: float) -> bytes:
    """A double on the wire: tag, then eight bytes, little end first."""
    return bytes([field << 3 | 1]) + struct.pack("<d", value)


def piece(field: int, body: bytes) -> bytes:
    """Text or a message on the wire: tag, length, bytes."""
    return bytes([field << 3 | 2, len(body)]) + body


STAT = (
    piece(1, b"activator-1")
    + double(2, 3.5)
    + double(3, 1.25)
    + double(4, 8.0)
    + double(5, 4.0)
    + double(6, 60.5)
    + b"\x38\x80\xe2\xcf\xaa\x06"  # field 7, varint 1,700,000,000
)


def test_fields_have_knatives_numbers_and_types() -> None:
    stat = Stat.FromString(STAT)
    assert (stat.pod_name, stat.timestamp) == ("activator-1", 1_700_000_000)
    assert stat.average_concurrent_requests == 3.5
    assert stat.average_proxied_concurrent_requests == 1.25
    assert (stat.request_count, stat.proxied_request_count) == (8.0, 4.0)
    assert stat.process_uptime == 60.5


def test_what_is_written_is_the_same_bytes() -> None:
    assert Stat.FromString(STAT).SerializeToString() == STAT


def test_zeros_are_absent() -> None:
    assert Stat(average_concurrent_requests=0.0).SerializeToString() == b""
    assert Stat.FromString(b"").request_count == 0.0


def test_a_frame_holds_a_message_a_revision() -> None:
    one = piece(1, b"shop") + piece(2, b"cart") + piece(3, STAT)
    two = piece(1, b"shop") + piece(2, b"till") + piece(3, b"")
    assert decode(piece(1, one) + piece(1, two)) == [
        ActivatorStat("shop/cart", 3.5, 8.0, 1_700_000_000),
        ActivatorStat("shop/till", 0.0, 0.0, 0),
    ]


def test_a_message_without_a_stat_is_left_out() -> None:
    nothing = WireStatMessage(namespace="shop", name="cart")
    some = WireStatMessage(namespace="shop", name="till", stat=Stat(request_count=1.0))
    frame = WireStatMessages(messages=[nothing, some]).SerializeToString()
    assert [stat.key for stat in decode(frame)] == ["shop/till"]


def test_fields_of_a_later_release_are_passed_over() -> None:
    newer = piece(1, b"shop") + piece(2, b"cart") + piece(3, STAT + double(12, 1.0))
    assert decode(piece(1, newer))[0].concurrency == 3.5


def test_an_empty_frame_says_nothing() -> None:
    assert decode(b"") == []


@pytest.mark.parametrize("frame", [b"\xff\xff\xff", b"\x0a\x7f", piece(1, piece(1, b"\xff\xfe"))])
def test_garbage_is_refused(frame: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(frame)
