"""On a Dask cluster a benchmark gives the same, whichever worker is lost."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.harness.backends import Done, Task, here
from benchmarks.harness.on_dask import on_dask
from benchmarks.harness.part import OnProgress
from benchmarks.harness.store import Store
from tests.benchmarks.harness.small import benchmark
from tests.benchmarks.harness.test_run import cost_aside, silent
from tests.learner.sharding.cluster import cluster


def test_a_worker_lost_in_the_middle_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (expected,) = benchmark(seeds=4).run(Store(tmp_path / "here"), here, silent)
    with cluster(tmp_path) as four_workers:

        def there(tasks: Sequence[Task], progress: OnProgress) -> Iterator[Done]:
            return on_dask(tasks, progress, scheduler=four_workers.address)

        four_workers.arm("benchmarks.harness.part.scene_of")
        (found,) = benchmark(seeds=4).run(Store(tmp_path), there, silent)
        assert sum(worker.poll() is None for worker in four_workers.workers) == 3
        four_workers.client.close()
    assert cost_aside(found.result.as_json()) == cost_aside(expected.result.as_json())
