"""Whole processes in one event loop, over API servers in memory."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from knative.client.api import Object
from knative.controller.runtime.process import Process
from knative.controller.runtime.settings import ControllerSettings
from knative.leadership.elector import Leadership
from tests.knative.leadership.leases import LeaseApi, LeaseStore
from tests.knative.objects import (
    NOW_S,
    a_deployment,
    a_podautoscaler,
    a_serverlessservice,
    an_old_status,
    path_of,
)

SCALE = path_of("Deployment") + "/scale"
HERE = "127.0.0.1"
PATIENCE_S = 60.0


class LoopClock:
    """The time of the event loop, as Unix s."""

    def __init__(self) -> None:
        self._begin_s = asyncio.get_running_loop().time()
        self.broken = False

    def now(self) -> float:
        """Unix s."""
        if self.broken:
            raise RuntimeError("a clock that stands for nothing")
        return NOW_S + asyncio.get_running_loop().time() - self._begin_s


def at_zero(
    name: str = "cart", *, active: str = "False", **podautoscaler: Any
) -> tuple[Object, ...]:
    """A revision without pods; let go to zero long ago, or activating."""
    status = an_old_status(active, serviceName=name, metricsServiceName=f"{name}-private")
    status |= {"desiredScale": 0, "actualScale": 0}
    return (
        a_serverlessservice(name),
        a_deployment(name, 0),
        a_podautoscaler(name, status=status, **podautoscaler),
    )


class Running:
    """A process; it has its own view of a cluster, and shares its leases."""

    def __init__(self, store: LeaseStore | None = None, **settings: Any) -> None:
        self.api = LeaseApi(store or LeaseStore())
        self.api.put(*at_zero())
        self.clock = LoopClock()
        known: dict[str, Any] = {"host": HERE, "port": 0} | settings
        self.port = known["port"]
        self.process = Process(
            self.api, ControllerSettings(**known), self.clock, plain=False, scrapes=8
        )
        self.stop = asyncio.Event()
        self.task: asyncio.Task[int] | None = None

    def start(self) -> None:
        self.task = asyncio.create_task(self.process.serve(self.stop))

    async def end(self) -> int:
        """It is told to stop; returns its exit code."""
        assert self.task
        self.stop.set()
        return await self.task

    async def crash(self) -> None:
        """It ends without a word to anybody."""
        assert self.task
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task

    async def run(self, seconds: float) -> int:
        """From start to end."""
        self.start()
        await asyncio.sleep(seconds)
        return await self.end()

    @property
    def leadership(self) -> Leadership:
        return self.process.controller.leadership

    @property
    def scaled(self) -> list[int]:
        return [body[0]["value"] for body in self.api.bodies(SCALE)]

    @property
    def wanted(self) -> list[int]:
        return list(self.process.controller.fleet.decision.want.tolist())

    async def until(self, holds: Callable[[], object]) -> None:
        """Wait until something holds."""
        async with asyncio.timeout(PATIENCE_S):
            while not holds():
                await asyncio.sleep(0.01)

    def fault(self, part: str) -> str:
        fault = self.process.controller.health.by_part.get(part)
        return fault.why if fault else ""
