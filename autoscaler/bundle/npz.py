"""Plain arrays out of an untrusted npz archive, within limits.

Never pickle: reading a file must not be able to run code. Memory for an array is allocated only
when its header, the archive's directory and a limit agree on its size, and no more than that is
inflated: a directory entry that is too small cuts its member short, and the checksum fails.
"""

import math
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO

import numpy as np

from autoscaler.errors import PermanentError
from autoscaler.limits import (
    ARCHIVE_BYTES,
    ARCHIVE_MEMBERS,
    ARCHIVE_UNPACKED,
    ARRAY_HEADER,
    MIB,
    Limit,
)
from autoscaler.refusals import LimitError

NPZ_START = b"PK\x03\x04"
DIRECTORY_END, DIRECTORY_END_64 = b"PK\x05\x06", b"PK\x06\x07"
END_SIZE, END_SIZE_64 = 22, 20  # bytes of the records that those begin
DIRECTORY_ENTRY = 512  # bytes of a member's entry in the directory, at most
SUFFIX = ".npy"

Arrays = dict[str, np.ndarray[Any, Any]]

# What zipfile and numpy raise for damaged archives and headers.
_DAMAGE = (
    ValueError,
    TypeError,
    EOFError,
    RuntimeError,
    OverflowError,
    MemoryError,
    zipfile.BadZipFile,
    zlib.error,
)


def read_npz(
    path: Path,
    *,
    allowed: str,
    packed: Limit = ARCHIVE_BYTES,
    unpacked: Limit = ARCHIVE_UNPACKED,
) -> Arrays:
    """All arrays of an archive.

    packed, unpacked: limits on the bytes of the file and of its arrays. Raises PermanentError,
    naming the file and what is allowed, if it is no such archive or damaged, and LimitError.
    """
    with _opened(path, allowed, packed) as file:
        return unpack(file, str(path), allowed=allowed, unpacked=unpacked)


def read_bytes(path: Path, *, allowed: str, limit: Limit) -> bytes:
    """A file's bytes. Raises PermanentError, naming the file, and LimitError."""
    with _opened(path, allowed, limit) as file:
        data = file.read(int(limit.most) + 1)
    if len(data) > limit.most:  # it has grown meanwhile
        raise LimitError(limit, str(path))
    return data


def unpack(file: BinaryIO, where: str, *, allowed: str, unpacked: Limit) -> Arrays:
    """All arrays of an archive that is open; ``where`` names it. Raises as `read_npz` does."""
    try:
        if file.read(len(NPZ_START)) != NPZ_START:
            raise PermanentError(f"{where} is no npz archive; allowed: {allowed}")
        _check_directory(file, where)
        with zipfile.ZipFile(file) as archive:
            return _arrays(archive, where, unpacked)
    except _DAMAGE as error:
        cause = str(error).splitlines()[0] if str(error) else type(error).__name__
        message = f"{where} is damaged or holds objects ({cause:.200}); allowed: {allowed}"
        raise PermanentError(message) from error


@contextmanager
def _opened(path: Path, allowed: str, limit: Limit) -> Iterator[BinaryIO]:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # reading a pipe could block
            raise PermanentError(f"{path} is no file; allowed: {allowed}")
        if status.st_size > limit.most:
            raise LimitError(limit, str(path))
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise PermanentError(f"{path} cannot be read: {error.strerror or error}") from error


def _check_directory(file: BinaryIO, where: str) -> None:
    """Check the directory's size before zipfile parses it: it may list millions of members."""
    size = file.seek(0, 2)
    file.seek(max(size - END_SIZE - END_SIZE_64, 0))
    tail = file.read()
    end = tail[-END_SIZE:]
    if end[:4] != DIRECTORY_END or end[-2:] != b"\0\0" or tail[:4] == DIRECTORY_END_64:
        raise ValueError("its directory has no plain end")
    members, length = (int.from_bytes(end[a:b], "little") for a, b in ((10, 12), (12, 16)))
    if members > ARCHIVE_MEMBERS.most or length > ARCHIVE_MEMBERS.most * DIRECTORY_ENTRY:
        raise LimitError(ARCHIVE_MEMBERS, where)


def _arrays(archive: zipfile.ZipFile, where: str, unpacked: Limit) -> Arrays:
    members = archive.infolist()
    if len(members) > ARCHIVE_MEMBERS.most:
        raise LimitError(ARCHIVE_MEMBERS, where)
    if sum(member.file_size for member in members) > unpacked.most:
        raise LimitError(unpacked, where)
    arrays: Arrays = {}
    for member in members:
        name = member.filename.removesuffix(SUFFIX)
        if name == member.filename or not name.isidentifier():
            raise ValueError(f"its member {member.filename[:50]!r} is no array")
        if member.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            raise ValueError(f"its member {name} is packed in an unusual way")
        with archive.open(member) as stream:
            arrays[name] = _array(stream, f"{where}: {name}", member.file_size)
    return arrays


def _array(stream: IO[bytes], where: str, size: int) -> np.ndarray[Any, Any]:
    """One member, of ``size`` bytes according to the directory."""
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError("an array of an unusual format")
    if int.from_bytes(stream.peek(2)[:2], "little") > ARRAY_HEADER.most:  # type: ignore[attr-defined]
        raise LimitError(ARRAY_HEADER, where)
    shape, by_columns, dtype = np.lib.format.read_array_header_1_0(stream)
    n_bytes = math.prod(shape) * dtype.itemsize
    if dtype.hasobject:
        raise ValueError("objects")
    if dtype.itemsize == 0 or min(shape, default=0) < 0 or n_bytes != size - stream.tell():
        raise ValueError("an array whose header tells of another size than its directory")
    data = bytearray(n_bytes)
    place, into = 0, memoryview(data)
    while place < n_bytes:
        piece = stream.read(min(MIB, n_bytes - place))
        if not piece:
            raise EOFError("an array that ends too soon")
        into[place : place + len(piece)] = piece
        place += len(piece)
    return np.ndarray(shape, dtype, buffer=data, order="F" if by_columns else "C")
