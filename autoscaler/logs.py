"""Log lines, events with keys, as text or JSON, that input can neither forge nor flood.

    log = get_logger(__name__)
    log.warning("bundle refused", path=path, error=error)

    2026-11-26 10:00:00,000 WARNING autoscaler.advisor.bundles: bundle refused path=/b error=...

An event is a constant phrase; whatever varies is a key. Values may come from outside: control
characters are escaped and long values cut where the line is made. A place in the code writes sixty
lines a minute at most; how many were left out is said with the next.
"""

import json
import logging
import os
import time
from argparse import ArgumentParser
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, cast

from structlog import wrap_logger
from structlog.processors import LogfmtRenderer
from structlog.stdlib import BoundLogger, LoggerFactory, filter_by_level
from structlog.typing import EventDict, WrappedLogger

LONGEST_LINE = 2_000  # characters; of JSON, of each value
LINES_A_PLACE, PLACE_S = 60, 60.0  # lines that one place in the code may write in so many s

_ESCAPED: Mapping[int, str] = {
    code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))
} | {0x2028: "\\u2028", 0x2029: "\\u2029"}


class LogLevel(StrEnum):
    """The least severe events that are written."""

    DEBUG, INFO, WARNING, ERROR = "debug", "info", "warning", "error"


class LogFormat(StrEnum):
    """How events are written."""

    TEXT, JSON = "text", "json"


LEVEL_VARIABLE, FORMAT_VARIABLE = "KN_AHEAD_LOG_LEVEL", "KN_AHEAD_LOG_FORMAT"

_loggers, _logfmt = LoggerFactory(), LogfmtRenderer()


def get_logger(name: str) -> BoundLogger:
    """A logger of events with keys; they are records of `logging` like those of any library."""
    made = wrap_logger(
        _loggers(name), processors=[filter_by_level, _to_record], wrapper_class=BoundLogger
    )
    return cast(BoundLogger, made)


def _to_record(_: WrappedLogger, __: str, event: EventDict) -> tuple[tuple[str], dict[str, Any]]:
    """The arguments for `logging`: the whole line, and beside it the keys for JSON."""
    what, exception = str(event.pop("event")), event.pop("exc_info", None)
    line = f"{what} {_logfmt(None, '', event)}" if event else what
    extra = {"event": what, "keys": dict(event)}
    return (line,), {"exc_info": exception, "extra": extra}


class TextFormatter(logging.Formatter):
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


class JsonFormatter(logging.Formatter):
    """One JSON object a record: time, level, logger, event, and the event's keys."""

    def format(self, record: logging.LogRecord) -> str:
        """Make the object, on one line."""
        keys = {name: _value(value) for name, value in getattr(record, "keys", {}).items()}
        made = keys | {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": _value(getattr(record, "event", None) or record.getMessage()),
        }
        if record.exc_info:
            made["exception"] = _value(self.formatException(record.exc_info))
        return json.dumps(made)


class RepeatFilter(logging.Filter):
    """Limits the lines of one place in the code, and counts those left out."""

    def __init__(self) -> None:
        super().__init__()
        self._started_s: dict[tuple[str, int], float] = {}
        self._lines: dict[tuple[str, int], int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is written."""
        place = record.pathname, record.lineno
        now = time.monotonic()  # noqa: TID251  # of the process, whatever clock decides by
        if now - self._started_s.get(place, -PLACE_S) >= PLACE_S:
            left_out = self._lines.get(place, 0) - LINES_A_PLACE
            self._started_s[place], self._lines[place] = now, 0
            if left_out > 0:
                record.msg = f"{record.msg} left_out={left_out}"
                record.keys = getattr(record, "keys", {}) | {"left_out": left_out}
        self._lines[place] += 1
        return self._lines[place] <= LINES_A_PLACE


def set_up(level: str = LogLevel.INFO, form: str = LogFormat.TEXT) -> None:
    """Write log lines to stderr; processes that this one starts do the same."""
    handler = logging.StreamHandler()
    as_text = TextFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    handler.setFormatter(JsonFormatter() if form == LogFormat.JSON else as_text)
    handler.addFilter(RepeatFilter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    os.environ[LEVEL_VARIABLE], os.environ[FORMAT_VARIABLE] = level, form


def add_options(parser: ArgumentParser) -> None:
    """Add ``--log-level`` and ``--log-format``, for `set_up`; the environment may name others."""
    for option, kind, variable, default in (
        ("--log-level", LogLevel, LEVEL_VARIABLE, LogLevel.INFO),
        ("--log-format", LogFormat, FORMAT_VARIABLE, LogFormat.TEXT),
    ):
        allowed, given = [one.value for one in kind], os.environ.get(variable, "")
        parser.add_argument(
            option,
            choices=allowed,
            default=given if given in allowed else default,
            help=f"of the log on stderr; also {variable}",
        )


def _line(text: str) -> str:
    return _cut(text.translate(_ESCAPED))


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_LINE else f"{text[:LONGEST_LINE]}..."


def _value(value: object) -> object:
    """As JSON can hold it: numbers as they are, all else as text."""
    plain = value is None or (isinstance(value, int | float) and abs(value) < float("inf"))
    return value if plain else _cut(str(value))
