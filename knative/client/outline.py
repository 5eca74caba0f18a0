"""What is left of a JSON text that is too large to keep: enough to tell which object it is.

Values nested deeper than a level become empty, and so do long strings. Pieces are taken as they
come, and nothing of what is left out is held.
"""

import re

LONGEST_STRING = 256  # bytes of a string that is kept: names have 253
MOST_BYTES = 2**20  # of an outline

_STRUCTURE = re.compile(rb'["{}\[\]]')
_CONTENT = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)  # of a string, up to its end
_QUOTE, _OPENING = ord('"'), b"{["


class Outline:
    """Takes pieces of one JSON value; `text` is its outline."""

    def __init__(self, levels: int) -> None:
        """levels: objects and arrays, one in another, of which something is kept."""
        self._levels = levels
        self._level = 0
        self._in_string = False
        self._escaped = False  # the last piece ended between a backslash and what it escapes
        self._string_at = 0  # where the string that was begun begins in what is kept
        self._long = False  # whether it is too long to be kept
        self._kept = bytearray()

    @property
    def text(self) -> bytes:
        """A JSON value, if the pieces were one."""
        return bytes(self._kept)

    def feed(self, piece: bytes) -> None:
        """Take the next piece. Raises ValueError where even the outline is too large."""
        at = 0
        while at < len(piece):
            if self._in_string:
                at = self._string(piece, at)
            elif self._level > self._levels:
                at = self._skip(piece, at)
            else:
                at = self._between(piece, at)
        if len(self._kept) > MOST_BYTES:
            raise ValueError(f"an object whose outline has more than {MOST_BYTES} bytes")

    def _between(self, piece: bytes, at: int) -> int:
        """Go on to the next string or bracket, and past it."""
        found = _STRUCTURE.search(piece, at)
        end = found.end() if found else len(piece)
        self._kept += piece[at:end]
        if found:
            self._meet(piece[end - 1])
        return end

    def _skip(self, piece: bytes, at: int) -> int:
        """Go on to the next string, or to where something is kept again, and past it."""
        for found in _STRUCTURE.finditer(piece, at):
            mark = piece[found.start()]
            self._meet(mark)
            if mark == _QUOTE:
                return found.end()
            if self._level <= self._levels:
                self._kept.append(mark)
                return found.end()
        return len(piece)

    def _meet(self, mark: int) -> None:
        if mark == _QUOTE:
            self._in_string, self._long = True, False
            self._string_at = len(self._kept)
        else:
            self._level += 1 if mark in _OPENING else -1

    def _string(self, piece: bytes, at: int) -> int:
        """Go on to the end of the string, and past it."""
        if self._escaped:
            self._escaped = False
            if self._level <= self._levels:
                self._keep(piece[at : at + 1])
            return at + 1
        content = _CONTENT.match(piece, at)
        assert content  # nothing at all is a match, too
        end = content.end()
        if self._level <= self._levels:
            self._keep(piece[at:end])
        if end == len(piece):
            return end
        if piece[end] == _QUOTE:
            self._in_string = False
            if self._level <= self._levels:
                self._kept.append(_QUOTE)
        else:
            self._escaped = True
            if self._level <= self._levels:
                self._keep(piece[end : end + 1])
        return end + 1

    def _keep(self, content: bytes) -> None:
        if not self._long:
            self._kept += content
        if len(self._kept) - self._string_at > LONGEST_STRING:
            del self._kept[self._string_at :]
            self._long = True
