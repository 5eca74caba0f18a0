"""The crash-loop breaker: after repeated crashes the controller starts as plain KPA.

The most probable causes of a crash are advice and the annotations of kn-ahead, which Knative's own
autoscaler does not have. So after three crashes in ten minutes the controller starts without both,
until it is stopped and started again: a new pod has an empty folder.

A start without an orderly end is a crash. The file has the Unix seconds of such starts.
"""

from pathlib import Path

from autoscaler.logs import get_logger

CRASHES, WITHIN_S = 3, 600.0
FILE_BYTES = 4096  # a valid file has three lines

log = get_logger(__name__)


class Breaker:
    """Counts crashes in a file."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def start(self, now: float) -> bool:
        """Note a start at Unix s ``now``; returns whether to start as plain KPA."""
        crashes = [at for at in self._read() if 0 <= now - at < WITHIN_S]
        try:
            last = [*crashes, now][-CRASHES:]  # no more are needed
            self._file.write_text("".join(f"{at:.3f}\n" for at in last))
        except OSError as error:
            log.error("crashes are not counted", file=self._file, error=str(error))
        return len(crashes) >= CRASHES

    def end(self) -> None:
        """Note an orderly end."""
        try:
            self._file.unlink(missing_ok=True)
        except OSError as error:
            log.error("count of crashes cannot be removed", file=self._file, error=str(error))

    def _read(self) -> list[float]:
        try:
            if self._file.stat().st_size > FILE_BYTES:
                raise ValueError(f"more than {FILE_BYTES} bytes")
            return [float(line) for line in self._file.read_text().split()]
        except FileNotFoundError:
            return []
        except (OSError, ValueError) as error:
            log.error(
                "count of crashes is damaged and started anew", file=self._file, error=str(error)
            )
            return []
