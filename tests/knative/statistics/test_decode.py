"""From frames to arrays: what an activator means is read, and nothing else costs anything."""

from collections import Counter

import numpy as np
import pytest

from autoscaler.core.state.fleet import LARGEST_SAMPLE
from autoscaler.limits import (
    FRAME_MESSAGES,
    GARBLED_FRAMES,
    GARBLED_MESSAGES,
    MESSAGE_BYTES,
    NAME_BYTES,
    NAMES,
    SAMPLE,
    Limit,
)
from knative.statistics.decode import PIECE_MESSAGES, DecodedFrame, decode, split
from knative.statistics.wire import Stat, WireStatMessage, WireStatMessages
from tests.alone import with_peak
from tests.knative.statistics.examples import STAT, a_frame, double, piece


class Refused:
    """Hears what is refused."""

    def __init__(self) -> None:
        self.counts = Counter[str]()
        self.who = list[str]()

    def __call__(self, limit: Limit, who: str, n: int) -> None:
        self.counts[limit.name] += n
        self.who.append(who)


def taken_of(frame: bytes) -> tuple[list[str], dict[str, int]]:
    """The revisions that are taken, and what is refused."""
    refused = Refused()
    return decode(frame, refused).keys, dict(refused.counts)


def a_named_frame(*names: tuple[bytes, bytes]) -> bytes:
    """Of names that need be none."""
    messages = [piece(1, a) + piece(2, b) + piece(3, STAT) for a, b in names]
    return b"".join(piece(1, message) for message in messages)


def numbered(*numbers: float, requests: float = 1.0) -> bytes:
    messages = [
        WireStatMessage(
            namespace="shop",
            name=f"cart-{i}",
            stat=Stat(average_concurrent_requests=number, request_count=requests),
        )
        for i, number in enumerate(numbers)
    ]
    return bytes(WireStatMessages(messages=messages).SerializeToString())


def test_a_frame_holds_a_message_a_revision() -> None:
    one = piece(1, b"shop") + piece(2, b"cart") + piece(3, STAT)
    two = piece(1, b"shop") + piece(2, b"till") + piece(3, b"")
    reported = decode(piece(1, one) + piece(1, two))
    assert reported.keys == ["shop/cart", "shop/till"]
    assert reported.concurrency.tolist() == [3.5, 0.0]
    assert reported.requests.tolist() == [8.0, 0.0]
    assert reported.second.tolist() == [1_700_000_000, 0]
    assert reported.concurrency.dtype == reported.requests.dtype == np.float64
    assert reported.second.dtype == np.int64


def test_fields_may_come_in_any_order() -> None:
    message = piece(3, STAT) + piece(2, b"cart") + piece(1, b"shop")
    assert taken_of(piece(1, message)) == (["shop/cart"], {})


def test_a_message_without_a_stat_is_left_out() -> None:
    nothing = WireStatMessage(namespace="shop", name="cart")
    some = WireStatMessage(namespace="shop", name="till", stat=Stat(request_count=1.0))
    frame = WireStatMessages(messages=[nothing, some]).SerializeToString()
    assert taken_of(frame) == (["shop/till"], {})


LATER = [b"\x10\x05", b"\x11" + bytes(8), b"\x15" + bytes(4), b"\x7a\x02ab", b"\xfa\x7f\x00"]


@pytest.mark.parametrize("field", LATER)
def test_fields_of_a_later_release_are_passed_over(field: bytes) -> None:
    newer = piece(1, b"shop") + piece(2, b"cart") + piece(3, STAT + double(12, 1.0))
    assert taken_of(field + piece(1, newer) + field) == (["shop/cart"], {})


def test_an_empty_frame_says_nothing() -> None:
    reported = decode(b"")
    assert reported.keys == []
    assert reported.second.shape == (0,)


GARBAGE = [
    b"\xff\xff\xff",
    b"\x0a",
    b"\x0a\x7f",
    b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\x0b\x0c",  # a group
    b"\x11" + bytes(7),
    a_frame("cart")[:-1],
]


@pytest.mark.parametrize("frame", GARBAGE)
def test_what_is_no_sequence_of_messages_is_dropped_whole(frame: bytes) -> None:
    assert taken_of(a_frame("cart") + frame) == ([], {GARBLED_FRAMES.name: 1})


def test_a_message_that_cannot_be_read_is_dropped_alone() -> None:
    frame = a_frame("cart") + piece(1, b"\x1a\x7f") + a_frame("till")
    assert taken_of(frame) == (["shop/cart", "shop/till"], {GARBLED_MESSAGES.name: 1})


