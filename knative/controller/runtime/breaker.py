"""The crash-loop breaker: who crashes again and again starts as plain KPA.

Whatever ended the process, it is likeliest to be what Knative's own autoscaler does without: advice
and our own annotations. So after three crashes in ten minutes the controller starts without both.
It stays so until it is ended and started by somebody: a new pod begins with an empty folder.

A start that was not followed by an end is a crash. The file holds the Unix seconds of such starts.
"""

import logging
from pathlib import Path

CRASHES, WITHIN_S = 3, 600.0
FILE_BYTES = 4096  # a file of ours has three lines

log = logging.getLogger(__name__)


class Breaker:
    """Counts starts and ends in a file."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def start(self, now: float) -> bool:
        """Note a start at Unix s ``now``; whether it has to be a plain one."""
        crashes = [at for at in self._read() if 0 <= now - at < WITHIN_S]
        try:
            last = [*crashes, now][-CRASHES:]  # no more are needed, however often it crashes
            self._file.write_text("".join(f"{at:.3f}\n" for at in last))
        except OSError as error:
            log.error("%s cannot be written (%s): crashes are not counted", self._file, error)
        return len(crashes) >= CRASHES

    def end(self) -> None:
        """Note that the process ends because it was told to."""
        try:
            self._file.unlink(missing_ok=True)
        except OSError as error:
            log.error("%s cannot be removed: %s", self._file, error)

    def _read(self) -> list[float]:
        try:
            if self._file.stat().st_size > FILE_BYTES:
                raise ValueError(f"more than {FILE_BYTES} bytes")
            return [float(line) for line in self._file.read_text().split()]
        except FileNotFoundError:
            return []
        except (OSError, ValueError) as error:
            log.error("%s is damaged and begun anew: %s", self._file, error)
            return []
