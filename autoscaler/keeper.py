"""Keeps processes running: restarts a process that ended, with exponential back-off.

A container that ends makes its pod unready, and activators could not reach the controller in it.
So the advisor runs as a child of a keeper, which does little that can fail.

Each child has a folder for temporary files that is emptied before every start: a process that is
killed repeatedly would otherwise fill the disk, and have its pod evicted.
"""

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
from autoscaler.logs import add_options, get_logger, set_up

SHORTEST_S, LONGEST_S = 0.5, 30.0  # until a process that ended is restarted
STEADY_S = 60.0  # s of running after which the next wait is the shortest again
POLL_S = 0.1  # between two checks
STOP_S = 10.0  # from SIGTERM to SIGKILL

log = get_logger(__name__)


@dataclass(slots=True)
class Child:
    """A process that is kept running."""

    name: str
    command: Sequence[str]
    essential: bool = False  # when it ends, the keeper ends with its exit code
    process: subprocess.Popen[bytes] | None = None
    started_s: float = 0.0
    wait_s: float = SHORTEST_S
    start_s: float = 0.0  # when it is started next

    def poll(self, now: float, scratch: Path) -> int | None:
        """Start it when it is due; returns the exit code of an essential one that ended.

        scratch: folder for temporary files of all children.
        """
        if self.process is None:
            if now >= self.start_s:
                self._start(now, scratch / self.name)
            return None
        code = self.process.poll()
        if code is None:
            return None
        if self.essential:
            return code if code >= 0 else 128 - code  # of a signal as a shell reports it
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
            # No memory or process left in the container: may pass.
            self._wait(now, f"cannot be started: {error}")

    def _wait(self, now: float, why: str) -> None:
        steady = now - self.started_s >= STEADY_S
        self.wait_s = next_wait_s(0.0 if steady else self.wait_s, SHORTEST_S, LONGEST_S)
        self.start_s = now + self.wait_s
        log.error("process is started again", process=self.name, why=why, wait_s=self.wait_s)


def keep_this_command(name: str, option: str) -> int:
    """Keep this process's own command running as a child, without ``option``."""
    parser = ArgumentParser(prog=f"kn-ahead {name}", add_help=False, allow_abbrev=False)
    add_options(parser)
    logs, _ = parser.parse_known_args()
    set_up(logs.log_level, logs.log_format)
    rest = [word for word in sys.argv[1:] if word != option]
    return keep([Child(name, [sys.executable, "-m", "autoscaler.cli.launch", *rest])])


def keep(children: Sequence[Child]) -> int:
    """Keep processes running until SIGTERM or SIGINT; returns the exit code."""
    signals: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: signals.append(number))
    with tempfile.TemporaryDirectory(prefix="kn-ahead-", ignore_cleanup_errors=True) as scratch:
        try:
            while not signals:
                for child in children:
                    code = child.poll(time.monotonic(), Path(scratch))  # noqa: TID251  # no decision
                    if code is not None:
                        return code
                time.sleep(POLL_S)
            return 0
        finally:
            _end(children)


def _end(children: Sequence[Child]) -> None:
    running = [child.process for child in children if child.process]
    for process in running:
        process.terminate()
    for process in running:
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
