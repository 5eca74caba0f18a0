"""Parts on the workers of a Dask cluster; imported only where a scheduler is named."""

from collections.abc import Iterator, Sequence
from contextlib import closing

from benchmarks.harness.backends import Done, Task, run
from benchmarks.harness.part import OnProgress
from benchmarks.harness.store import code_here
from learner.sharding.on_dask import OnDask
from learner.sharding.remote import packed


def on_dask(tasks: Sequence[Task], progress: OnProgress, *, scheduler: str) -> Iterator[Done]:
    """In order; a part whose worker is lost is done by another.

    Raises TransientError where there is no worker, PermanentError where one runs other code.
    """
    with closing(OnDask(scheduler)) as cluster:
        futures = [cluster.submitted(packed(run, task, code_here())) for task in tasks]
        for at, future in enumerate(futures):
            progress(f"{len(tasks)} parts on {scheduler}", at / len(tasks))
            yield at, cluster.result(future)
