"""Where parts are done: in this process, in several, or on the workers of a Dask cluster.

What a part gives does not depend on where, so one whose worker is lost is done by another.
"""

import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context

from autoscaler.errors import PermanentError
from benchmarks.harness.chosen import chosen
from benchmarks.harness.part import Counted, OnProgress, counted
from benchmarks.harness.scene import Part
from benchmarks.harness.store import code_here

Task = tuple[Part, tuple[str, ...]]  # and names of contenders
Done = tuple[int, dict[str, Counted]]  # index of the task, and what it gave by contender


def run(task: Task, code: str) -> dict[str, Counted]:
    """One task, anywhere. Raises PermanentError where other code runs than where it was made."""
    if code != code_here():
        raise PermanentError(f"a worker runs {code_here()}; allowed: {code}, as the benchmark does")
    part, names = task
    return counted(part, chosen(names))


def here(tasks: Sequence[Task], progress: OnProgress) -> Iterator[Done]:
    """One after the other, in this process."""
    for index, (part, names) in enumerate(tasks):
        yield index, counted(part, chosen(names), progress)


def in_processes(tasks: Sequence[Task], progress: OnProgress, *, processes: int) -> Iterator[Done]:
    """Side by side on this machine, in the order in which they end."""
    # Not forked: threads of the learner's libraries may hold locks.
    spawn = get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=spawn, initializer=_end_by_ctrl_c) as pool:
        futures = {pool.submit(run, task, code_here()): at for at, task in enumerate(tasks)}
        try:
            for number, future in enumerate(as_completed(futures)):
                progress(f"{len(tasks)} parts in {processes} processes", number / len(tasks))
                yield futures[future], future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _end_by_ctrl_c() -> None:
    """Without a traceback from each process."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
