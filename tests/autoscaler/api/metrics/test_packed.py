import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.api.metrics.packed import PIECE, Packed

TEXTS = st.lists(st.text(max_size=50), max_size=5)


@given(TEXTS, st.text(max_size=50))
def test_what_was_packed_comes_out_with_its_end(texts: list[str], end: str) -> None:
    packed, whole = Packed.of(texts), "".join(texts) + end
    expected = whole.encode("utf-8", "replace")
    assert gzip.decompress(b"".join(packed.gzipped(end))) == expected
    assert b"".join(packed.plain(end)) == expected


def test_the_end_may_be_another_each_time() -> None:
    packed = Packed.of(["a" * 1000, "b" * 1000])
    for end in ("one", "two"):
        assert gzip.decompress(b"".join(packed.gzipped(end))).endswith(b"bb" + end.encode())


def test_a_long_text_takes_little_room_and_comes_out_in_small_pieces() -> None:
    packed = Packed.of(["0123456789" * 100_000] * 3)
    assert packed.length == 3_000_000
    assert sum(map(len, packed.pieces)) < 100_000
    assert max(map(len, packed.plain(""))) == PIECE


def test_nothing_is_a_text_too() -> None:
    assert gzip.decompress(b"".join(Packed.of([]).gzipped(""))) == b""


@pytest.mark.parametrize("bad", ["\ud800", "a\udfffb"])
def test_what_is_no_text_does_not_end_the_page(bad: str) -> None:
    assert b"".join(Packed.of([bad]).plain("!")).endswith(b"!")
