"""A controller that acts: its writer writes to an API server in memory, which it sees again."""

import asyncio
from collections.abc import Mapping
from typing import Any

from knative.client.api import Object
from knative.controller.runtime.writer import Writer
from knative.controller.state.events import Event
from knative.controller.state.instructions import CancelWrites, Instruction
from knative.mirror.objects import podautoscaler
from tests.knative.api_server import FakeApi
from tests.knative.controller.world import World, event_of
from tests.knative.objects import path_of


class Cluster(World):
    """All that happens to it happens in an event loop."""

    def __init__(
        self,
        config: Mapping[str, str] | None = None,
        *,
        api: FakeApi | None = None,
        answers: bool = True,
    ) -> None:
        """answers: whether the activator does."""
        self.api, self.answers = api or FakeApi(), answers
        self.asked: list[str] = []  # where the activator was asked
        self._known: dict[str, Event] = {}  # by path, what was told of an object
        self.writer = Writer(
            self.api,
            self._ask,
            report=self._hear,
            may_write=lambda: True,
            uid_of=self._uid_of,
        )
        super().__init__(config)

    def handle(self, event: Event) -> list[Instruction]:
        done = super().handle(event)
        self.writer.carry_out(done)
        return done

    def _hear(self, event: Event) -> None:
        self.handle(event)

    def _uid_of(self, key: str) -> str:
        return self.controller.uid_of(key)

    def sees(self, *objects: Object) -> None:
        self.api.put(*objects)
        self.look()

    def look(self) -> None:
        """Tell how every object is that is another now: what caches do in life."""
        for path, o in self.api.objects.items():
            key = f"{o['metadata']['namespace']}/{o['metadata']['name']}"
            event = event_of(_kind(path, o), key, o)
            if self._known.get(path) != event:
                self._known[path] = event
                self.handle(event)

    async def turn(self, seconds: float = 0.0) -> None:
        """A tick after so many seconds; all that it asks for is done or fails; it is seen."""
        self.tick(seconds)
        await asyncio.sleep(0.5)
        self.look()

    async def turns(self, n: int, *keys: str, concurrency: float = 0.0) -> None:
        """So many ticks, two seconds apart, with so much in flight of revisions all the time."""
        for _ in range(n):
            self.clock.advance(2.0)
            if keys:
                self.receives(*keys, concurrency=concurrency, seconds=2)
            await self.turn()

    async def settle(self) -> None:
        """Tick until nothing is written any more; from here on writes are counted anew."""
        before = -1
        while before != len(self.api.calls):
            before = len(self.api.calls)
            await self.turn()
        self.api.calls.clear()

    def scaled(self, name: str = "cart") -> list[int]:
        """Pods that were written, in order."""
        bodies = self.api.bodies(path_of("Deployment", name) + "/scale")
        return [body[0]["value"] for body in bodies]

    def said(self, kind: str, name: str = "cart") -> tuple[str, str]:
        """Status and reason of a condition, as the API server has it."""
        found = podautoscaler(self.api.objects[path_of("PodAutoscaler", name)])
        condition = found.status.condition(kind)
        return condition.status, condition.reason

    async def end(self) -> None:
        """Nothing is under way any more."""
        self.writer.carry_out([CancelWrites()])
        await asyncio.sleep(0)

    async def _ask(self, host: str) -> bool:
        self.asked.append(host)
        return self.answers


def _kind(path: str, o: Mapping[str, Any]) -> str:
    kinds = {
        "podautoscalers": "PodAutoscaler",
        "serverlessservices": "ServerlessService",
        "deployments": "Deployment",
        "pods": "Pod",
    }
    return str(o.get("kind") or kinds[path.split("/")[-2]])
