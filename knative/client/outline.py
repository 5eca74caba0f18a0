"""The outline of a JSON text that is too large to store: enough to name the object.

Values nested deeper than a level, and long strings, become empty. Pieces are processed as they
arrive; what is left out takes no memory.
"""

import re

LONGEST_STRING = 256  # bytes of a string; names have 253
MOST_BYTES = 2**20  # of an outline

_STRUCTURE = re.compile(rb'["{}\[\]]')
_CONTENT = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)  # of a string, up to its end
_QUOTE, _OPENING = ord('"'), b"{["


class Outline:
    """Reads pieces of one JSON value; `text` is its outline."""

    def __init__(self, levels: int) -> None:
        """levels: of nested objects and arrays that are in the outline."""
        self._levels = levels
        self._level = 0
        self._in_string = False
        self._escaped = False  # the last piece ended between a backslash and what it escapes
        self._string_at = 0  # where the current string starts in the outline
        self._long = False  # whether it is too long for the outline
        self._outline = bytearray()

    @property
    def text(self) -> bytes:
        """A JSON value, if the pieces were one."""
        return bytes(self._outline)

    def feed(self, piece: bytes) -> None:
        """Read the next piece. Raises ValueError if even the outline is too large."""
        at = 0
        while at < len(piece):
            if self._in_string:
                at = self._string(piece, at)
            elif self._level > self._levels:
                at = self._skip(piece, at)
            else:
                at = self._between(piece, at)
        if len(self._outline) > MOST_BYTES:
            raise ValueError(f"an object whose outline has more than {MOST_BYTES} bytes")

    def _between(self, piece: bytes, at: int) -> int:
        """Read up to and with the next quote or bracket."""
        found = _STRUCTURE.search(piece, at)
        end = found.end() if found else len(piece)
        self._outline += piece[at:end]
        if found:
            self._enter(piece[end - 1])
        return end

    def _skip(self, piece: bytes, at: int) -> int:
        """Skip up to and with the next quote, or the bracket that ends the skipped part."""
        for found in _STRUCTURE.finditer(piece, at):
            mark = piece[found.start()]
            self._enter(mark)
            if mark == _QUOTE:
                return found.end()
            if self._level <= self._levels:
                self._outline.append(mark)
                return found.end()
        return len(piece)

    def _enter(self, mark: int) -> None:
        if mark == _QUOTE:
            self._in_string, self._long = True, False
            self._string_at = len(self._outline)
        else:
            self._level += 1 if mark in _OPENING else -1

    def _string(self, piece: bytes, at: int) -> int:
        """Read up to and with the end of the string."""
        if self._escaped:
            self._escaped = False
            if self._level <= self._levels:
                self._append(piece[at : at + 1])
            return at + 1
        content = _CONTENT.match(piece, at)
        assert content  # it also matches the empty string
        end = content.end()
        if self._level <= self._levels:
            self._append(piece[at:end])
        if end == len(piece):
            return end
        if piece[end] == _QUOTE:
            self._in_string = False
            if self._level <= self._levels:
                self._outline.append(_QUOTE)
        else:
            self._escaped = True
            if self._level <= self._levels:
                self._append(piece[end : end + 1])
        return end + 1

    def _append(self, content: bytes) -> None:
        if not self._long:
            self._outline += content
        if len(self._outline) - self._string_at > LONGEST_STRING:
            del self._outline[self._string_at :]
            self._long = True
