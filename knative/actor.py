"""Acts for a revision: its ServerlessService, its scale, its status, in Knative's order.

One task a revision at a time; what changes meanwhile is acted for in the next round. A refused or
failed write concerns this revision only: it is said once, and tried again after a back-off.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Any

from autoscaler.clock import Clock
from autoscaler.core.revision import Active
from autoscaler.errors import PermanentError, TransientError
from knative.api import JSON_PATCH, MERGE_PATCH, Api, Object
from knative.failures import Failures
from knative.objects import AUTOSCALING, NETWORKING, PodAutoscaler
from knative.seat import Seat
from knative.services import PROXY, body_of, spec_of
from knative.status import INITIALIZED, Outcome, active_of, condition, same, status_of, unowned
from knative.wishes import Wish

AT_ONCE, SCALES_AT_ONCE = 48, 40  # writes under way; pods never wait behind statuses
CREATE = "create"
PROBE_PERIOD_S, PROBE_LIMIT_S = 1.0, 45.0
FIRST_ACTIVATORS = 2

log = logging.getLogger(__name__)


class Actor:
    """Writes what was decided."""

    def __init__(
        self,
        api: Api,
        seat: Seat,
        clock: Clock,
        probe: Callable[[str], Awaitable[bool]],
        *,
        may_write: Callable[[], bool] = lambda: True,
    ) -> None:
        """probe: asks "namespace/service" whether the activator answers there.

        may_write: asked right before each write; nobody may write beside a leader.
        """
        self._api, self._seat, self._clock, self._probe = api, seat, clock, probe
        self._may_write = may_write
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._scale_slots = asyncio.Semaphore(SCALES_AT_ONCE)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._again: dict[str, asyncio.Event] = {}  # set: something new is wanted meanwhile
        self._probing: dict[str, asyncio.Task[None]] = {}
        self.failures = Failures()
        self.writes = 0

    def act(self, keys: Iterable[str]) -> None:
        """Act for revisions, each in a task of its own."""
        for key in keys:
            if key in self._tasks:
                self._again[key].set()
                continue
            self._again[key] = asyncio.Event()
            self._tasks[key] = asyncio.create_task(self._keep_acting(key), name=f"act {key}")

    def retry(self) -> None:
        """Try everything that failed again now: its cause may be gone."""
        for key in self.failures:
            self._again[key].set()

    def rest(self) -> None:
        """Give up all that is under way: somebody else may act from now on."""
        for task in (*self._tasks.values(), *self._probing.values()):
            task.cancel()
        self._tasks.clear()
        self._again.clear()
        self.failures.clear()

    async def _keep_acting(self, key: str) -> None:
        while True:
            self._again[key].clear()
            try:
                with suppress(_OfAnotherError):
                    await self._pass(key)
                self.failures.discard(key)
            except Exception as error:
                self.failures.add(key, error)
            if key in self.failures:
                await self._back_off(key)
            elif not self._again[key].is_set():
                # In the same turn as the look: whoever acts from now on starts a task anew.
                del self._tasks[key], self._again[key]
                return

    async def _back_off(self, key: str) -> None:
        """Wait before trying again; a new wish, such as a request from zero, does not wait."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._again[key].wait(), self.failures.wait_s(key))

    async def _pass(self, key: str) -> None:
        pa = self._seat.podautoscaler(key)
        wish = self._seat.wish(key)
        if pa is None or wish is None or not await self._ensure_service(key, pa):
            return
        if wish.probe:
            self._start_probe(key, pa)
        if wish.apply and self._seat.replicas(key) not in (None, wish.want):
            await self._scale(pa, wish.want)
        await self._serve(key, pa, wish)
        await self._tell(key, pa, wish)

    async def _ensure_service(self, key: str, pa: PodAutoscaler) -> bool:
        """Whether the revision has its ServerlessService; makes it where there is none."""
        sks = self._seat.serverlessservice(key)
        if sks is None:
            body = body_of(pa, spec_of(pa, PROXY, FIRST_ACTIVATORS))
            await self._write(pa, _path(NETWORKING, pa, "serverlessservices", ""), body, CREATE)
        elif sks.owner != pa.uid:
            await self._tell_unowned(key, pa)
            raise PermanentError(f"ServerlessService {key} is not ours; allowed: owned by {pa.uid}")
        elif sks.private:
            return True
        await self._put_status(pa, status_of(pa, _unset(pa), self._clock.now()))
        return False

    async def _scale(self, pa: PodAutoscaler, pods: int) -> None:
        path = f"/apis/apps/v1/namespaces/{pa.namespace}/deployments/{pa.target['name']}/scale"
        patch = [{"op": "add", "path": "/spec/replicas", "value": pods}]
        await self._write(pa, path, patch, JSON_PATCH, slots=self._scale_slots)

    async def _serve(self, key: str, pa: PodAutoscaler, wish: Wish) -> None:
        sks = self._seat.serverlessservice(key)
        spec = spec_of(pa, wish.mode, wish.activators)
        if sks and any(sks.spec.get(name) != value for name, value in spec.items()):
            path = _path(NETWORKING, pa, "serverlessservices")
            await self._write(pa, path, {"spec": spec})

    async def _tell(self, key: str, pa: PodAutoscaler, wish: Wish) -> None:
        sks = self._seat.serverlessservice(key)
        if sks is None:
            return
        outcome = Outcome(
            want=wish.want,
            ready=wish.ready,
            active=wish.active,
            initialized=wish.initialized,
            sks_ready=sks.ready,
            service=sks.service,
            metrics_service=sks.private,
        )
        await self._put_status(pa, status_of(pa, outcome, self._clock.now()))

    async def _tell_unowned(self, key: str, pa: PodAutoscaler) -> None:
        status = unowned(pa, self._clock.now())
        log.warning("%s: its ServerlessService belongs to somebody else", key)
        await self._put_status(pa, status)

    async def _put_status(self, pa: PodAutoscaler, status: dict[str, Any]) -> None:
        if not same(pa, status):
            path = _path(AUTOSCALING, pa, "podautoscalers") + "/status"
            answer = await self._write(pa, path, {"status": status})
            self._seat.saw_own_podautoscaler(answer)

    async def _write(
        self,
        pa: PodAutoscaler,
        path: str,
        body: Any,
        kind: str = MERGE_PATCH,
        *,
        slots: asyncio.Semaphore | None = None,
    ) -> Object:
        async with slots or self._slots:
            if not self._may_write():
                raise TransientError(f"{path} is not written: we do not lead")
            current = self._seat.podautoscaler(f"{pa.namespace}/{pa.name}")
            if current is None or current.uid != pa.uid:
                raise _OfAnotherError  # it went, or was made anew, while we were at it
            self.writes += 1
            if kind == CREATE:
                return await self._api.create(path, body)
            return await self._api.patch(path, body, kind)

    def _start_probe(self, key: str, pa: PodAutoscaler) -> None:
        if key not in self._probing:
            task = asyncio.create_task(self._keep_probing(key, pa), name=f"probe {key}")
            self._probing[key] = task
            task.add_done_callback(partial(_forget, self._probing, key))

    async def _keep_probing(self, key: str, pa: PodAutoscaler) -> None:
        """Ask until the activator answers: its word is good for as long as we are inactive."""
        for _ in range(int(PROBE_LIMIT_S / PROBE_PERIOD_S)):
            sks = self._seat.serverlessservice(key)
            if sks and sks.service and await self._probe(f"{sks.service}.{pa.namespace}"):
                self._seat.probe_passed(key)
                return
            await asyncio.sleep(PROBE_PERIOD_S)


class _OfAnotherError(Exception):
    """What is to be written is of an object that is no more."""


def _forget(tasks: dict[str, asyncio.Task[None]], key: str, _: asyncio.Task[None]) -> None:
    tasks.pop(key, None)


def _path(group: str, pa: PodAutoscaler, plural: str, name: str | None = None) -> str:
    return f"{group}/namespaces/{pa.namespace}/{plural}/{pa.name if name is None else name}".rstrip(
        "/"
    )


def _unset(pa: PodAutoscaler) -> Outcome:
    """What is said of a revision while its ServerlessService is not set up."""
    active = active_of(pa)
    return Outcome(
        want=-1,
        ready=0,
        active=active if active == Active.FALSE else Active.UNKNOWN,
        initialized=condition(pa, INITIALIZED).get("status") == "True",
        sks_ready=False,
        service=pa.status.get("serviceName", ""),
        metrics_service=pa.status.get("metricsServiceName", ""),
    )
