"""Signatures of bundles: only the holder of a key can make a valid one.

    magic (16 bytes) | version (1) | HMAC-SHA256 of magic, version and body (32) | body

The format is the same on disk and over HTTP. A reader with a key refuses unsigned bundles; one
without refuses signed ones, as they are meant to be verified.
"""

import hashlib
import hmac
from pathlib import Path

from autoscaler.errors import PermanentError
from autoscaler.limits import KEY_BYTES
from autoscaler.refusals import LimitError

MAGIC = b"kn-ahead signed\n"
VERSION = b"\x01"
FEWEST_KEY_BYTES = 32
GIVE_KEY = "give the key that its writer signs with (--key)"

_PREFIX = MAGIC + VERSION
_LENGTH = hashlib.sha256().digest_size


def read_key(path: Path | None) -> bytes | None:
    """The bytes of a file, all of them; None without a file. Raises PermanentError."""
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            key = file.read(int(KEY_BYTES.most) + 1)
    except OSError as error:
        raise PermanentError(f"the key {path} cannot be read: {error.strerror or error}") from error
    if len(key) > KEY_BYTES.most:
        raise LimitError(KEY_BYTES, f"the key {path}")
    _check_key(key, f"the key {path}")
    return key


def signed(body: bytes, key: bytes) -> bytes:
    """The body behind its signature. Raises PermanentError for a key that is too short."""
    _check_key(key, "the key")
    return _PREFIX + _signature(body, key) + body


def opened(data: bytes, key: bytes | None) -> bytes:
    """The body of what `signed` returned with the same key; key None: the data itself, unsigned.

    Raises PermanentError if the signature is missing, unexpected or wrong.
    """
    if key is None:
        if data.startswith(MAGIC):
            raise PermanentError(f"it is signed; allowed: unsigned, or {GIVE_KEY}")
        return data
    _check_key(key, "the key")
    if not data.startswith(MAGIC):
        raise PermanentError("it is not signed; allowed: signed, as a key is given")
    version = data[len(MAGIC) : len(_PREFIX)]
    if version != VERSION:
        raise PermanentError(f"it is signed by version {version!r}; allowed: {VERSION!r}")
    signature, body = data[len(_PREFIX) :][:_LENGTH], data[len(_PREFIX) + _LENGTH :]
    if not hmac.compare_digest(signature, _signature(body, key)):
        raise PermanentError(
            f"its signature is wrong: it was signed with another key, or changed since; {GIVE_KEY}"
        )
    return body


def _signature(body: bytes, key: bytes) -> bytes:
    signature = hmac.new(key, _PREFIX, hashlib.sha256)
    signature.update(body)  # instead of a concatenation, which would copy it
    return signature.digest()


def _check_key(key: bytes, what: str) -> None:
    if len(key) < FEWEST_KEY_BYTES:
        raise PermanentError(
            f"{what} has {len(key)} bytes; allowed: >= {FEWEST_KEY_BYTES}, random ones"
        )
