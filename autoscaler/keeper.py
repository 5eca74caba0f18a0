"""Keeps a process running: what ends is started again, after a while that grows.

A container that ends makes its pod unready, and with it the controller beside it unreachable for
activators. So the advisor runs as a child of a keeper, which does nothing and therefore lives.

Each child has a folder for temporary files that is emptied before every start: one that is killed
again and again would fill the disk, and a pod with a full disk is evicted.
"""

import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from autoscaler.backoff import next_wait_s
from autoscaler.logs import add_options, set_up

SHORTEST_S, LONGEST_S = 0.5, 30.0  # until what ended is started again
STEADY_S = 60.0  # after which it counts as running well, and the next wait is short again
LOOK_S = 0.1  # between two looks
LEAVE_S = 10.0  # until who was told to stop is killed

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Child:
    """A process that is kept."""

    name: str
    command: Sequence[str]
    essential: bool = False  # when it ends, all end with its exit code
    process: subprocess.Popen[bytes] | None = None
    started_s: float = 0.0
    wait_s: float = SHORTEST_S
    again_s: float = 0.0  # when it is started next

    def tend(self, now: float, scratch: Path) -> int | None:
        """Start it where it is time; returns the exit code of an essential one that ended.

        scratch: folder for temporary files of all children.
        """
        if self.process is None:
            if now >= self.again_s:
                self._start(now, scratch / self.name)
            return None
        code = self.process.poll()
        if code is None:
            return None
        if self.essential:
            return code if code >= 0 else 128 - code  # as a shell says it of a signal
        self.process = None
        self._wait(now, f"ended with {code}")
        return None

    def _start(self, now: float, scratch: Path) -> None:
        self.started_s = now
        try:
            shutil.rmtree(scratch, ignore_errors=True)
            scratch.mkdir(exist_ok=True)
            env = {**os.environ, "TMPDIR": str(scratch)}
            self.process = subprocess.Popen(self.command, env=env)  # noqa: S603  # our own
        except OSError as error:
            # No memory or no process left in the container: neither lasts.
            self._wait(now, f"cannot be started: {error}")

    def _wait(self, now: float, why: str) -> None:
        steady = now - self.started_s >= STEADY_S
        self.wait_s = next_wait_s(0.0 if steady else self.wait_s, SHORTEST_S, LONGEST_S)
        self.again_s = now + self.wait_s
        log.error("%s %s; started again in %.1f s", self.name, why, self.wait_s)


def keep_this(name: str, option: str) -> int:
    """Keep what this process was called as, without the option that asked for it."""
    parser = ArgumentParser(prog=f"kn-ahead {name}", add_help=False, allow_abbrev=False)
    add_options(parser)
    logs, _ = parser.parse_known_args()
    set_up(logs.log_level, logs.log_format)
    rest = [word for word in sys.argv[1:] if word != option]
    return keep([Child(name, [sys.executable, "-m", "autoscaler.cli.launch", *rest])])


def keep(children: Sequence[Child]) -> int:
    """Keep processes running until told to stop; returns the exit code."""
    told: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: told.append(number))
    with tempfile.TemporaryDirectory(prefix="kn-ahead-", ignore_cleanup_errors=True) as scratch:
        try:
            while not told:
                for child in children:
                    code = child.tend(time.monotonic(), Path(scratch))  # noqa: TID251  # no decision
                    if code is not None:
                        return code
                time.sleep(LOOK_S)
            return 0
        finally:
            _end(children)


def _end(children: Sequence[Child]) -> None:
    running = [child.process for child in children if child.process]
    for process in running:
        process.terminate()
    for process in running:
        try:
            process.wait(LEAVE_S)
        except subprocess.TimeoutExpired:
            process.kill()
