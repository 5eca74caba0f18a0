"""How far long work is: for a bar, for lines in a log, for a page.

A log is looked at while it grows, and a bar would be seen there only when it is full. So a thread
writes a line every few seconds, even where the work itself says nothing for longer.
"""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Event, Thread
from typing import Self

from autoscaler.clock import Clock, SystemClock

EVERY_S = 5.0  # from one line to the next
LEAST_SHARE = 0.01  # from which on it tells how long the rest takes


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A stage of the work, and how much of it is done."""

    stage: str
    share: float  # 0 to 1
    begun_s: float  # Unix s at which the stage began
    figures: str = ""  # found so far, in a few words

    def left_s(self, now: float) -> float | None:
        """Seconds until the stage ends, if it goes on as it went; None = too little to go by."""
        if self.share < LEAST_SHARE:
            return None
        return (now - self.begun_s) * (1 / self.share - 1)

    def sentence(self, now: float) -> str:
        """In a line. now: Unix s."""
        elapsed, left = now - self.begun_s, self.left_s(now)
        done = f": {self.share:.0%}" if self.share else ""
        text = f"{self.stage}{done}, {elapsed:.0f} s"
        if left is not None and self.share < 1:
            text += f", about {left:.0f} s left"
        return text + (f"; {self.figures}" if self.figures else "")


class ProgressLines:
    """Writes a line every few seconds while it is entered, and a last one at the end."""

    def __init__(
        self, write: Callable[[str], None], *, every_s: float = EVERY_S, clock: Clock | None = None
    ) -> None:
        """write: called with each line, in a thread of its own."""
        self._write, self._every_s, self._clock = write, every_s, clock or SystemClock()
        self._progress: Progress | None = None
        self._ended = Event()
        self._thread = Thread(target=self._run, name="progress", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._say()

    def put(self, progress: Progress) -> None:
        """Say this from now on."""
        self._progress = progress

    def _run(self) -> None:
        while not self._ended.wait(self._every_s):
            self._say()

    def _say(self) -> None:
        if self._progress:
            self._write(self._progress.sentence(self._clock.now()))
