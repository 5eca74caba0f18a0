"""Log lines that nothing can forge or flood.

Names and texts in a line may come from strangers: control characters are escaped and long lines cut
where the line is made, once for all. A line that repeats (the same place in the code) is written
sixty times a minute at most; how many were left out is said with the next.
"""

import logging
import time
from collections.abc import Mapping

LONGEST_LINE = 2_000  # characters
LINES_A_PLACE, PLACE_S = 60, 60.0  # lines that one place in the code may write in so many s

_ESCAPED: Mapping[int, str] = {
    code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))
} | {0x2028: "\\u2028", 0x2029: "\\u2029"}


class LineFormatter(logging.Formatter):
    """One line a record: control characters escaped, cut at `LONGEST_LINE`.

    A traceback stays on lines of its own, each escaped and cut as well.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Make the line."""
        record.message = _line(record.getMessage())
        if self.usesTime():
            record.asctime = self.formatTime(record, self.datefmt)
        lines = [self.formatMessage(record)]
        if record.exc_info:
            trace = self.formatException(record.exc_info)
            lines += ["    " + _line(line) for line in trace.splitlines()]
        return "\n".join(lines)


class RepeatFilter(logging.Filter):
    """Lets so many lines of one place in the code through, and counts the others."""

    def __init__(self) -> None:
        super().__init__()
        self._begun_s: dict[tuple[str, int], float] = {}
        self._lines: dict[tuple[str, int], int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is written."""
        place = record.pathname, record.lineno
        now = time.monotonic()  # noqa: TID251  # of the process, whatever clock decides by
        if now - self._begun_s.get(place, -PLACE_S) >= PLACE_S:
            left_out = self._lines.get(place, 0) - LINES_A_PLACE
            self._begun_s[place], self._lines[place] = now, 0
            if left_out > 0:
                record.msg = f"{record.msg} ({left_out} lines like this were left out)"
        self._lines[place] += 1
        return self._lines[place] <= LINES_A_PLACE


def set_up(level: int = logging.INFO) -> None:
    """Write log lines to stderr."""
    handler = logging.StreamHandler()
    handler.setFormatter(LineFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    handler.addFilter(RepeatFilter())
    logging.basicConfig(level=level, handlers=[handler], force=True)


def _line(text: str) -> str:
    text = text.translate(_ESCAPED)
    return text if len(text) <= LONGEST_LINE else f"{text[:LONGEST_LINE]}..."
