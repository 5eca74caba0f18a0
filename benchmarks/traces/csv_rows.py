"""Lines of a text file and rows of a CSV file, read one by one, named by line and column."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from autoscaler.core.types import FloatArray
from autoscaler.errors import PermanentError
from autoscaler.limits import TRACE_LINE
from autoscaler.refusals import LimitError


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row below the header."""

    path: Path
    line: int  # from 1
    header: list[str]
    fields: list[str]  # as many as the header

    def number(self, place: int, most: float = np.inf) -> float:
        """A field as a number from 0 to ``most``. Raises PermanentError, naming its column."""
        text = self.fields[place]
        try:
            value = float(text)
        except ValueError:
            value = np.nan
        if not (0 <= value <= most and value < np.inf):
            raise self.wrong(
                place, "a number >= 0" + (f" and <= {most:g}" if most < np.inf else "")
            )
        return value

    def numbers(self, begin: int, *, blank: float | None = None) -> FloatArray:
        """All fields from one on as numbers >= 0, blank ones as ``blank`` if that is given.

        Raises PermanentError as `number` does.
        """
        texts = self.fields[begin:]
        try:
            known = texts if blank is None else [text or "0" for text in texts]
            values = np.array(known, dtype=np.float64)
        except ValueError:
            values = np.array([np.nan])
        if not (np.isfinite(values).all() and (values >= 0).all()):
            for place, text in enumerate(texts, begin):
                if text or blank is None:
                    self.number(place)
        if blank:
            values[[not text for text in texts]] = blank
        return values

    def wrong(self, place: int, allowed: str) -> PermanentError:
        """What to raise for a field that is not ``allowed``."""
        return PermanentError(
            f"{self.path} line {self.line}, column {self.header[place][:60]}:"
            f" {self.fields[place][:60]!r}; allowed: {allowed}"
        )


def header_of(path: Path) -> list[str]:
    """The first row, empty for an empty file. Raises PermanentError for what is no CSV file."""
    return next((fields for _, fields in _numbered(path)), [])


def rows(path: Path) -> Iterator[Row]:
    """The rows below the header. Raises PermanentError for one of another length than that."""
    numbered = _numbered(path)
    _, header = next(numbered, (0, []))
    for line, fields in numbered:
        if len(fields) != len(header):
            raise PermanentError(
                f"{path} line {line} has {len(fields)} columns; allowed: {len(header)}"
            )
        yield Row(path=path, line=line, header=header, fields=fields)


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Each line with its number, from 1, none so long that it fills the memory."""
    most = int(TRACE_LINE.most)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for number, line in enumerate(iter(lambda: file.readline(most + 1), ""), 1):
                if len(line) > most:
                    raise LimitError(TRACE_LINE, f"{path} line {number}")
                yield number, line
    except OSError as error:
        raise PermanentError(f"{path} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise PermanentError(f"{path} is no text: {error}") from error


def _numbered(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line number and fields of each row."""
    reader = csv.reader(line for _, line in numbered_lines(path))
    try:
        for fields in reader:
            yield reader.line_num, fields
    except csv.Error as error:
        raise PermanentError(f"{path} line {reader.line_num} is no CSV text: {error}") from error
