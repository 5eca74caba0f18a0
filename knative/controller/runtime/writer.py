"""Carries out plans: writes to the cluster, in order, and a limited number at once.

A revision has one plan in progress; a newer one replaces it after the write in progress. Writes of
scales have slots of their own, so that they do not wait for writes of statuses; and a status waits
a moment after a scale, as what others do about it would keep the API server from creating the pods.
A write that fails ends the plan of its revision only, and is reported to the controller.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any

from autoscaler.errors import AutoscalerError
from autoscaler.logs import get_logger
from knative.client.api import CONFLICT, JSON_PATCH, MERGE_PATCH, Api, ApiError, Object
from knative.controller.state.events import (
    ActivatorAnswered,
    ActivatorUnreachable,
    Event,
    PlanDone,
    PlanFailed,
    StatusWritten,
)
from knative.controller.state.instructions import (
    AskActivator,
    CancelWrites,
    CreateServerlessService,
    Instruction,
    PatchServerlessService,
    PatchStatus,
    Plan,
    Scale,
    Write,
)
from knative.mirror.objects import AUTOSCALING, NETWORKING, podautoscaler
from knative.mirror.serverlessservice import body_of

WRITES_AT_ONCE, SCALES_AT_ONCE = 48, 40
STATUS_AFTER_S = 0.5  # s from the first scale since the last status: pods are created by then
ASK_PERIOD_S, ASK_LIMIT_S = 1.0, 45.0
ASKED_AT_ONCE = 64  # activators
NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")

log = get_logger(__name__)


class Writer:
    """Executes plans."""

    def __init__(
        self,
        api: Api,
        ask_activator: Callable[[str], Awaitable[bool]],
        *,
        report: Callable[[Event], None],
        may_write: Callable[[], bool],
        uid_of: Callable[[str], str],
    ) -> None:
        """ask_activator: asks "service.namespace" whether the activator answers there.

        report: called with the outcome of each plan. may_write: whether this replica leads; called
        right before each write. uid_of: the present uid of the PodAutoscaler "namespace/name".
        """
        self._api, self._ask_activator, self._report = api, ask_activator, report
        self._may_write, self._uid_of = may_write, uid_of
        self._slots = asyncio.Semaphore(WRITES_AT_ONCE)
        self._turn = asyncio.Lock()
        self._scale_slots = asyncio.Semaphore(SCALES_AT_ONCE)
        self._ask_slots = asyncio.Semaphore(ASKED_AT_ONCE)
        self._plans: dict[str, Plan] = {}  # waiting, by "namespace/name"
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._status_from_s: dict[str, float] = {}  # when a status may be written
        self._waiting: dict[str, asyncio.Event] = {}  # for that; set by a newer plan
        self._asking: dict[str, asyncio.Task[None]] = {}
        self.writes = 0

    def carry_out(self, instructions: Iterable[Instruction]) -> None:
        """Start to execute; returns at once."""
        for instruction in instructions:
            match instruction:
                case Plan():
                    self._start(instruction)
                case AskActivator(key=key, host=host):
                    self._ask(key, host)
                case CancelWrites():
                    self.cancel()

    def cancel(self) -> None:
        """Cancel all plans and questions."""
        for task in (*self._tasks.values(), *self._asking.values()):
            task.cancel()
        self._tasks.clear()
        self._asking.clear()
        self._plans.clear()
        self._status_from_s.clear()
        self._waiting.clear()

    def _start(self, plan: Plan) -> None:
        key = plan.key
        self._plans[key] = plan
        if key in self._waiting:
            self._waiting[key].set()
        if key not in self._tasks:
            self._tasks[key] = asyncio.create_task(self._work(key), name=f"write {key}")

    async def _work(self, key: str) -> None:
        while plan := self._plans.pop(key, None):
            try:
                whole = await self._write_all(plan)
            except _OutdatedError:
                continue
            except AutoscalerError as error:
                self._failed(plan, str(error), error)
            except Exception as error:
                # An object of an unforeseen shape concerns its own revision only.
                log.exception("write failed", revision=key)
                self._failed(plan, repr(error), error)
            else:
                if plan.problem:
                    self._failed(plan, plan.problem)
                elif whole:
                    self._report_event(PlanDone(key=key, uid=plan.uid))
        # No await since the last look at the plans: a later plan starts a new task.
        del self._tasks[key]
        self._status_from_s.pop(key, None)

    async def _write_all(self, plan: Plan) -> bool:
        """Execute a plan; returns False where a newer one replaces it."""
        for write in plan.writes:
            first = isinstance(write, PatchStatus) and await self._until_status(plan.key, write)
            if plan.key in self._plans and not first:
                return False
            await self._write(plan, write)
            if isinstance(write, Scale):
                self._status_from_s.setdefault(plan.key, _now_s() + STATUS_AFTER_S)
            elif isinstance(write, PatchStatus):
                self._status_from_s.pop(plan.key, None)
        return True

    async def _until_status(self, key: str, write: PatchStatus) -> bool:
        """Wait until a status may be written, or for a newer plan.

        Returns whether it has to be written before that one, which would leave out what it tells.
        A revision whose pod is ready within the moment was activating nevertheless.
        """
        left_s = self._status_from_s.get(key, 0.0) - _now_s()
        if left_s <= 0 or key in self._plans:
            return False
        newer = self._waiting[key] = asyncio.Event()
        with suppress(TimeoutError):
            await asyncio.wait_for(newer.wait(), left_s)
        del self._waiting[key]
        return key in self._plans and _told(write) not in map(_told, self._plans[key].writes)

    def _failed(self, plan: Plan, why: str, error: Exception | None = None) -> None:
        wait_s, conflict = 0.0, False
        if isinstance(error, ApiError):
            wait_s, conflict = error.retry_after_s, error.status == CONFLICT
        self._report_event(
            PlanFailed(key=plan.key, uid=plan.uid, why=why, wait_s=wait_s, conflict=conflict)
        )

    async def _write(self, plan: Plan, write: Write) -> None:
        match write:
            case Scale(deployment=name, pods=pods):
                path = f"/apis/apps/v1/namespaces/{_safe(plan.namespace)}/deployments/{_safe(name)}"
                patch = [{"op": "add", "path": "/spec/replicas", "value": pods}]
                async with self._scale_slots:
                    await self._patch(plan, f"{path}/scale", patch, JSON_PATCH)
            case PatchServerlessService(spec=spec):
                async with self._slot():
                    await self._patch(
                        plan,
                        _path(NETWORKING, plan, "serverlessservices"),
                        {"spec": spec.as_object()},
                    )
            case PatchStatus(status=status):
                async with self._slot():
                    path = _path(AUTOSCALING, plan, "podautoscalers") + "/status"
                    self._report_status(plan, await self._patch(plan, path, {"status": status}))
            case CreateServerlessService():
                async with self._slot():
                    await self._create(plan, write)

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        """For writes that may wait: one starts per turn of the loop, so that scales go first."""
        async with self._slots:
            async with self._turn:
                await asyncio.sleep(0)
            yield

    def _report_status(self, plan: Plan, answer: Object) -> None:
        try:
            written = podautoscaler(answer)
        except Exception:  # noqa: BLE001  # e.g. an empty answer; the watch has it as well
            return
        outdates = plan.key in self._plans
        self._report_event(StatusWritten(key=plan.key, object=written, outdates=outdates))

    def _report_event(self, event: Event) -> None:
        """Report; an error there must not stop other writes."""
        try:
            self._report(event)
        except Exception:
            log.exception("outcome not handled", outcome=event)

    async def _patch(self, plan: Plan, path: str, body: Any, kind: str = MERGE_PATCH) -> Object:
        self._check(plan)
        self.writes += 1
        return await self._api.patch(path, body, kind)

    async def _create(self, plan: Plan, write: CreateServerlessService) -> None:
        """Copies all labels and annotations of the PodAutoscaler, of which the cache has a few."""
        whole = await self._api.get(_path(AUTOSCALING, plan, "podautoscalers"))
        if whole["metadata"]["uid"] != plan.uid:
            raise _OutdatedError  # another object with the same name
        self._check(plan)
        self.writes += 1
        path = f"{NETWORKING}/namespaces/{_safe(plan.namespace)}/serverlessservices"
        await self._api.create(path, body_of(whole, write.spec))

    def _check(self, plan: Plan) -> None:
        """Raise _OutdatedError if the plan must not be written any more; right before a write."""
        if not self._may_write() or self._uid_of(plan.key) != plan.uid:
            raise _OutdatedError

    def _ask(self, key: str, host: str) -> None:
        if key not in self._asking:
            task = asyncio.create_task(self._keep_asking(key, host), name=f"ask {key}")
            self._asking[key] = task

    async def _keep_asking(self, key: str, host: str) -> None:
        """Ask until the activator answers, for up to `ASK_LIMIT_S`.

        The answer is valid for as long as the revision is inactive.
        """
        answered = await self._answers_in_time(host)
        # Before the report: whoever gets it may have it asked again at once.
        del self._asking[key]
        self._report_event((ActivatorAnswered if answered else ActivatorUnreachable)(key=key))

    async def _answers_in_time(self, host: str) -> bool:
        for _ in range(int(ASK_LIMIT_S / ASK_PERIOD_S)):
            if await self._answers(host):
                return True
            await asyncio.sleep(ASK_PERIOD_S)
        return False

    async def _answers(self, host: str) -> bool:
        try:
            async with self._ask_slots:
                return await self._ask_activator(host)
        except Exception:
            log.exception("activator could not be asked", host=host)
            return False


class _OutdatedError(Exception):
    """The plan is outdated: this replica does not lead, or the object was replaced."""


def _now_s() -> float:
    return asyncio.get_running_loop().time()


def _told(write: Write) -> list[tuple[str, str]] | None:
    """Kind and status of each condition; None = the write is none of a status."""
    if not isinstance(write, PatchStatus):
        return None
    return [(c["type"], c["status"]) for c in write.status.get("conditions", [])]


def _path(group: str, plan: Plan, plural: str) -> str:
    return f"{group}/namespaces/{_safe(plan.namespace)}/{plural}/{_safe(plan.name)}"


def _safe(name: str) -> str:
    """A name as part of a path. Raises ValueError for what would lead to another path."""
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name of an object")
    return name
