"""Tasks on a Dask cluster; imported only where one is named.

All that a task needs goes with it and stays at the scheduler until it is done, so one whose worker
is lost is done by another. Without a scheduler or a worker nothing is done: a cluster is named
where one machine is not enough, and the work of all taken onto it would run it out of memory.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from contextlib import AbstractContextManager
from threading import Lock
from typing import Any

import joblib
from distributed import Client, Future, KilledWorker
from joblib.parallel import ParallelBackendBase

from autoscaler.errors import TransientError
from autoscaler.logs import get_logger
from learner.sharding.remote import OtherCodeError, code_here, packed, run
from learner.sharding.shard import Answer, Asked, answer

PATIENCE_S = 20.0  # that is waited for a scheduler, and without any worker

log = get_logger(__name__)


class OnDask:
    """The workers of one scheduler, such as ``tcp://scheduler:8786``."""

    def __init__(self, scheduler: str, patience_s: float = PATIENCE_S) -> None:
        self._scheduler, self._patience_s = scheduler, patience_s
        self._connected: Client | None = None
        self._lock = Lock()
        self._known: set[str] = set()  # workers that were there at last
        self._home: dict[str, str] = {}  # by shard: the worker that carries it

    def answers(self, asked: Sequence[Asked]) -> list[Answer]:
        """`answer` to each. Raises TransientError where no worker does."""
        workers = sorted(self.workers())
        most = -(-len(asked) // len(workers))  # shards that each carries
        carries = dict.fromkeys(workers, 0)
        futures = []
        for one in asked:
            home = self._home.get(one.shard, "")
            if carries.get(home, most) >= most:
                home = min(workers, key=lambda worker: carries[worker])
            carries[home] += 1
            self._home[one.shard] = home
            futures.append(self.submitted(packed(answer, one), home))
        answers = [self.result(future) for future in futures]
        self.workers()  # what was lost meanwhile is said
        return answers

    def fitting(self) -> AbstractContextManager[object]:
        """Joblib's calls of this thread are tasks, too."""
        context: AbstractContextManager[object] = joblib.parallel_config(
            backend=_JoblibBackend(self)
        )
        return context

    def workers(self) -> dict[str, int]:
        """Threads by worker, one at least; who is gone or new is said. Raises TransientError."""
        try:
            workers: dict[str, int] = self._client().nthreads()
        except (OSError, TimeoutError, CancelledError, ValueError, RuntimeError) as error:
            raise self._gone(error) from error
        gone, new = self._known - set(workers), set(workers) - self._known
        self._known = set(workers)
        if gone:
            log.warning(
                "workers are gone; others take over their tasks and shards",
                gone=", ".join(sorted(gone)), left=len(workers),
            )  # fmt: skip
        if new:
            log.info("workers have come", new=", ".join(sorted(new)), now=len(workers))
        if not workers:
            raise TransientError(f"scheduler {self._scheduler} has no worker; allowed: >= 1")
        return workers

    def submitted(self, call: bytes, worker: str | None = None) -> Future:
        """A call `packed`, done by ``worker`` if it is there. Raises TransientError."""
        try:
            return self._client().submit(
                run, code_here(), call, pure=False, workers=worker and [worker],
                allow_other_workers=bool(worker),
            )  # fmt: skip
        except (OSError, TimeoutError, CancelledError, ValueError, RuntimeError) as error:
            raise self._gone(error) from error

    def result(self, future: Future) -> Any:
        """What the call gives. Raises what it raises, and TransientError where nobody does it."""
        while True:
            try:
                return future.result(timeout=self._patience_s)
            except TimeoutError:
                if future.status == "error":
                    return future.result()  # it raises what the call raised
                self.workers()  # raises where none is left
            except CancelledError as error:
                raise self._gone(error) from error
            except KilledWorker as error:
                raise TransientError(
                    f"a task was lost with each of its workers: {error}"
                ) from error
            except (OtherCodeError, ImportError) as error:
                raise TransientError(f"a worker cannot do what it is asked: {error}") from error

    def close(self) -> None:
        """Leave the cluster."""
        with self._lock:
            if self._connected is not None:
                self._connected.close(timeout=1)
                self._connected = None

    def _client(self) -> Client:
        with self._lock:  # a fit asks beside a refresh
            if self._connected is not None and self._connected.status != "running":
                self._connected.close(timeout=1)
                self._connected = None
            if self._connected is None:
                self._connected = Client(
                    self._scheduler, timeout=self._patience_s, set_as_default=False
                )
            return self._connected

    def _gone(self, error: BaseException) -> TransientError:
        return TransientError(f"scheduler {self._scheduler} cannot be reached: {error!r:.200}")


class _JoblibBackend(ParallelBackendBase):  # type: ignore[misc]  # joblib has no types
    """Joblib's calls as tasks. Its own backend for Dask keeps what tasks need on workers."""

    def __init__(self, cluster: OnDask) -> None:
        super().__init__(nesting_level=0)
        self._cluster = cluster

    def effective_n_jobs(self, n_jobs: int) -> int:  # noqa: ARG002
        """One for each thread; with less than two joblib would keep them to itself."""
        return max(2, sum(self._cluster.workers().values()))

    def submit(self, func: Any, callback: Callable[[Future], None]) -> Future:
        """Begin a batch of calls; the callback begins the next one."""
        future = self._cluster.submitted(packed(_all, func.items))
        future.add_done_callback(callback)
        return future

    def retrieve_result(self, out: Future, timeout: float | None = None) -> Any:  # noqa: ARG002
        """Wait for a batch."""
        return self._cluster.result(out)

    def stop_call(self) -> None:
        """Say which workers were lost meanwhile."""
        self._cluster.workers()


def _all(calls: Sequence[tuple[Callable[..., object], Sequence[Any], dict[str, Any]]]) -> list[Any]:
    return [function(*arguments, **named) for function, arguments, named in calls]
