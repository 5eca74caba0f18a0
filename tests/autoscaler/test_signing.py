"""Only what the holder of the key signed is opened; everything else says what is wrong with it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.errors import PermanentError
from autoscaler.limits import KEY_BYTES
from autoscaler.refusals import LimitError
from autoscaler.signing import MAGIC, opened, read_key, signed

KEY, OTHER = b"k" * 32, b"o" * 32


@given(body=st.binary(max_size=300), key=st.binary(min_size=32, max_size=100))
def test_what_was_signed_is_opened_with_the_same_key(body: bytes, key: bytes) -> None:
    assert opened(signed(body, key), key) == body


@given(body=st.binary(max_size=50), place=st.integers(0, 10_000), change=st.integers(1, 255))
def test_no_byte_can_be_changed(body: bytes, place: int, change: int) -> None:
    data = bytearray(signed(body, KEY))
    data[place % len(data)] ^= change
    with pytest.raises(PermanentError):
        opened(bytes(data), KEY)


@pytest.mark.parametrize("length", range(49))
def test_what_is_cut_within_its_signature_is_refused(length: int) -> None:
    with pytest.raises(PermanentError):
        opened(signed(b"body", KEY)[:length], KEY)


@pytest.mark.parametrize(
    ("data", "key", "said"),
    [
        (b"body", KEY, "it is not signed; allowed: signed, as a key is given"),
        (b"", KEY, "it is not signed"),
        (signed(b"body", OTHER), KEY, "its signature is wrong: it was signed with another key"),
        (signed(b"body", KEY) + b"x", KEY, "its signature is wrong"),
        (signed(b"body", KEY), None, r"it is signed; allowed: .* give the key .* \(--key\)"),
        (MAGIC + b"\x02" + bytes(40), KEY, r"signed by version b'\\x02'; allowed: b'\\x01'"),
        (signed(b"body", KEY), b"short", "the key has 5 bytes; allowed: >= 32"),
    ],
)
def test_what_is_wrong_is_named(data: bytes, key: bytes | None, said: str) -> None:
    with pytest.raises(PermanentError, match=said):
        opened(data, key)


def test_without_a_key_what_is_not_signed_is_what_it_is() -> None:
    assert opened(b"body", None) == b"body"


def test_a_key_that_is_too_short_signs_nothing() -> None:
    with pytest.raises(PermanentError, match="the key has 31 bytes"):
        signed(b"body", b"k" * 31)


def test_a_key_is_all_bytes_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"k" * 32 + b"\n")
    assert read_key(path) == b"k" * 32 + b"\n"
    path.write_bytes(b"short\n")
    with pytest.raises(PermanentError, match=r"the key .*/key has 6 bytes; allowed: >= 32"):
        read_key(path)
    path.write_bytes(bytes(5000))
    with pytest.raises(LimitError, match=r"more than 4096 bytes") as caught:
        read_key(path)
    assert caught.value.limit is KEY_BYTES
    with pytest.raises(PermanentError, match="cannot be read: No such file"):
        read_key(tmp_path / "none")
