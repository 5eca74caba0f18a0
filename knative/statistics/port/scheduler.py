"""Fair scheduling of connections on the event loop: a flood of one does not delay the others.

Work is done in turns of `FRAMES_TURN_S`. A pause after each limits statistics to
`STATISTICS_SHARE` of the time; in the pause the loop serves probes, ticks and pokes. Within a turn,
the connection that used the least time recently goes next. A connection that used more than
`CONNECTION_SHARE` of the last second waits; its socket fills, and TCP slows down its sender.
"""

import asyncio
import heapq
import math
import time
from collections.abc import Callable
from typing import Protocol

from autoscaler.limits import CONNECTION_SHARE, FRAMES_TURN_S, STATISTICS_SHARE
from autoscaler.logs import get_logger

DECAY_S = 1.0  # time constant with which used time decays
NEW_CONNECTION_S = 0.01  # s that a new connection starts with, so that reconnecting gains nothing
_SHORTEST_S, _LONGEST_S = 0.001, 0.05  # s until the next turn while no worker may step

log = get_logger(__name__)


class RecentTime:
    """The time that a worker used recently: a sum that decays exponentially."""

    def __init__(self, now: float, used_s: float = NEW_CONNECTION_S) -> None:
        self._used_s, self._at = used_s, now

    def share(self, now: float) -> float:
        """The fraction of the time of the last second or so."""
        return self._used_s * math.exp((self._at - now) / DECAY_S) / DECAY_S

    def add(self, seconds: float, now: float) -> None:
        """Count time that was used."""
        self._used_s = self.share(now) * DECAY_S + seconds
        self._at = now

    def wait_s(self, most: float, now: float) -> float:
        """How long until the share is no more than this."""
        share = self.share(now)
        return DECAY_S * math.log(share / most) if share > most else 0.0


class Worker(Protocol):
    """Has work that is done in small steps."""

    recent: RecentTime  # that its steps took

    def has_work(self) -> bool:
        """Whether there is anything to do."""
        ...

    def may_step(self) -> bool:
        """Whether a step is possible now; if not, others have to step first."""
        ...

    def step(self) -> None:
        """Do one small step of the work."""
        ...

    def abort(self) -> None:
        """End, because a step raised."""
        ...


class FairScheduler:
    """Runs the steps of workers, least recent time first."""

    def __init__(
        self, now: Callable[[], float], spent: Callable[[], float] = time.thread_time
    ) -> None:
        """now: s. spent: CPU s of this thread, which other processes do not influence."""
        self._now, self._spent = now, spent
        self._workers = set[Worker]()  # that have work
        self._pause_ends_s = 0.0
        self._next: asyncio.TimerHandle | None = None  # turn
        self._next_s = math.inf  # when that is

    def add(self, worker: Worker) -> None:
        """Run a worker, which has work, until it has none."""
        if worker not in self._workers:
            self._workers.add(worker)
            now = self._now()
            self._schedule(max(now, self._pause_ends_s), now)

    def discard(self, worker: Worker) -> None:
        """Remove a worker."""
        self._workers.discard(worker)

    def stop(self) -> None:
        """Stop all work."""
        self._workers.clear()
        if self._next:
            self._next.cancel()

    def _schedule(self, when: float, now: float) -> None:
        """Schedule the next turn for s ``when``, unless there is an earlier one."""
        if when < self._next_s:
            if self._next:
                self._next.cancel()
            self._next_s = when
            self._next = asyncio.get_running_loop().call_later(when - now, self._turn)

    def _turn(self) -> None:
        self._next, self._next_s = None, math.inf
        start_s = spent = self._spent()
        now, workers = self._now(), tuple(self._workers)
        order = [(worker.recent.share(now), i) for i, worker in enumerate(workers)]
        heapq.heapify(order)
        while order and spent - start_s < FRAMES_TURN_S.most:
            share, i = order[0]
            worker = workers[i]
            if share > CONNECTION_SHARE.most or not self._can_step(worker):
                heapq.heappop(order)
                continue
            self._step(worker)
            before, spent = spent, self._spent()
            worker.recent.add(spent - before, now)
            heapq.heapreplace(order, (worker.recent.share(now), i))
        now = self._now()
        self._pause_ends_s = now + (spent - start_s) * (1 / STATISTICS_SHARE.most - 1)
        if self._workers:
            self._schedule(max(self._pause_ends_s, now + self._wait_s(now)), now)

    def _can_step(self, worker: Worker) -> bool:
        return worker in self._workers and worker.may_step()

    def _step(self, worker: Worker) -> None:
        try:
            worker.step()
        except Exception:
            log.exception("connection ended by an internal error")
            worker.abort()
        if not worker.has_work():
            self.discard(worker)

    def _wait_s(self, now: float) -> float:
        """How long until a worker may step, s; 0 = at once."""
        able = (worker for worker in self._workers if worker.may_step())
        waits = (worker.recent.wait_s(CONNECTION_SHARE.most, now) for worker in able)
        wait_s = min(waits, default=_LONGEST_S)
        return max(wait_s, _SHORTEST_S) if wait_s else 0.0
