"""An API server that lists and watches, and a cache that follows it."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from kubernetes.aio.client import Configuration

from autoscaler.limits import Limit
from knative.client.api import Api, Object
from knative.mirror.cache import Cache
from knative.mirror.objects import deployment
from tests.knative.client.test_api import PATH, PATIENCE_S, Answer

Changes = list[tuple[str, int | None]]


def a_deployment(name: str, pods: int, **metadata: Any) -> Object:
    return {"metadata": {"namespace": "shop", "name": name, **metadata}, "spec": {"replicas": pods}}


def replicas(o: Object) -> int:
    """What a cache keeps here: how many pods a Deployment asks for."""
    return deployment(o).replicas


class ApiServer:
    """Lists in pages and watches, as Kubernetes does; fails when told to."""

    def __init__(self) -> None:
        self.objects: dict[str, Object] = {}
        self.version = 10
        self.page_of = 500  # objects
        self.metadata_first = True  # in a list
        self.odd: list[Answer] = []  # answers to the next requests, whatever is asked
        self.gone_at = 0  # an item from which on lists are "410 Gone", 0 = nowhere
        self.watch_gone = False  # whether every watch is told that it was away too long
        self.queries: list[dict[str, str]] = []
        self.lists = 0
        self._watchers: list[asyncio.Queue[bytes | None]] = []
        self.watched = asyncio.Event()

    async def get(self, request: web.Request) -> web.StreamResponse:
        self.queries.append(dict(request.query))
        if self.odd:
            return await self.odd.pop(0)(request)
        return await (self.watch(request) if "watch" in request.query else self.list(request))

    async def list(self, request: web.Request) -> web.StreamResponse:
        begin = int(request.query.get("continue", 0))
        self.lists += begin == 0
        if self.gone_at and begin >= self.gone_at:
            return web.json_response({"message": "expired"}, status=410)
        end = begin + min(int(request.query["limit"]), self.page_of)
        metadata = {"resourceVersion": str(self.version)}
        if end < len(self.objects):
            metadata["continue"] = str(end)
        items = {"items": list(self.objects.values())[begin:end]}
        said = {"metadata": metadata}
        return web.json_response(said | items if self.metadata_first else items | said)

    async def watch(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        lines: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._watchers.append(lines)
        self.watched.set()
        if self.watch_gone:
            self.event("ERROR", {"kind": "Status", "code": 410, "message": "too old"})
            self.tell(None)
        while (line := await lines.get()) is not None:
            if line == b"cut":
                assert request.transport
                request.transport.abort()
                break
            await response.write(line)
        return response

    # --- what happens on the server -----------------------------------------------------------

    def tell(self, line: bytes | None) -> None:
        """Send a line to those who watch; b"cut" = the network, None = the end of a watch."""
        for lines in self._watchers:
            lines.put_nowait(line)
        if line is None or line == b"cut":
            self._watchers.clear()
            self.watched.clear()

    async def watches(self) -> None:
        """Wait for the next watch."""
        self.watched.clear()
        await self.watched.wait()

    def event(self, kind: str, item: Object) -> None:
        self.tell(json.dumps({"type": kind, "object": item}).encode() + b"\n")

    def put(self, o: Object, *, told: bool = True) -> None:
        self.version += 1
        name = o["metadata"]["name"]
        kind = "MODIFIED" if name in self.objects else "ADDED"
        o["metadata"]["resourceVersion"] = str(self.version)
        self.objects[name] = o
        if told:
            self.event(kind, o)

    def remove(self, name: str, *, told: bool = True) -> None:
        self.version += 1
        gone = self.objects.pop(name)
        gone["metadata"]["resourceVersion"] = str(self.version)
        if told:
            self.event("DELETED", gone)

    @property
    def held(self) -> dict[str, int]:
        """What a cache of replicas should hold."""
        return {f"shop/{name}": o["spec"]["replicas"] for name, o in self.objects.items()}


@asynccontextmanager
async def connected(
    server: ApiServer, configuration: Configuration | None = None
) -> AsyncIterator[Api]:
    app = web.Application()
    app.router.add_get(PATH, server.get)
    runner = web.AppRunner(app, shutdown_timeout=0.01)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    configuration = configuration or Configuration()
    configuration.host = f"http://127.0.0.1:{runner.addresses[0][1]}"
    api = Api(configuration)
    try:
        yield api
    finally:
        await api.close()
        server.tell(None)
        await runner.cleanup()


class Follower:
    """A cache that follows, and what was changes of it."""

    def __init__(self, server: ApiServer, **options: Any) -> None:
        self.server = server
        self.changes: Changes = []
        self.faults: list[Exception] = []  # of those who hear
        self.kept: dict[str, int] = {}
        self.reports: list[str] = []
        self.refused: list[tuple[Limit, str]] = []
        self.changed = asyncio.Event()
        self.report_faults: list[Exception] = []  # of those who hear reports
        self.cache = Cache(
            PATH,
            options.pop("parse", replicas),
            changed=self._hear,
            report=self._hear_report,
            refuse=lambda limit, who: self.refused.append((limit, who)),
            **options,
        )

    def _hear(self, key: str, pods: int | None) -> None:
        if self.faults:
            raise self.faults.pop()
        self.changes.append((key, pods))
        if pods is None:
            del self.kept[key]
        else:
            self.kept[key] = pods
        self.changed.set()

    def _hear_report(self, fault: str) -> None:
        if self.report_faults:
            raise self.report_faults.pop(0)
        self.reports.append(fault)
        self.changed.set()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds that a change or a report brings about."""
        while not holds():
            self.changed.clear()
            await self.changed.wait()

    async def catches_up(self) -> None:
        """Wait until the cache holds what the server has, and watches."""
        await self.until(lambda: self.kept == self.server.held)
        await self.server.watched.wait()
        await self.until(lambda: not self.cache.fault)


def follow(
    story: Callable[[ApiServer, Follower], Awaitable[None]], server: ApiServer, **options: Any
) -> Changes:
    """Run a story while a cache follows; returns what was changes of it."""

    async def run() -> Changes:
        async with connected(server) as api:
            follower = Follower(server, **options)
            task = asyncio.create_task(follower.cache.follow(api))
            told = asyncio.create_task(_as_task(story(server, follower)))
            try:
                await asyncio.wait([task, told], return_when=asyncio.FIRST_COMPLETED)
                if task.done():
                    told.cancel()
                    task.result()  # following never ends, unless by a fault
                told.result()
            finally:
                task.cancel()
                await asyncio.gather(task, told, return_exceptions=True)
            return follower.changes

    return asyncio.run(asyncio.wait_for(run(), PATIENCE_S))


async def _as_task(story: Awaitable[None]) -> None:
    await story


def a_server(*names: str) -> ApiServer:
    server = ApiServer()
    for i, name in enumerate(names):
        server.put(a_deployment(name, i + 1))
    return server
