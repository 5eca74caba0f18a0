"""Bytes as they are on the wire."""

import struct

from knative.mirror.reporters import Reporter
from knative.statistics.wire import Stat, WireStatMessage, WireStatMessages


def double(field: int, value: float) -> bytes:
    """A double: tag, then eight bytes, little end first."""
    return bytes([field << 3 | 1]) + struct.pack("<d", value)


def piece(field: int, body: bytes) -> bytes:
    """Text or a message of fewer than 128 bytes: tag, length, bytes."""
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


def a_frame(*names: str, namespace: str = "shop", concurrency: float = 1.0) -> bytes:
    """What an activator sends of revisions."""
    stat = Stat(average_concurrent_requests=concurrency, request_count=2.0, timestamp=1_700_000_000)
    messages = [WireStatMessage(namespace=namespace, name=name, stat=stat) for name in names]
    return bytes(WireStatMessages(messages=messages).SerializeToString())


def a_message(payload: bytes, head: int = 0x82) -> bytes:
    """A frame of a WebSocket from a client; head: the first byte, 0x82 = whole and binary."""
    n = len(payload)
    if n < 126:
        length = bytes([0x80 | n])
    else:
        length = b"\xfe" + n.to_bytes(2) if n < 2**16 else b"\xff" + n.to_bytes(8)
    return bytes([head]) + length + bytes(4) + payload  # a mask of zeros


def activators(*addresses: str) -> list[Reporter]:
    """A ready activator at each address."""
    return [Reporter(addresses=(address,), connects=True) for address in addresses]
