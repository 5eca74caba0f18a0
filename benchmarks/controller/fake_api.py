"""A fake Kubernetes API server with what a controller lists, watches and writes.

    python -m benchmarks.controller.fake_api --revisions 10000

It holds the objects of `fake_objects`, accepts a controller's writes, and makes pods ready at once.
It prints JSON lines: its port, then each scale request with the time of its arrival on
CLOCK_MONOTONIC, which other processes can compare with theirs.
"""

import asyncio
import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Annotated, Any

import typer
from aiohttp import web

from benchmarks.controller.fake_objects import (
    a_deployment,
    a_pod,
    a_podautoscaler,
    a_serverlessservice,
    an_activator,
)
from knative.client.api import Object

OWN = "knative-serving"
ACTIVATOR = "127.0.0.1"


@dataclass(slots=True)
class Kind:
    """All objects of a kind, and the watch events of their changes."""

    objects: dict[str, Object] = field(default_factory=dict)  # by "namespace/name"
    log: list[bytes] = field(
        default_factory=list
    )  # watch events; the index is the resource version
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def put(self, key: str, item: Object | None) -> Object:
        """Add, replace, or (None) delete an object; returns it."""
        former = self.objects.pop(key, None)
        if item is not None:
            self.objects[key] = item
        kind = "DELETED" if item is None else "MODIFIED" if former else "ADDED"
        shown = former if item is None else item
        assert shown is not None
        shown["metadata"]["resourceVersion"] = str(len(self.log) + 1)
        await self.notify(json.dumps({"type": kind, "object": shown}).encode() + b"\n")
        return shown

    async def notify(self, line: bytes) -> None:
        """Send a line to all watches."""
        self.log.append(line)
        async with self.changed:
            self.changed.notify_all()


class FakeApi:
    """Answers the requests that a controller sends to an API server."""

    def __init__(self, revisions: int, on_event: Callable[[dict[str, Any]], None]) -> None:
        """on_event: called with each scale request."""
        self._on_event = on_event
        makers = {
            "podautoscalers": a_podautoscaler,
            "serverlessservices": a_serverlessservice,
            "deployments": a_deployment,
        }
        self._kinds = {
            name: Kind({_key(o): o for o in map(make, range(revisions))})
            for name, make in makers.items()
        }
        for name in ("pods", "routes", "configmaps", "leases", "events"):
            self._kinds[name] = Kind()
        self._reporters = Kind({"activator": an_activator(ACTIVATOR)})
        self._started = 0  # pods, so far

    def app(self) -> web.Application:
        """The web application."""
        app = web.Application(client_max_size=2**24)
        app.router.add_get("/{group:api|apis}/{rest:.*}", self._read)
        app.router.add_post("/{group:api|apis}/{rest:.*}", self._create)
        app.router.add_post("/made/{kind}", self._broadcast)
        app.router.add_put("/apis/{rest:.*}", self._replace)
        app.router.add_patch("/apis/{rest:.*}", self._patch)
        return app

    # --- reading ------------------------------------------------------------------------------

    async def _read(self, request: web.Request) -> web.StreamResponse:
        parts = request.path.strip("/").split("/")
        if parts[-1] not in self._kinds:
            found = self._kinds[parts[-2]].objects.get(f"{parts[-3]}/{parts[-1]}")
            return web.json_response(found or {}, status=200 if found else 404)
        own = parts[-1] == "pods" and OWN in parts
        kind = self._reporters if own else self._kinds[parts[-1]]
        if "watch" in request.query:
            return await self._watch(request, kind)
        begin, limit = int(request.query.get("continue", 0)), int(request.query.get("limit", 500))
        page = list(kind.objects.values())[begin : begin + limit]
        more = str(begin + limit) if begin + limit < len(kind.objects) else ""
        meta = {"resourceVersion": str(len(kind.log)), "continue": more}
        return web.json_response({"metadata": meta, "items": page})

    async def _broadcast(self, request: web.Request) -> web.Response:
        """Send the body, whatever it is, to all watches of a kind: for tests."""
        await self._kinds[request.match_info["kind"]].notify(await request.read())
        return web.Response()

    async def _watch(self, request: web.Request, kind: Kind) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        asked = request.query["resourceVersion"]
        at = min(int(asked), len(kind.log)) if asked.isdecimal() else len(kind.log)
        with suppress(ConnectionError):  # the client closed the watch
            while True:
                while at < len(kind.log):
                    await response.write(kind.log[at])
                    at += 1
                async with kind.changed:
                    if at == len(kind.log):
                        await kind.changed.wait()
        return response

    # --- writing ------------------------------------------------------------------------------

    async def _create(self, request: web.Request) -> web.Response:
        item = await request.json()
        kind = self._kinds[request.path.rpartition("/")[2]]
        return web.json_response(await kind.put(_key(item), item), status=201)

    async def _replace(self, request: web.Request) -> web.Response:
        item = await request.json()
        kind = self._kinds[request.path.split("/")[-2]]
        return web.json_response(await kind.put(_key(item), item))

    async def _patch(self, request: web.Request) -> web.Response:
        at_s = time.monotonic()  # noqa: TID251  # it is what is measured
        parts = request.path.strip("/").split("/")
        part = parts.pop() if parts[-1] in ("status", "scale") else "spec"
        namespace, plural, name = parts[-3:]
        key, kind, patch = f"{namespace}/{name}", self._kinds[plural], await request.json()
        item = kind.objects[key]
        if part == "scale":
            pods = patch[0]["value"]
            self._on_event({"scale": key, "pods": pods, "at_s": at_s})
            await self._start(item, pods)
            item = {**item, "spec": {**item["spec"], "replicas": pods}}
        else:
            item = {**item, part: {**item[part], **patch[part]}}
        return web.json_response(await kind.put(key, item))

    async def _start(self, deployment: Object, pods: int) -> None:
        """Create and delete pods at once."""
        meta, kind = deployment["metadata"], self._kinds["pods"]
        before = [key for key in kind.objects if key.startswith(f"{_key(deployment)}-")]
        for key in before[pods:]:
            await kind.put(key, None)
        for _ in range(pods - len(before)):
            self._started += 1
            pod = a_pod(self._started)
            name = f"{meta['name']}-{self._started}"
            pod["metadata"] |= {**meta, "name": name}
            await kind.put(f"{meta['namespace']}/{name}", pod)


def _key(item: Object) -> str:
    return f"{item['metadata']['namespace']}/{item['metadata']['name']}"


async def serve(revisions: int, on_event: Callable[[dict[str, Any]], None]) -> None:
    """Serve until cancelled; ``on_event`` gets the port first."""
    runner = web.AppRunner(FakeApi(revisions, on_event).app())
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    on_event({"port": runner.addresses[0][1]})
    await asyncio.Event().wait()


def main(revisions: Annotated[int, typer.Option(min=1)] = 10_000) -> None:
    """Serve a fake cluster until ended."""
    asyncio.run(serve(revisions, lambda event: print(json.dumps(event), flush=True)))


if __name__ == "__main__":
    typer.run(main)
