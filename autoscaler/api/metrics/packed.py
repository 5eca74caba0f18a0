"""A long text, packed piece by piece as gzip does, that can be sent with another end each time.

Metrics of 10,000 revisions are 70 MB of text and 2 MB packed: whole pages can be kept, and given to
clients that read slowly.
"""

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

PIECE = 64 * 1024  # bytes
_LEVEL = 1  # most of what can be saved, by a tenth of the time that the text takes
_RAW = -zlib.MAX_WBITS  # neither head nor tail: they come last
_HEAD = b"\x1f\x8b\x08\0\0\0\0\0\x04\xff"  # RFC 1952: packed fast, by nobody, at no time


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """A text; whoever sends it adds what has to be said at that time."""

    pieces: tuple[bytes, ...]  # each can be unpacked as soon as it is there
    checksum: int
    length: int  # bytes, unpacked

    @classmethod
    def of(cls, texts: Iterable[str]) -> "Packed":
        """Pack texts one after the other."""
        packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _RAW)
        pieces, checksum, length = [], 0, 0
        for text in texts:
            data = text.encode("utf-8", "replace")
            checksum, length = zlib.crc32(data, checksum), length + len(data)
            pieces.append(packer.compress(data) + packer.flush(zlib.Z_FULL_FLUSH))
        return cls(pieces=tuple(pieces), checksum=checksum, length=length)

    def gzipped(self, end: str) -> Iterator[bytes]:
        """The text and an end of it, as one file of gzip."""
        data = end.encode("utf-8", "replace")
        packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _RAW)
        checksum = zlib.crc32(data, self.checksum)
        length = (self.length + len(data)) % 2**32
        yield _HEAD
        yield from self.pieces
        yield packer.compress(data) + packer.flush()
        yield checksum.to_bytes(4, "little") + length.to_bytes(4, "little")

    def plain(self, end: str) -> Iterator[bytes]:
        """The text and an end of it, unpacked a little at a time."""
        unpacker = zlib.decompressobj(_RAW)
        for piece in self.pieces:
            left = piece
            while data := unpacker.decompress(left, PIECE):
                yield data
                left = unpacker.unconsumed_tail
        yield end.encode("utf-8", "replace")
