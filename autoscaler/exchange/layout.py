"""Arrays in a file whose layout both sides know, so that nothing has to be parsed.

A file begins with a magic word, a version and the sizes of its dimensions, which determine the
offset and length of every array, and the length of the file. A reader checks these integers only.
All numbers are little-endian.
"""

import os
import stat
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from autoscaler.errors import PermanentError

Arrays = dict[str, np.ndarray[Any, Any]]
Bytes = np.ndarray[Any, np.dtype[np.uint8]]

_ALIGNMENT = 8  # bytes at which each array begins


@dataclass(frozen=True, slots=True)
class Field:
    """One array."""

    name: str
    dtype: str  # such as "<f8"
    dimensions: tuple[str, ...]  # names of dimensions; () = one number


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The arrays of a kind of file, and limits on their dimensions."""

    magic: bytes  # 8 bytes
    version: int
    most: Mapping[str, int]  # by the name of a dimension, the largest size
    fields: tuple[Field, ...]

    @property
    def _head(self) -> struct.Struct:
        return struct.Struct(f"<8sII{len(self.most)}Q")

    @property
    def largest(self) -> int:
        """Bytes of the largest possible file."""
        return self._places(dict(self.most))[1]

    def write(self, path: Path, arrays: Mapping[str, Any]) -> None:
        """Replace a file atomically. Raises OSError, or ValueError for wrong shapes."""
        # One draft a path: a writer that was killed leaves no more than one.
        draft = path.with_name(f".{path.name}.draft")
        with draft.open("wb") as file:
            file.writelines(self._pieces(arrays))
        draft.replace(path)

    def pack(self, arrays: Mapping[str, Any]) -> bytes:
        """The bytes that `write` writes. Raises ValueError for wrong shapes."""
        return b"".join(self._pieces(arrays))

    def _pieces(self, arrays: Mapping[str, Any]) -> list[Any]:
        sizes, buffers = self._checked(arrays)
        head = self._head.pack(self.magic, self.version, len(self.most), *sizes.values())
        pieces: list[Any] = [head, b"\0" * (-len(head) % _ALIGNMENT)]
        for buffer in buffers:
            pieces += [buffer, b"\0" * (-buffer.nbytes % _ALIGNMENT)]
        return pieces

    def _checked(self, arrays: Mapping[str, Any]) -> tuple[dict[str, int], list[Bytes]]:
        sizes: dict[str, int] = {}
        buffers: list[Bytes] = []
        for field in self.fields:
            array = np.ascontiguousarray(arrays[field.name], dtype=field.dtype)
            if array.ndim != len(field.dimensions):
                array = array.reshape(array.shape[: len(field.dimensions)])
            for dimension, size in zip(field.dimensions, array.shape, strict=True):
                if sizes.setdefault(dimension, size) != size or size > self.most[dimension]:
                    raise ValueError(f"{field.name} has {size} {dimension}; others {sizes}")
            buffers.append(array.reshape(-1).view(np.uint8))
        return {name: sizes.get(name, 0) for name in self.most}, buffers

    def read(self, path: Path) -> Arrays:
        """The arrays of a file, read-only.

        Raises FileNotFoundError if there is none, PermanentError if it is no complete file of this
        layout; the work is bounded by `largest`.
        """
        # Never block on a pipe, nor follow a link.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise PermanentError(f"{path} is no file")
            _, length = self._places(self._sizes(file.read(self._head.size), path))
            if status.st_size != length:
                raise PermanentError(f"{path} has {status.st_size} bytes; its head says {length}")
            file.seek(0)
            return self.unpack(file.read(length), path)

    def unpack(self, data: bytes, path: Path) -> Arrays:
        """The arrays of what `pack` returned. Raises PermanentError, which names ``path``."""
        places, length = self._places(self._sizes(data[: self._head.size], path))
        if len(data) != length:
            raise PermanentError(f"{path} has {len(data)} bytes; its head says {length}")
        return {
            field.name: np.frombuffer(
                data, field.dtype, count=int(np.prod(shape, dtype=np.int64)), offset=begin
            ).reshape(shape)
            for field, (begin, shape) in zip(self.fields, places, strict=True)
        }

    def _sizes(self, head: bytes, path: Path) -> dict[str, int]:
        if len(head) < self._head.size or head[:8] != self.magic:
            raise PermanentError(f"{path} does not begin with {self.magic!r}")
        _, version, dimensions, *sizes = self._head.unpack(head)
        if (version, dimensions) != (self.version, len(self.most)):
            raise PermanentError(f"{path} is of version {version}; allowed: {self.version}")
        for (name, most), size in zip(self.most.items(), sizes, strict=True):
            if size > most:
                raise PermanentError(f"{path} has {size} {name}; allowed: up to {most}")
        return dict(zip(self.most, sizes, strict=True))

    def _places(self, sizes: Mapping[str, int]) -> tuple[list[tuple[int, tuple[int, ...]]], int]:
        """Offset and shape of each field, and the length of the file."""
        at, places = _aligned(self._head.size), []
        for field in self.fields:
            shape = tuple(sizes[name] for name in field.dimensions)
            places.append((at, shape))
            bytes_ = int(np.dtype(field.dtype).itemsize) * int(np.prod(shape, dtype=np.int64))
            at = _aligned(at + bytes_)
        return places, at


def _aligned(at: int) -> int:
    return at + -at % _ALIGNMENT
