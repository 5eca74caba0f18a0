"""Files that appear under their name whole or not at all."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from autoscaler.errors import PermanentError


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Write to a draft that takes its name when the block ends well, and vanishes when not.

    Whoever reads meanwhile sees the old file or the new one. Raises PermanentError where the file
    cannot be written.
    """
    # In the same folder, because only within one file system a rename is atomic.
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
    """Fail now rather than after an hour's work. Raises PermanentError."""
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
