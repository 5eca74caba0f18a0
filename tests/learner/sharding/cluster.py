"""A real Dask cluster: a scheduler and four workers, each a process of its own."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from distributed import Client

ROOT = Path(__file__).parents[3]
N_WORKERS = 4
# Else a busy worker's shard may be filled anew by an idle one.
SETTINGS = {"PYTHONPATH": str(ROOT), "DASK_DISTRIBUTED__SCHEDULER__WORK_STEALING": "False"}


class Cluster:
    """Its processes, and what a test does to them."""

    def __init__(self, folder: Path, n_workers: int) -> None:
        self._file, self._log = folder / "scheduler.json", (folder / "cluster.log").open("w")
        options = ["--port", "0", "--no-dashboard", "--scheduler-file", str(self._file)]
        self.scheduler = self._start("scheduler", *options)
        self.workers: list[subprocess.Popen[bytes]] = []
        self._armed = 0
        self._wait_for_file()
        self.address = str(json.loads(self._file.read_text())["address"])
        self.client = Client(self.address, set_as_default=False)
        self.complete(n_workers)

    def complete(self, n_workers: int = N_WORKERS) -> None:
        """Start workers in place of those that have ended."""
        self.workers = [worker for worker in self.workers if worker.poll() is None]
        options = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--memory-limit", "0"]
        options += ["--scheduler-file", str(self._file)]
        while len(self.workers) < n_workers:
            self.workers.append(self._start("worker", *options))
        while len(self.client.nthreads()) != n_workers:
            time.sleep(0.05)

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

    def _wait_for_file(self) -> None:
        for _ in range(600):
            if self._file.exists() and self._file.stat().st_size:
                return
            time.sleep(0.05)
        raise AssertionError("no scheduler")


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
    made = Cluster(folder, n_workers)
    try:
        yield made
    finally:
        made.end()
