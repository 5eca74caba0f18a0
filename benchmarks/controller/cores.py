"""Which processes of a benchmark run on which cores."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def split_cores() -> Iterator[tuple[set[int], set[int]]]:
    """Yield one core and all others (the same one if there are none); undone for this process."""
    cores = os.sched_getaffinity(0)
    first = {min(cores)}
    try:
        yield first, cores - first or first
    finally:
        pin(os.getpid(), cores)


def pin(pid: int, cores: set[int]) -> None:
    """Let all threads of a process, and those that it starts later, run on these cores only."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), cores)


def run_when_idle() -> None:
    """Let this process use only CPU time that no other wants: in a cluster it is elsewhere."""
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
