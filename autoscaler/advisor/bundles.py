"""The forecasts in force: the newest bundle at a path, or why there is none.

If the file is missing, damaged, invalid or past its horizon, Knative's rule alone decides until a
good one appears. The file is read in a thread, so that neither a slow disk nor a large bundle
blocks the event loop.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path

from autoscaler.core.prediction.forecasts import ForecastBundle, Refused
from autoscaler.errors import AutoscalerError
from autoscaler.health import shown_time
from autoscaler.logs import get_logger
from autoscaler.refusals import LimitError, Refusals

RETRY_S = 30.0  # s until a file that could not be read is read again though it is unchanged
ALONE = "deciding as Knative alone would"
UNREAD = f"the newest cannot be read at the prices in force; {ALONE}"

LoadBundle = Callable[[Path], ForecastBundle]
FileVersion = tuple[int, int, int, int]  # inode, size, mtime and ctime (ns)

log = get_logger(__name__)


class Bundles:
    """What the learner has published at a path."""

    def __init__(self, path: Path, load: LoadBundle, refusals: Refusals | None = None) -> None:
        """``refusals``: counts exceeded limits."""
        self._path, self._load = path, load
        self._refusals = refusals or Refusals()
        self._version: FileVersion | None = None  # of the file that was read last
        self._read_s = 0.0  # Unix s at which it was read
        self._fault = "not looked at yet"  # why there is no bundle; "" = there is one
        self.bundle: ForecastBundle | None = None
        self.refused = Refused()  # of that bundle

    async def poll(self, now: float) -> bool:
        """Read the file if it is new; returns whether `bundle` has changed. now: Unix s."""
        former = self.bundle
        try:
            version = await asyncio.to_thread(self._version_of_file)
            retry = now - self._read_s >= RETRY_S or now < self._read_s
            if version != self._version or (self._fault and retry):
                self._version, self._read_s = version, now
                self.bundle = await asyncio.to_thread(self._load, self._path)
                self._fault = ""
                self._note_refused()
        except AutoscalerError as error:
            if isinstance(error, LimitError):
                self._refusals.count(error.limit, str(self._path), now)
            self._drop(" ".join(str(error).split()))
        except OSError as error:
            self._version = None  # the same file has to be read when it is there again
            self._drop(f"{self._path} cannot be read: {error.strerror or error}")
        except Exception as error:
            # A bug in reading must not stop the loop.
            log.exception("bundle could not be read", path=self._path)
            self._drop(f"{self._path} could not be read: {error!r}")
        return self.bundle is not former

    def fault(self, now: float) -> str:
        """Why no forecast is in force; "" = one is. now: Unix s."""
        if self.bundle is None:
            return f"{self._fault}; {ALONE}"
        begin_s = self.bundle.made_at_s
        end_s = begin_s + float(self.bundle.window_edges_s[-1])
        if now >= end_s:
            return f"the newest ended at {shown_time(end_s)}; {ALONE}"
        if now < begin_s:
            return f"the newest begin at {shown_time(begin_s)}, and it is not yet; {ALONE}"
        return ""

    def _drop(self, why: str) -> None:
        self.bundle, self.refused, self._fault = None, Refused(), why

    def _note_refused(self) -> None:
        """Note what of the bundle was refused; logged when it changes."""
        former, self.refused = self.refused, Refused()
        if self.bundle:
            self.refused = self.bundle.refused
        if self.refused and self.refused != former:
            log.warning("parts of the bundle refused", path=self._path, refused=self.refused)
        elif former and not self.refused:
            log.info("nothing of the bundle refused any more", path=self._path)

    def _version_of_file(self) -> FileVersion:
        stat = self._path.stat()
        # Inode and size tell files of equal times apart; changed permissions change the ctime only.
        return stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns
