"""One of several candidates for the same leases."""

import asyncio
from collections.abc import Awaitable, Callable

from autoscaler.clock import SimulatedClock
from knative.client.api import Object
from knative.leadership.elector import Elector, Leadership
from tests.knative.conftest import NOW_S
from tests.knative.leadership.leases import (
    SYSTEM,
    Apply,
    LeaseApi,
    LeaseStore,
    Switch,
)

ONE, TWO = "autoscaler-a_10.0.0.1", "autoscaler-b_10.0.0.2"
STOCK = "autoscaler-stock_10.0.0.9"
NOW, LATER = "2023-11-14T22:13:20.000000Z", "2023-11-14T22:14:20.000000Z"


def ignore_change() -> None:
    """Nobody is interested."""


class Candidate:
    """One of several who share a store."""

    def __init__(self, store: LeaseStore, identity: str, clock: SimulatedClock | None = None):
        self.network = Switch()
        self.api = LeaseApi(store, self.network)
        self.clock = clock or SimulatedClock(NOW_S)
        self.elector = Elector(self.api, SYSTEM, identity, self.clock)

    def leadership(self) -> Leadership:
        return self.elector.leadership

    async def tries(self) -> Leadership:
        await self.elector.campaign(ignore_change)
        return self.elector.leadership


Fault = Callable[[Apply], Awaitable[Object]]


def late(before_s: float, after_s: float) -> Fault:
    """Arrives so late and is answered so late, even if whoever asked has given up."""

    async def call(apply: Apply) -> Object:
        async def serve() -> Object:
            await asyncio.sleep(before_s)
            answer = apply()
            await asyncio.sleep(after_s)
            return answer

        served = asyncio.create_task(serve())
        served.add_done_callback(lambda task: task.cancelled() or task.exception())
        return await asyncio.shield(served)

    return call
