"""The advice that the advisor puts in place, looked at once a tick."""

from pathlib import Path

from autoscaler.errors import PermanentError
from autoscaler.exchange.advice import NAME, AdviceTable, read_advice

Look = tuple[int, int, int]  # inode, bytes, ns of the last change


class AdviceFile:
    """Reads the file when it is another one."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._look: Look | None = None
        self.table: AdviceTable | None = None  # None = what is there is of no use
        self.fault = ""  # why; "" = it is of use, or the advisor has not come that far

    def poll(self) -> bool:
        """Look at the file; returns whether `table` is another one now."""
        former = self.table
        try:
            status = self._path.lstat()
            look = (status.st_ino, status.st_size, status.st_mtime_ns)
            if look == self._look:
                return False
            self._look = look
            self.table, self.fault = read_advice(self._path), ""
        except FileNotFoundError:
            self._look, self.table, self.fault = None, None, ""
        except PermanentError as error:
            self.table, self.fault = None, str(error)
        except OSError as error:
            # The same file is read anew when it can be: no descriptor was left, say.
            self._look, self.table = None, None
            self.fault = f"{self._path} cannot be read: {error}"
        return self.table is not former
