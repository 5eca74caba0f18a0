"""Carries out what the controller asks for: writes to the cluster, in order, and few at a time.

A revision has one plan under way; a newer one takes its place after the write that has begun. Pods
never wait behind statuses. A refused or failed write ends the plan of its revision alone, and the
controller hears of it.
"""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from autoscaler.errors import AutoscalerError
from knative.client.api import CONFLICT, JSON_PATCH, MERGE_PATCH, Api, ApiError, Object
from knative.controller.state.events import (
    ActivatorAnswered,
    ActivatorSilent,
    Event,
    PlanDone,
    PlanFailed,
    StatusWritten,
)
from knative.controller.state.instructions import (
    AskActivator,
    CreateServerlessService,
    GiveUp,
    Instruction,
    PatchServerlessService,
    PatchStatus,
    Plan,
    Scale,
    Write,
)
from knative.mirror.objects import AUTOSCALING, NETWORKING, podautoscaler
from knative.mirror.serverlessservice import body_of

AT_ONCE, SCALES_AT_ONCE = 48, 40  # writes under way; pods have slots of their own
ASK_PERIOD_S, ASK_LIMIT_S = 1.0, 45.0
ASKED_AT_ONCE = 64  # activators
NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")

log = logging.getLogger(__name__)


class Writer:
    """Writes what was planned."""

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

        report: hears what became of each plan. may_write: asked right before each write; nobody may
        write beside a leader. uid_of: of the PodAutoscaler "namespace/name" that is there now.
        """
        self._api, self._ask_activator, self._report = api, ask_activator, report
        self._may_write, self._uid_of = may_write, uid_of
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._begins = asyncio.Lock()
        self._scale_slots = asyncio.Semaphore(SCALES_AT_ONCE)
        self._ask_slots = asyncio.Semaphore(ASKED_AT_ONCE)
        self._plans: dict[str, Plan] = {}  # that have not begun, by "namespace/name"
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._asking: dict[str, asyncio.Task[None]] = {}
        self.writes = 0

    def carry_out(self, instructions: Iterable[Instruction]) -> None:
        """Begin with what is asked; waits for nobody."""
        for instruction in instructions:
            match instruction:
                case Plan():
                    self._begin(instruction)
                case AskActivator(key=key, host=host):
                    self._ask(key, host)
                case GiveUp():
                    self.give_up()

    def give_up(self) -> None:
        """Write nothing more of what is under way."""
        for task in (*self._tasks.values(), *self._asking.values()):
            task.cancel()
        self._tasks.clear()
        self._asking.clear()
        self._plans.clear()

    def _begin(self, plan: Plan) -> None:
        key = plan.key
        self._plans[key] = plan
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
                # An object of a shape nobody foresaw concerns its own revision only.
                log.exception("%s: a write failed", key)
                self._failed(plan, repr(error), error)
            else:
                if plan.problem:
                    self._failed(plan, plan.problem)
                elif whole:
                    self._tell(PlanDone(key=key, uid=plan.uid))
        # In the same turn as the look: a plan that comes from now on starts a task anew.
        del self._tasks[key]

    async def _write_all(self, plan: Plan) -> bool:
        """Carry out a plan; whether nothing newer came meanwhile."""
        for write in plan.writes:
            if plan.key in self._plans:
                return False
            await self._write(plan, write)
        return True

    def _failed(self, plan: Plan, why: str, error: Exception | None = None) -> None:
        wait_s, conflict = 0.0, False
        if isinstance(error, ApiError):
            wait_s, conflict = error.retry_after_s, error.status == CONFLICT
        self._tell(
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
                    self._answered(plan, await self._patch(plan, path, {"status": status}))
            case CreateServerlessService():
                async with self._slot():
                    await self._create(plan, write)

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        """For what is not urgent: one begins in a turn of the loop, so that pods go before it."""
        async with self._slots:
            async with self._begins:
                await asyncio.sleep(0)
            yield

    def _answered(self, plan: Plan, answer: Object) -> None:
        try:
            written = podautoscaler(answer)
        except Exception:  # noqa: BLE001  # an empty answer, say: the watch tells it as well
            return
        outdates = plan.key in self._plans
        self._tell(StatusWritten(key=plan.key, object=written, outdates=outdates))

    def _tell(self, event: Event) -> None:
        """Report; whoever fails to hear of it keeps nothing else from being written."""
        try:
            self._report(event)
        except Exception:
            log.exception("%s: what became of it could not be taken in", event)

    async def _patch(self, plan: Plan, path: str, body: Any, kind: str = MERGE_PATCH) -> Object:
        self._check(plan)
        self.writes += 1
        return await self._api.patch(path, body, kind)

    async def _create(self, plan: Plan, write: CreateServerlessService) -> None:
        """Its labels and annotations are the PodAutoscaler's, of which we keep only a few."""
        whole = await self._api.get(_path(AUTOSCALING, plan, "podautoscalers"))
        if whole["metadata"]["uid"] != plan.uid:
            raise _OutdatedError  # made anew: what we know of it is of the former
        self._check(plan)
        self.writes += 1
        path = f"{NETWORKING}/namespaces/{_safe(plan.namespace)}/serverlessservices"
        await self._api.create(path, body_of(whole, write.spec))

    def _check(self, plan: Plan) -> None:
        """Raise where nobody may write what was planned; right before it is written."""
        if not self._may_write() or self._uid_of(plan.key) != plan.uid:
            raise _OutdatedError

    def _ask(self, key: str, host: str) -> None:
        if key not in self._asking:
            task = asyncio.create_task(self._keep_asking(key, host), name=f"ask {key}")
            self._asking[key] = task
            task.add_done_callback(partial(_forget, self._asking, key))

    async def _keep_asking(self, key: str, host: str) -> None:
        """Ask until the activator answers, for a while.

        Its word is good for as long as the revision is inactive.
        """
        for _ in range(int(ASK_LIMIT_S / ASK_PERIOD_S)):
            if await self._answers(host):
                self._tell(ActivatorAnswered(key=key))
                return
            await asyncio.sleep(ASK_PERIOD_S)
        self._tell(ActivatorSilent(key=key))

    async def _answers(self, host: str) -> bool:
        try:
            async with self._ask_slots:
                return await self._ask_activator(host)
        except Exception:
            log.exception("the activator could not be asked at %s", host)
            return False


class _OutdatedError(Exception):
    """What is to be written is not wanted any more, or of an object that is no more."""


def _forget(tasks: dict[str, asyncio.Task[None]], key: str, task: asyncio.Task[None]) -> None:
    if tasks.get(key) is task:
        del tasks[key]


def _path(group: str, plan: Plan, plural: str) -> str:
    return f"{group}/namespaces/{_safe(plan.namespace)}/{plural}/{_safe(plan.name)}"


def _safe(name: str) -> str:
    """A name as part of a path; whatever is none would lead elsewhere."""
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name of an object")
    return name
