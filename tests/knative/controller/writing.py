"""A writer over an API server in memory, for its tests."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from knative.controller.runtime.writer import Writer
from knative.controller.state import events as seen
from knative.controller.state.instructions import (
    CancelWrites,
    PatchServerlessService,
    PatchStatus,
    Plan,
    Scale,
    Write,
)
from knative.mirror.objects import ScaleTarget, ServiceSpec
from tests.knative.api_server import FakeApi
from tests.knative.fast_loop import run_fast
from tests.knative.objects import (
    NAMESPACE,
    a_deployment,
    a_podautoscaler,
    a_serverlessservice,
    path_of,
)

SCALE, STATUS = path_of("Deployment") + "/scale", path_of("PodAutoscaler") + "/status"
SKS = path_of("ServerlessService")
TARGET = ScaleTarget(api_version="apps/v1", kind="Deployment", name="cart-deployment")
SPEC = ServiceSpec(mode="Serve", activators=3, target=TARGET, protocol="http1")
ALL: tuple[Write, ...] = (
    Scale(deployment="cart-deployment", pods=5),
    PatchServerlessService(spec=SPEC),
    PatchStatus(status={"desiredScale": 5}),
)


class Written:
    """A writer over an API server in memory, and what it reports."""

    def __init__(self, *names: str) -> None:
        self.api = FakeApi()
        for name in names or ("cart",):
            self.api.put(a_deployment(name), a_serverlessservice(name), a_podautoscaler(name))
        self.uids = {f"{NAMESPACE}/{name}": f"uid-of-{name}" for name in names or ("cart",)}
        self.leads, self.deaf = True, False
        self.reports: list[Any] = []
        self.writer = Writer(
            self.api,
            self._ask,
            report=self._hear,
            may_write=lambda: self.leads,
            uid_of=lambda key: self.uids.get(key, ""),
        )

    def _hear(self, event: seen.Event) -> None:
        if self.deaf:
            raise RuntimeError("a fault of ours")
        self.reports.append(event)

    async def _ask(self, host: str) -> bool:
        return True

    async def does(self, *plans: Plan, seconds: float = 1.0) -> None:
        """Carry out plans that come in the same turn, for so long."""
        self.writer.carry_out(plans)
        await asyncio.sleep(seconds)

    @property
    def paths(self) -> list[str]:
        return [call.path for call in self.api.calls]

    @property
    def pods(self) -> list[int]:
        """Pods of cart that were written."""
        return [body[0]["value"] for body in self.api.bodies(SCALE)]

    @property
    def outcomes(self) -> list[Any]:
        return [e for e in self.reports if isinstance(e, seen.PlanDone | seen.PlanFailed)]


def plan(name: str = "cart", writes: tuple[Write, ...] = ALL, **more: Any) -> Plan:
    return Plan(
        **{"namespace": NAMESPACE, "name": name, "uid": f"uid-of-{name}", "writes": writes} | more
    )


def scale(pods: int, name: str = "cart") -> Plan:
    return plan(name, (Scale(deployment=f"{name}-deployment", pods=pods),))


def story(tell: Callable[[Written], Coroutine[Any, Any, None]], *names: str) -> Written:
    """Run a story; what is still under way at its end is given up."""

    async def run() -> Written:
        written = Written(*names)
        await tell(written)
        written.writer.carry_out([CancelWrites()])
        await asyncio.sleep(0)
        return written

    return run_fast(run())
