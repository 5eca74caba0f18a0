"""The queue of one connection's frames: small ones before the parts of large ones.

A small frame may report the first request to a revision at zero; it should not wait for the report
of ten thousand revisions before it. Order does not matter: activators send frames in any order.

Source: knative/serving pkg/activator/stat_reporter.go, which sends each in its own goroutine.
"""

from collections import deque

from knative.statistics.decode import split

SMALL_BYTES = 16 * 1024  # 170 revisions


class FrameQueue:
    """A queue of frames; large ones are split into parts that are processed quickly."""

    def __init__(self) -> None:
        self._small, self._parts = deque[bytes](), deque[bytes]()
        self.bytes = 0  # of all frames

    def __bool__(self) -> bool:
        return bool(self._small or self._parts)

    @property
    def has_small(self) -> bool:
        """Whether the next one is a small frame."""
        return bool(self._small)

    def add(self, frame: bytes) -> None:
        """Append a frame, unless it is empty."""
        if len(frame) > SMALL_BYTES:
            self._parts.extend(split(frame))
        elif frame:
            self._small.append(frame)
        self.bytes += len(frame)

    def next(self) -> bytes:
        """Remove the next one. Raises IndexError if there is none."""
        frame = self._small.popleft() if self._small else self._parts.popleft()
        self.bytes -= len(frame)
        return frame

    def clear(self) -> None:
        """Remove all."""
        self._small.clear()
        self._parts.clear()
        self.bytes = 0
