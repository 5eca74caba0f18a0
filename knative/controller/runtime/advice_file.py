"""The advisor's file of advice, polled once a tick."""

from pathlib import Path

from autoscaler.errors import PermanentError
from autoscaler.exchange.advice import NAME, AdviceTable, read_advice

Version = tuple[int, int, int]  # inode, bytes, ns of the last change


class AdviceFile:
    """Reads the file when it was replaced."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._version: Version | None = None
        self.table: AdviceTable | None = None  # None = there is none that can be used
        self.fault = ""  # why it cannot be used; "" = it can, or there is no file yet

    def poll(self) -> bool:
        """Read the file if it was replaced; returns whether `table` has changed."""
        former = self.table
        try:
            status = self._path.lstat()
            version = (status.st_ino, status.st_size, status.st_mtime_ns)
            if version == self._version:
                return False
            self._version = version
            self.table, self.fault = read_advice(self._path), ""
        except FileNotFoundError:
            self._version, self.table, self.fault = None, None, ""
        except PermanentError as error:
            self.table, self.fault = None, str(error)
        except OSError as error:
            # Read the same file again next time: e.g. no file descriptor was free.
            self._version, self.table = None, None
            self.fault = f"{self._path} cannot be read: {error}"
        return self.table is not former
