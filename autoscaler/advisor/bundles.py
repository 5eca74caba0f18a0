"""The forecasts in force: the newest bundle at a path, or why there is none.

A file that is gone, damaged or absurd, and one that is past its horizon, mean the same: from then
on Knative's rule alone decides, until a good one appears. The file is looked at and read in a
thread, so that neither a slow disk nor a large bundle holds up the loop.
"""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from autoscaler.core.prediction.forecasts import ForecastBundle, Refused
from autoscaler.errors import AutoscalerError
from autoscaler.health import shown_time
from autoscaler.refusals import LimitError, Refusals

AGAIN_S = 30.0  # s until a file that could not be read is read again though it looks the same
ALONE = "deciding as Knative alone would"
UNREAD = f"the newest cannot be read at the prices in force; {ALONE}"

LoadBundle = Callable[[Path], ForecastBundle]
Look = tuple[int, int, int, int]  # inode, size, ns of the last change of content, and of anything

log = logging.getLogger(__name__)


class Bundles:
    """What the learner has published at a path."""

    def __init__(self, path: Path, load: LoadBundle, refusals: Refusals | None = None) -> None:
        """``refusals``: counts the limits of bundles that bite."""
        self._path, self._load = path, load
        self._refusals = refusals or Refusals()
        self._seen: Look | None = None  # of the file that was read last
        self._read_s = 0.0  # Unix s, when that was
        self._broken = "not looked at yet"  # why the file gives no bundle
        self.bundle: ForecastBundle | None = None
        self.refused = Refused()  # of that bundle

    async def poll(self, now: float) -> bool:
        """Look at the file; returns whether `bundle` is another one now. now: Unix s."""
        former = self.bundle
        try:
            look = await asyncio.to_thread(self._look)
            old = now - self._read_s >= AGAIN_S or now < self._read_s
            if look != self._seen or (self._broken and old):
                self._seen, self._read_s = look, now
                self.bundle = await asyncio.to_thread(self._load, self._path)
                self._broken = ""
                self._note_refused()
        except AutoscalerError as error:
            if isinstance(error, LimitError):
                self._refusals.count(error.limit, str(self._path), now)
            self._break(" ".join(str(error).split()))
        except OSError as error:
            self._seen = None  # the same file is news when it is there again
            self._break(f"{self._path} cannot be read: {error.strerror or error}")
        except Exception as error:
            # A fault of ours while reading must not be one of deciding.
            log.exception("%s could not be read", self._path)
            self._break(f"{self._path} could not be read: {error!r}")
        return self.bundle is not former

    def fault(self, now: float) -> str:
        """Why no forecast is in force; "" = one is. now: Unix s."""
        if self.bundle is None:
            return f"{self._broken}; {ALONE}"
        begin_s = self.bundle.made_at_s
        end_s = begin_s + float(self.bundle.window_edges_s[-1])
        if now >= end_s:
            return f"the newest ended at {shown_time(end_s)}; {ALONE}"
        if now < begin_s:
            return f"the newest begin at {shown_time(begin_s)}, and it is not yet; {ALONE}"
        return ""

    def _break(self, why: str) -> None:
        self.bundle, self.refused, self._broken = None, Refused(), why

    def _note_refused(self) -> None:
        """What of the bundle is not used; said when it is something else than before."""
        former, self.refused = self.refused, Refused()
        if self.bundle:
            self.refused = self.bundle.refused
        if self.refused and self.refused != former:
            log.warning("%s: %s", self._path, self.refused)
        elif former and not self.refused:
            log.info("nothing of the newest bundle was refused")

    def _look(self) -> Look:
        stat = self._path.stat()
        # An equal time hides no other file, and rights given later change the last of them only.
        return stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns
