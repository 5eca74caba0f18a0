"""A long text, compressed piece by piece, that can be sent with another end each time.

Metrics of 10,000 revisions are 70 MB of text and 2 MB compressed: whole pages can be cached, and
sent to slow clients.
"""

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

PIECE = 64 * 1024  # bytes
_LEVEL = 1  # most of the gain, in a tenth of the time that making the text takes
_RAW = -zlib.MAX_WBITS  # without head and tail, which are added when it is sent
_HEAD = b"\x1f\x8b\x08\0\0\0\0\0\x04\xff"  # RFC 1952: fastest level, unknown system, no time


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """A compressed text, without its end."""

    pieces: tuple[bytes, ...]  # each can be decompressed by itself
    checksum: int
    length: int  # bytes, uncompressed

    @classmethod
    def of(cls, texts: Iterable[str]) -> "Packed":
        """Compress texts, joined."""
        packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _RAW)
        pieces, checksum, length = [], 0, 0
        for text in texts:
            data = text.encode("utf-8", "replace")
            checksum, length = zlib.crc32(data, checksum), length + len(data)
            pieces.append(packer.compress(data) + packer.flush(zlib.Z_FULL_FLUSH))
        return cls(pieces=tuple(pieces), checksum=checksum, length=length)

    def gzipped(self, end: str) -> Iterator[bytes]:
        """The text and its end, as one gzip file."""
        data = end.encode("utf-8", "replace")
        packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _RAW)
        checksum = zlib.crc32(data, self.checksum)
        length = (self.length + len(data)) % 2**32
        yield _HEAD
        yield from self.pieces
        yield packer.compress(data) + packer.flush()
        yield checksum.to_bytes(4, "little") + length.to_bytes(4, "little")

    def plain(self, end: str) -> Iterator[bytes]:
        """The text and its end, decompressed a piece at a time."""
        unpacker = zlib.decompressobj(_RAW)
        for piece in self.pieces:
            left = piece
            while data := unpacker.decompress(left, PIECE):
                yield data
                left = unpacker.unconsumed_tail
        yield end.encode("utf-8", "replace")
