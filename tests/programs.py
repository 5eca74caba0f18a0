"""Programs of ours as processes of their own: what they say, and how they end."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

PATIENCE_S = 60.0  # until a test gives up; a machine may be busy
SOON_S = 5.0  # within which whoever is told to stop has ended
NO_CLUSTER = {"KUBECONFIG": "/nonexistent"}


def until(
    holds: Callable[[], object],
    what: str,
    patience_s: float = PATIENCE_S,
    *,
    every_s: float = 0.02,
) -> None:
    """Look until something holds."""
    deadline = time.perf_counter() + patience_s
    while not holds():
        assert time.perf_counter() < deadline, f"not within {patience_s:g} s: {what}"
        time.sleep(every_s)


# In the background, as in some CI, signals of the keyboard are ignored by what is started.
HEARING_CTRL_C = ("env", "--default-signal=INT")


class Running:
    """A process, and the lines that it says on stderr and stdout."""

    def __init__(self, command: Sequence[str], env: dict[str, str]) -> None:
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("POD_", "KUBERNETES_"))}
        self.process = subprocess.Popen(
            command,
            env={**clean, **env},
            stderr=subprocess.STDOUT,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        with self.process.stdout as said:
            for line in said:
                self.lines.append(line.rstrip("\n"))

    @property
    def said(self) -> str:
        return "\n".join(self.lines)

    def says(self, pattern: str) -> re.Match[str]:
        """Wait until it has said so."""
        until(
            lambda: re.search(pattern, self.said) or self.process.poll() is not None,
            f"{pattern}; it said:\n{self.said[-2000:]}",
        )
        found = re.search(pattern, self.said)
        assert found, self.said[-2000:]
        return found

    @property
    def children(self) -> list[int]:
        """Process ids."""
        place = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        return [int(pid) for pid in Path(place).read_text().split()]

    def ends(self, patience_s: float = PATIENCE_S) -> int:
        """Wait until it has ended by itself; returns the exit code."""
        code = self.process.wait(patience_s)
        self.join()
        return code

    def join(self) -> None:
        """Wait until all that it said was read."""
        self._reader.join(PATIENCE_S)

    def stops(self, number: int = signal.SIGTERM) -> int:
        """Tell it to stop; it ends soon, and so do its children."""
        children = self.children
        began_s = time.perf_counter()
        self.process.send_signal(number)
        code = self.ends()
        until(lambda: not any(map(alive, children)), "children end", SOON_S)
        assert time.perf_counter() - began_s < SOON_S
        return code


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not looked after does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


@contextmanager
def running(*command: str, **env: str) -> Iterator[Running]:
    """A process until the end of the block."""
    it = Running(command, env)
    try:
        yield it
    finally:
        if it.process.poll() is None:
            _end(it)
        it.join()


def _end(it: Running) -> None:
    """End it, and its children, in good order where it listens."""
    left = it.children
    it.process.terminate()
    try:
        it.process.wait(2 * SOON_S)
    except subprocess.TimeoutExpired:
        it.process.kill()
        it.process.wait(PATIENCE_S)
    for pid in filter(alive, left):
        os.kill(pid, signal.SIGKILL)


def kn_ahead(*args: str | Path) -> list[str]:
    """The command line, of the code that is tested."""
    return [sys.executable, "-m", "autoscaler.cli.launch", *map(str, args)]