def test_a_name_that_is_not_utf_8_drops_its_message_alone() -> None:
    frame = a_named_frame((b"shop", b"a"), (b"shop", b"\xff\xfe"), (b"\xc3", b"b"), (b"shop", b"c"))
    assert taken_of(frame) == (["shop/a", "shop/c"], {GARBLED_MESSAGES.name: 2})


@pytest.mark.parametrize(
    "name",
    [b"", b"A", b"a b", b"a/b", b"a\nb", b"\n", b"\x1b[31m", "ä".encode(), b"a_b", b"\0"],
)
def test_a_name_that_kubernetes_does_not_allow_drops_its_message_alone(name: bytes) -> None:
    frame = a_named_frame((b"shop", b"a"), (b"shop", name), (name, b"b"), (b"shop", b"c"))
    assert taken_of(frame) == (["shop/a", "shop/c"], {NAMES.name: 2})


def test_names_may_be_as_long_as_in_kubernetes() -> None:
    longest = "a" * int(NAME_BYTES.most)
    refused = Refused()
    assert decode(a_frame(longest), refused).keys == [f"shop/{longest}"]
    assert decode(a_frame(longest + "a", "till"), refused).keys == ["shop/till"]
    assert refused.counts == {NAME_BYTES.name: 1}
    assert len(refused.who[0]) == 80


def test_numbers_that_no_activator_can_mean_drop_their_message_alone() -> None:
    refused = Refused()
    frame = numbered(1.0, float("nan"), -5.0, 1e300, float("inf"), SAMPLE.most)
    assert decode(frame, refused).keys == ["shop/cart-0", "shop/cart-5"]
    assert refused.counts == {SAMPLE.name: 4}
    assert refused.who[1] == "shop/cart-2 with -5.0 and 1.0"
    assert taken_of(numbered(1.0, requests=-1.0)) == ([], {SAMPLE.name: 1})


def test_the_largest_number_is_what_averages_can_hold() -> None:
    assert SAMPLE.most == LARGEST_SAMPLE


def test_as_many_messages_as_are_allowed_are_read() -> None:
    most = int(FRAME_MESSAGES.most)
    names = [f"revision-{i}" for i in range(most)]
    assert len(decode(a_frame(*names)).keys) == most
    assert taken_of(a_frame(*names, "one-more")) == ([], {FRAME_MESSAGES.name: 1})


def test_a_message_that_is_too_long_drops_the_frame() -> None:
    longest = piece_of(int(MESSAGE_BYTES.most))
    assert taken_of(a_frame("cart") + longest) == (["shop/cart"], {})
    longer = piece_of(int(MESSAGE_BYTES.most) + 1)
    assert taken_of(a_frame("cart") + longer) == ([], {MESSAGE_BYTES.name: 1})


def piece_of(size: int) -> bytes:
    """A message of so many bytes that means nothing."""
    varint = bytes([size & 0x7F | 0x80, size >> 7])
    field = bytes([0x7A, (size - 3) & 0x7F | 0x80, (size - 3) >> 7])
    return b"\x0a" + varint + field + bytes(size - 3)


def test_a_million_empty_messages_cost_nothing() -> None:
    frame = b"\x0a\x00" * 2**20
    taken, most = with_peak(taken_of, frame)
    assert taken == ([], {FRAME_MESSAGES.name: 1})
    assert most < 2**20


def test_a_large_frame_is_split_into_frames_that_say_the_same() -> None:
    names = [f"revision-{i}" for i in range(2 * PIECE_MESSAGES + 1)]
    pieces = list(split(a_frame(*names)))
    assert [len(decode(each).keys) for each in pieces] == [PIECE_MESSAGES, PIECE_MESSAGES, 1]
    assert [key for each in pieces for key in decode(each).keys] == [f"shop/{n}" for n in names]
    assert b"".join(pieces) == a_frame(*names)


@pytest.mark.parametrize("count", [0, 1, PIECE_MESSAGES])
def test_a_small_frame_stays_whole(count: int) -> None:
    frame = a_frame(*(f"revision-{i}" for i in range(count)))
    assert list(split(frame)) == [frame]


def test_a_frame_that_is_refused_is_not_split() -> None:
    frame = b"\x0a\x00" * 2**20
    assert list(split(frame)) == [frame]


def test_what_is_reported_is_a_value() -> None:
    assert isinstance(decode(b""), DecodedFrame)
    with pytest.raises(AttributeError):
        decode(b"").keys = []  # type: ignore[misc]
