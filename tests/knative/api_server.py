"""An API server in memory."""

import asyncio
import copy
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from knative.client.answers import Page
from knative.client.api import JSON_PATCH, MERGE_PATCH, Api, ApiError, Event, Object
from tests.knative.objects import path_of

WATCH_ENDS_S = 300.0  # s after which the server ends a watch


@dataclass(frozen=True, slots=True)
class Call:
    """A write, as it reached the API server."""

    verb: str
    path: str
    body: Any
    kind: str = ""


class FakeApi(Api):
    """Objects by path; writes change them, in memory, and whoever watches hears of it."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.objects: dict[str, Object] = {}
        self.refusals: dict[str, list[ApiError]] = {}  # by path, of the next writes there
        self.silent: set[str] = set()  # paths that never answer
        self.slow: dict[str, float] = {}  # by path, s that a write there takes
        self.terse = False  # whether answers are empty, as of a proxy in between
        self._watches: list[tuple[str, asyncio.Queue[Event | ApiError]]] = []

    def put(self, *objects: Object) -> None:
        """Objects come or change."""
        for o in objects:
            path = path_of(o["kind"], o["metadata"]["name"], o["metadata"]["namespace"])
            kind = "MODIFIED" if path in self.objects else "ADDED"
            self.objects[path] = copy.deepcopy(o)
            self._tell(kind, path)

    def remove(self, path: str) -> None:
        """An object goes."""
        self._tell("DELETED", path)
        del self.objects[path]

    def break_watches(self, path: str, error: ApiError) -> None:
        """Whoever watches a list loses its connection."""
        for watched, queue in self._watches:
            if watched == path:
                queue.put_nowait(error)

    def refuse(self, path: str, *statuses: int, retry_after_s: float = 0.0) -> None:
        """The next writes at a path are refused."""
        self.refusals[path] = [
            ApiError(f"{path}: {status}", status=status, retry_after_s=retry_after_s)
            for status in statuses
        ]

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> Object:
        if path not in self.objects:
            raise ApiError(f"GET {path}: 404", status=404)
        return copy.deepcopy(self.objects[path])

    async def page(self, path: str, query: Mapping[str, str], limit: int) -> Page:
        found = [_versioned(o) for at, o in self.objects.items() if path in _lists(at)]
        return Page.of(found, "1")

    @asynccontextmanager
    async def watch(
        self, path: str, query: Mapping[str, str]
    ) -> AsyncIterator[AsyncIterator[Event]]:
        queue: asyncio.Queue[Event | ApiError] = asyncio.Queue()
        self._watches.append((path, queue))
        try:
            yield _events(queue)
        finally:
            self._watches.remove((path, queue))

    async def create(self, path: str, body: Object) -> Object:
        await self._arrive(Call("create", path, copy.deepcopy(body)))
        at = f"{path}/{body['metadata']['name']}"
        self.objects[at] = copy.deepcopy(body)
        self._tell("ADDED", at)
        return copy.deepcopy(body)

    async def patch(self, path: str, body: Any, kind: str = MERGE_PATCH) -> Object:
        await self._arrive(Call("patch", path, copy.deepcopy(body), kind))
        at = path.removesuffix("/status").removesuffix("/scale")
        found = self.objects.get(at)
        if found is None:
            raise ApiError(f"PATCH {path}: 404", status=404)
        if kind == JSON_PATCH:
            found["spec"]["replicas"] = body[0]["value"]
        else:
            for part, values in copy.deepcopy(body).items():
                found[part] = found.get(part, {}) | values
        self._tell("MODIFIED", at)
        return {} if self.terse else copy.deepcopy(found)

    def bodies(self, path: str) -> list[Any]:
        """What was written at a path, in order."""
        return [call.body for call in self.calls if call.path == path]

    async def _arrive(self, call: Call) -> None:
        self.calls.append(call)
        await asyncio.sleep(self.slow.get(call.path, 0.0))
        if call.path in self.silent:
            await asyncio.Event().wait()
        if self.refusals.get(call.path):
            raise self.refusals[call.path].pop(0)

    def _tell(self, kind: str, path: str) -> None:
        for watched, queue in self._watches:
            if watched in _lists(path):
                queue.put_nowait(Event(kind, _versioned(self.objects[path])))


def _versioned(o: Object) -> Object:
    return {**copy.deepcopy(o), "metadata": {"resourceVersion": "1", **o["metadata"]}}


def _lists(path: str) -> tuple[str, str]:
    """Where an object is listed: with those of its namespace, and with all."""
    here = path.rpartition("/")[0]
    head, _, rest = here.partition("/namespaces/")
    return here, f"{head}/{rest.rpartition('/')[2]}"


async def _events(queue: asyncio.Queue[Event | ApiError]) -> AsyncIterator[Event]:
    with suppress(TimeoutError):
        async with asyncio.timeout(WATCH_ENDS_S):
            while True:
                event = await queue.get()
                if isinstance(event, ApiError):
                    raise event
                yield event
