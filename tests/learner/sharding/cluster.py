"""A real Dask cluster: a scheduler and four workers, each a process of its own."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

from distributed import Client

from tests.programs import until

ROOT = Path(__file__).parents[3]
N_WORKERS = 4
# Else a busy worker's shard may be filled anew by an idle one.
SETTINGS = {"PYTHONPATH": str(ROOT), "DASK_DISTRIBUTED__SCHEDULER__WORK_STEALING": "False"}


class Cluster:
    """Its processes, and what a test does to them."""

    def __init__(self, folder: Path) -> None:
        self._file, self._log_path = folder / "scheduler.json", folder / "cluster.log"
        self._log = self._log_path.open("w")
        options = ["--port", "0", "--no-dashboard", "--scheduler-file", str(self._file)]
        self.scheduler = self._start("scheduler", *options)
        self.workers: list[subprocess.Popen[bytes]] = []
        self._armed = 0
        self._until(lambda: self._file.exists() and self._file.stat().st_size > 0, "a scheduler")
        self.address = str(json.loads(self._file.read_text())["address"])
        self.client = Client(self.address, set_as_default=False)

    def complete(self, n_workers: int = N_WORKERS) -> None:
        """Start workers in place of those that have ended."""
        self.workers = [worker for worker in self.workers if worker.poll() is None]
        options = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--memory-limit", "0"]
        options += ["--scheduler-file", str(self._file)]
        while len(self.workers) < n_workers:
            self.workers.append(self._start("worker", *options))
        self._until(lambda: len(self.client.nthreads()) == n_workers, f"{n_workers} workers")

    def arm(self, function: str) -> None:
        """Have the first worker that calls a function of ours end itself, as if by `kill -9`."""
        self._armed += 1
        fallen = self._file.parent / f"fallen-{self._armed}"
        self.client.run(_deadly, function, str(fallen))

    def end(self) -> None:
        with contextlib.suppress(Exception):
            self.client.close(timeout=2)
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()
        self._log.close()

    def _start(self, what: str, *options: str) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", f"distributed.cli.dask_{what}", *options]
        return subprocess.Popen(
            command, cwd=ROOT, stdout=self._log, stderr=self._log,
            env=os.environ | SETTINGS,
        )  # fmt: skip

    def _until(self, holds: Callable[[], bool], what: str) -> None:
        """Look until something holds; fail at once where a process has ended."""
        until(lambda: self._one_has_ended() or holds(), what)
        log = self._log_path.read_text()[-2000:]
        assert not self._one_has_ended(), f"{what}: a process has ended; cluster.log ends:\n{log}"

    def _one_has_ended(self) -> bool:
        return any(process.poll() is not None for process in (self.scheduler, *self.workers))


def _deadly(function: str, fallen: str) -> None:
    module, name = function.rsplit(".", 1)
    original = getattr(import_module(module), name)

    def end_one(*arguments: object, **named: object) -> object:
        with contextlib.suppress(FileExistsError):
            Path(fallen).touch(exist_ok=False)
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*arguments, **named)

    setattr(import_module(module), name, end_one)


@contextlib.contextmanager
def cluster(folder: Path, n_workers: int = N_WORKERS) -> Iterator[Cluster]:
    """Started, and ended in any case."""
    made = Cluster(folder)
    try:
        made.complete(n_workers)
        yield made
    finally:
        made.end()
