"""Files that are written atomically."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from autoscaler.errors import PermanentError


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Write to a draft that is renamed when the block ends without an error, else removed.

    A reader sees the old file or the new one. Raises PermanentError if it cannot be written.
    """
    # In the same folder: a rename is atomic only within one file system.
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        try:
            with draft.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from error


def check_writable(path: Path) -> None:
    """Check before long work that a file can be written. Raises PermanentError."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        draft.touch(exist_ok=False)
        draft.unlink()
    except OSError as error:
        raise _unwritable(path, error) from error
    if path.is_dir():
        raise PermanentError(f"{path} cannot be written: it is a folder; allowed: a file name")


def _unwritable(path: Path, error: OSError) -> PermanentError:
    return PermanentError(
        f"{path} cannot be written: {error.strerror or error}; "
        "allowed: a file name in a folder that exists and can be written"
    )
