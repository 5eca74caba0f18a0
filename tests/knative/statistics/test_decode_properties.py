"""Whatever comes is decoded without a fault, and what is taken is always possible."""

import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.limits import NAME_BYTES, SAMPLE
from knative.statistics.decode import decode, split
from tests.knative.statistics.examples import a_frame, double, piece

KEY = re.compile(r"[a-z0-9.-]+/[a-z0-9.-]+")

short = st.binary(max_size=8)
names = st.one_of(short, st.from_regex(rb"[a-z0-9.-]{1,8}", fullmatch=True))
doubles = st.builds(double, st.integers(1, 7), st.floats())
seconds = st.integers(0, 127).map(lambda n: bytes([0x38, n]))
fields = st.one_of(doubles, st.builds(piece, st.integers(1, 15), short), seconds)
stats = st.lists(fields, max_size=4).map(b"".join)
messages = st.one_of(
    st.builds(lambda a, b, c: piece(1, a) + piece(2, b) + piece(3, c[:100]), names, names, stats),
    st.lists(fields, max_size=3).map(lambda parts: b"".join(parts)[:120]),
)
frames = st.one_of(
    st.binary(max_size=200),
    st.lists(messages.map(lambda m: piece(1, m[:127])), max_size=8).map(b"".join),
)


@given(frames)
def test_what_is_taken_is_always_possible(frame: bytes) -> None:
    refused = list[int]()
    reported = decode(frame, lambda limit, who, n: refused.append(n))
    assert all(KEY.fullmatch(key) for key in reported.keys)
    assert all(len(part) <= NAME_BYTES.most for key in reported.keys for part in key.split("/"))
    for numbers in (reported.concurrency, reported.requests):
        assert ((numbers >= 0) & (numbers <= SAMPLE.most)).all()
        assert numbers.shape == (len(reported.keys),)
    assert reported.second.dtype == np.int64
    assert all(n == 1 for n in refused)


@given(st.lists(messages.map(lambda m: piece(1, m[:127])), max_size=8))
def test_every_message_stands_for_itself(parts: list[bytes]) -> None:
    together = decode(b"".join(parts))
    alone = [decode(part) for part in parts]
    assert together.keys == [key for each in alone for key in each.keys]
    for name in ("concurrency", "requests", "second"):
        expected = np.concatenate([getattr(each, name) for each in alone] or [np.zeros(0)])
        np.testing.assert_array_equal(getattr(together, name), expected)


@given(st.lists(st.from_regex(r"[a-z]{1,8}", fullmatch=True), max_size=50), st.integers(1, 60))
def test_a_frame_that_is_split_says_the_same(revisions: list[str], padding: int) -> None:
    frame = a_frame(*revisions) * padding
    pieces = list(split(frame))
    assert b"".join(pieces) == frame
    assert [key for each in pieces for key in decode(each).keys] == decode(frame).keys
