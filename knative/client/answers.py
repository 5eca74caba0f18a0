"""Reads the answers of an API server within limits of memory.

An answer is read whole up to a limit. A line of a watch, and a page of a list with one object only,
may be longer: of these only the outline is stored, which names the object. Impossible numbers and
depths of JSON raise ValueError.
"""

import json
import math
import re
from collections.abc import AsyncIterator, Generator, Iterator
from dataclasses import dataclass
from typing import Any

from knative.client.outline import Outline

Item = dict[str, Any]
Pieces = AsyncIterator[bytes]

LONGEST_INTEGER = 20  # digits: 64 bits have as many
_SPACE = re.compile(r"[ \t\r\n]*")
LIST_LEVELS = 4  # of a list, down to an item's metadata
EVENT_LEVELS = 3  # of a watch event, down to its object's metadata


class AnswerTooLargeError(Exception):
    """An answer is larger than a limit allows."""


@dataclass(frozen=True, slots=True)
class Text:
    """JSON as received, or its outline where it was too long."""

    json: bytes
    whole: bool


class _Buffer:
    """Stores pieces up to a limit, and their outline beyond it."""

    def __init__(self, most: int, levels: int) -> None:
        self._most, self._levels = most, levels
        self._bytes = bytearray()
        self._outline: Outline | None = None

    def __bool__(self) -> bool:
        return bool(self._bytes or self._outline)

    def add(self, piece: bytes) -> None:
        """Add the next piece. Raises ValueError if even the outline is too large."""
        if self._outline is None and len(self._bytes) + len(piece) > self._most:
            self._outline = Outline(self._levels)
            self._outline.feed(bytes(self._bytes))
            self._bytes.clear()
        if self._outline is None:
            self._bytes += piece
        else:
            self._outline.feed(piece)

    def text(self) -> Text:
        """All that was added."""
        if self._outline is None:
            return Text(bytes(self._bytes), whole=True)
        return Text(self._outline.text, whole=False)


async def read(pieces: Pieces, most: int) -> bytes:
    """All of an answer. Raises AnswerTooLargeError for more than so many bytes."""
    body = bytearray()
    async for piece in pieces:
        body += piece
        if len(body) > most:
            raise AnswerTooLargeError(f"more than {most} bytes")
    return bytes(body)


async def read_or_outline(pieces: Pieces, most: int, levels: int) -> Text:
    """All of an answer, or its outline."""
    buffer = _Buffer(most, levels)
    async for piece in pieces:
        buffer.add(piece)
    return buffer.text()


async def lines(pieces: Pieces, most: int, levels: int) -> AsyncIterator[Text]:
    """Each line, or its outline where it has more than so many bytes."""
    line = _Buffer(most, levels)
    async for piece in pieces:
        *ended, rest = piece.split(b"\n")
        for part in ended:
            line.add(part)
            yield line.text()
            line = _Buffer(most, levels)
        line.add(rest)
    if line:
        yield line.text()


def decode(text: bytes) -> Any:
    """A JSON value. Raises ValueError."""
    try:
        return _DECODER.decode(text.decode())
    except RecursionError as error:
        raise ValueError("JSON is nested too deeply") from error


class Page:
    """One page of a list.

    Items are decoded one at a time: a whole page as dictionaries would take ten times the memory of
    its text. `version` and `more` are known after the last item.
    """

    def __init__(self, text: Text) -> None:
        self._text, self.whole = text.json.decode(), text.whole
        self.version = ""  # of the resource, from which a watch starts
        self.more = ""  # token of the next page; "" = there is none

    @classmethod
    def of(cls, items: list[Item], version: str, more: str = "") -> "Page":
        """A page with these items."""
        metadata = {"resourceVersion": version, "continue": more}
        return cls(Text(json.dumps({"items": items, "metadata": metadata}).encode(), whole=True))

    def items(self) -> Iterator[Item]:
        """Each item. Raises ValueError for what is no list of objects."""
        try:
            yield from self._items()
        except (RecursionError, IndexError) as error:
            raise ValueError(f"no list: {error!r}") from error
        if not self.version:
            raise ValueError("a list without a version")

    def _items(self) -> Iterator[Item]:
        at = self._after(0, "{")
        while self._text[at] != "}":
            key, at = _DECODER.raw_decode(self._text, at)
            at = self._after(at, ":")
            if key == "items" and self._text[at] == "[":
                at = yield from self._array(at)
            else:
                value, at = _DECODER.raw_decode(self._text, at)
                if key == "metadata":
                    self._read_metadata(value)
            at = self._next(at, "}")

    def _array(self, at: int) -> Generator[Item, None, int]:
        """Each item of the array at a position; returns where it ends."""
        at = self._after(at, "[")
        while self._text[at] != "]":
            item, at = _DECODER.raw_decode(self._text, at)
            yield item
            at = self._next(at, "]")
        return self._after(at, "]")

    def _read_metadata(self, metadata: object) -> None:
        if not isinstance(metadata, dict):
            raise ValueError("a list without metadata")
        self.version = str(metadata.get("resourceVersion") or "")
        self.more = str(metadata.get("continue") or "")

    def _next(self, at: int, end: str) -> int:
        """Past a comma, or at the end."""
        at = self._after(at)
        return at if self._text[at] == end else self._after(at, ",")

    def _after(self, at: int, mark: str = "") -> int:
        """Past white space, a mark, and white space again. Raises ValueError for another mark."""
        found = _SPACE.match(self._text, at)
        at = found.end() if found else at
        if not mark:
            return at
        if self._text[at] != mark:
            raise ValueError(f"{mark!r} is missing in a list, at character {at}")
        return self._after(at + 1)


def _integer(digits: str) -> float:
    """An integer; infinite for more digits than 64 bits have, which would cost much time."""
    if len(digits) <= LONGEST_INTEGER:
        return int(digits)
    return -math.inf if digits.startswith("-") else math.inf


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no JSON")


_DECODER = json.JSONDecoder(parse_int=_integer, parse_constant=_no_number)
