"""Stand-ins for what a control plane alone does not have: kubelet, the controller that sets up
ServerlessServices, queue-proxies, the routing of Services, and an activator. They speak the real
protocols; all run on one event loop in a thread of its own.
"""

import asyncio
import contextlib
import itertools
import math
from collections import defaultdict
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar

import websockets
from aiohttp import web
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.config import load_kube_config
from websockets.asyncio.client import connect

from knative.api import MERGE_PATCH, Api, Object
from knative.wire import Stat, WireStatMessage, WireStatMessages

T = TypeVar("T")
REVISION = "serving.knative.dev/revision"
SKS = "/apis/networking.internal.knative.dev/v1alpha1"
PING_S, PONG_S = 10 / 3, 10.0  # an activator's
STRATEGIC = "application/strategic-merge-patch+json"


def now_text() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")  # noqa: TID251


@dataclass
class Load:
    """What the queue-proxies of a revision report, each."""

    in_flight: float = 0.0
    requests: float = 0.0
    proxied: float = 0.0  # of both
    answer: str = "stat"  # or: hang, refuse (503), garbage, gone (the connection ends)
    uptime_s: float = 1000.0
    asked: int = 0  # how often


class World:
    """The loop in its thread, and everybody on it."""

    def __init__(self, kubeconfig: Path) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="stand-ins", daemon=True)
        self._thread.start()
        self._tasks: list[asyncio.Task[None]] = []
        self.loads: dict[str, Load] = defaultdict(Load)  # by "namespace/revision"
        self.router_port = 0
        self.run(self._begin(kubeconfig))

    def run(self, what: Coroutine[Any, Any, T]) -> T:
        """Run something on the loop, from any other thread."""
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(60)

    def spawn(self, what: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        async def begin() -> asyncio.Task[None]:
            task = asyncio.create_task(what)
            self._tasks.append(task)
            return task

        return self.run(begin())

    async def _begin(self, kubeconfig: Path) -> None:
        settings = Configuration()
        await load_kube_config(  # type: ignore[no-untyped-call]
            config_file=str(kubeconfig), client_configuration=settings
        )
        self.api = Api(ApiClient(settings))
        self.kubelet = Kubelet(self.api, self.loads)
        self.services = ServiceController(self.api, self.kubelet)
        self._router = web.AppRunner(self.services.router())
        await self._router.setup()
        site = web.TCPSite(self._router, "127.0.0.1", 0)
        await site.start()
        assert site._server is not None
        self.router_port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
        for work in (self.kubelet.follow(), self.services.follow(), self.services.follow_pods()):
            self._tasks.append(asyncio.create_task(work))

    def stop(self) -> None:
        self.run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.kubelet.stop()
        await self._router.cleanup()
        await self.api.close()


async def followed(api: Api, path: str) -> AsyncIterator[tuple[str, Object]]:
    """Everything at a path now, and every change from now on; begins anew after any error."""
    while True:
        with contextlib.suppress(Exception):
            listed = await api.get(path)
            for item in listed["items"]:
                yield "ADDED", item
            version = listed["metadata"]["resourceVersion"]
            async for event in api.watch(path, {"resourceVersion": version}):
                if event["type"] == "ERROR":
                    break
                if event["type"] != "BOOKMARK":
                    yield event["type"], event["object"]
        await asyncio.sleep(0.2)


class Kubelet:
    """Runs every pod: an address, a queue-proxy there, and the word that it is ready."""

    def __init__(self, api: Api, loads: dict[str, Load]) -> None:
        self._api, self._loads = api, loads
        self._numbers = itertools.count(1)
        self._pods: dict[str, asyncio.Task[None]] = {}
        self.ready: dict[str, set[str]] = defaultdict(set)  # addresses by "namespace/revision"
        self.start_up_s: dict[str, float] = defaultdict(lambda: 0.2)  # by "namespace/revision"
        self.grace_s = 0.0  # a pod's own, when it ends

    async def follow(self) -> None:
        async for kind, pod in followed(self._api, "/api/v1/pods"):
            uid, meta = pod["metadata"]["uid"], pod["metadata"]
            if REVISION not in (meta.get("labels") or {}):
                continue
            if kind == "DELETED" or meta.get("deletionTimestamp"):
                task = self._pods.pop(uid, None)
                if task:
                    task.cancel()
                if kind != "DELETED":
                    self._pods[f"end {uid}"] = asyncio.create_task(self._delete(pod))
            elif uid not in self._pods:
                self._pods[uid] = asyncio.create_task(self._run(pod))

    async def stop(self) -> None:
        for task in self._pods.values():
            task.cancel()
        await asyncio.gather(*self._pods.values(), return_exceptions=True)

    async def _run(self, pod: Object) -> None:
        meta = pod["metadata"]
        key = f"{meta['namespace']}/{meta['labels'][REVISION]}"
        path = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}"
        if not pod["spec"].get("nodeName"):
            node = {"apiVersion": "v1", "kind": "Node", "name": "stand-in"}
            body = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": meta["name"]}}
            with contextlib.suppress(Exception):
                await self._api.create(f"{path}/binding", body | {"target": node})
        runner = web.AppRunner(self._queue_proxy(key, meta["name"]))
        await runner.setup()
        address = ""
        try:
            address = await self._listen(runner)
            await self._say(path, address, ready=False)
            await asyncio.sleep(self.start_up_s[key])
            await self._say(path, address, ready=True)
            self.ready[key].add(address)
            await asyncio.Event().wait()
        finally:
            self.ready[key].discard(address)
            await runner.cleanup()

    async def _listen(self, runner: web.AppRunner) -> str:
        """Take the next address; one that somebody else on this machine has is left out."""
        while True:
            number = next(self._numbers)
            address = f"127.{10 + number // 62500}.{number // 250 % 250}.{number % 250 + 1}"
            with contextlib.suppress(OSError):
                await web.TCPSite(runner, address, 9090).start()
                return address

    async def _delete(self, pod: Object) -> None:
        meta = pod["metadata"]
        await asyncio.sleep(self.grace_s)
        path = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}?gracePeriodSeconds=0"
        with contextlib.suppress(Exception):
            await self._api._call("DELETE", path)

    async def _say(self, path: str, address: str, *, ready: bool) -> None:
        kinds = {"PodScheduled": True, "Initialized": True, "ContainersReady": ready}
        conditions = [
            {"type": k, "status": "True" if v else "False", "lastTransitionTime": now_text()}
            for k, v in (kinds | {"Ready": ready}).items()
        ]
        status = {
            "phase": "Running",
            "podIP": address,
            "podIPs": [{"ip": address}],
            "startTime": now_text(),
            "conditions": conditions,
        }
        for _ in range(50):
            try:
                await self._api.patch(f"{path}/status", {"status": status}, STRATEGIC)
                return
            except Exception:
                await asyncio.sleep(0.2)

    def _queue_proxy(self, key: str, pod: str) -> web.Application:
        async def metrics(request: web.Request) -> web.StreamResponse:
            return await answer_of(self._loads[key], pod, request)

        app = web.Application()
        app.router.add_get("/metrics", metrics)
        return app


async def answer_of(load: Load, pod: str, request: web.Request) -> web.StreamResponse:
    """What a queue-proxy says."""
    load.asked += 1
    if load.answer == "hang":
        await asyncio.sleep(30)
    if load.answer == "gone" and request.transport:
        request.transport.close()
    if load.answer == "refuse":
        return web.Response(status=503)
    body = stat_of(load, pod).SerializeToString()
    if load.answer == "garbage":
        body = b"\xff" * 40
    return web.Response(body=body, content_type="application/protobuf")


def stat_of(load: Load, pod: str) -> Stat:
    return Stat(
        pod_name=pod,
        average_concurrent_requests=load.in_flight,
        average_proxied_concurrent_requests=load.proxied,
        request_count=load.requests,
        proxied_request_count=load.proxied,
        process_uptime=load.uptime_s,
    )


class ServiceController:
    """Sets up every ServerlessService, and routes what is sent to its Services."""

    def __init__(self, api: Api, kubelet: Kubelet) -> None:
        self._api, self._kubelet = api, kubelet
        self._known: dict[str, Object] = {}
        self._said: dict[str, Object] = {}
        self._changed = asyncio.Event()
        self.answers = True  # whether the activator does, when probed
        self.slow_s = 0.0  # until a new ServerlessService has its Services
        self._probes: list[tuple[str, tuple[str, int]]] = []  # whom, and whence

    async def follow(self) -> None:
        async for kind, sks in followed(self._api, f"{SKS}/serverlessservices"):
            meta = sks["metadata"]
            key = f"{meta['namespace']}/{meta['name']}"
            if kind == "DELETED":
                self._known.pop(key, None)
                self._said.pop(key, None)
                continue
            if key not in self._known and self.slow_s:
                await asyncio.sleep(self.slow_s)
            self._known[key] = sks
            await self._say(key)

    async def follow_pods(self) -> None:
        while True:
            await asyncio.sleep(0.05)
            for key in list(self._known):
                await self._say(key)

    def proxied(self, key: str) -> bool:
        """Whether requests to a revision pass the activator."""
        sks = self._known.get(key)
        return not self._kubelet.ready[key] or sks is None or sks["spec"]["mode"] == "Proxy"

    async def _say(self, key: str) -> None:
        sks = self._known[key]
        meta, ready = sks["metadata"], bool(self._kubelet.ready[key])
        wanted = {
            "ActivatorEndpointsPopulated": self.proxied(key),
            "EndpointsPopulated": ready,
            "Ready": ready,
        }
        last: Object = self._said.get(key) or sks.get("status") or {}
        former = {c["type"]: c for c in last.get("conditions", [])}
        status = {
            "serviceName": meta["name"],
            "privateServiceName": f"{meta['name']}-private",
            "observedGeneration": meta["generation"],
            "conditions": [_kept(former, kind, holds=holds) for kind, holds in wanted.items()],
        }
        if self._said.get(key) == status:
            return
        path = f"{SKS}/namespaces/{meta['namespace']}/serverlessservices/{meta['name']}/status"
        with contextlib.suppress(Exception):
            await self._api.patch(path, {"status": status}, MERGE_PATCH)
            self._said[key] = status

    def callers(self, key: str) -> list[tuple[str, int]]:
        """Addresses from which it was asked whether the activator answers for a revision."""
        return [whence for whom, whence in self._probes if whom == key]

    def router(self) -> web.Application:
        """One server for the addresses of all Services."""

        async def route(request: web.Request) -> web.StreamResponse:
            name, namespace = request.host.split(":")[0].split(".")[:2]
            if request.headers.get("K-Network-Probe") == "activator":
                peer = request.transport and request.transport.get_extra_info("peername")
                self._probes.append((f"{namespace}/{name}", tuple(peer or ("", 0))))
                if self.answers and self.proxied(f"{namespace}/{name}"):
                    return web.Response(text="activator")
                return web.Response(status=400)
            key = f"{namespace}/{name.removesuffix('-private')}"
            if request.path == "/metrics" and self._kubelet.ready[key]:
                load = self._kubelet._loads[key]
                return await answer_of(load, f"pod-{load.asked}", request)
            return web.Response(status=404)

        app = web.Application()
        app.router.add_get("/{path:.*}", route)
        return app


def _kept(former: dict[str, Object], kind: str, *, holds: bool) -> Object:
    status = "True" if holds else "False" if kind.startswith("Activator") else "Unknown"
    if former.get(kind, {}).get("status") == status:
        return former[kind]
    return {"type": kind, "status": status, "lastTransitionTime": now_text()}


@dataclass
class Activator:
    """Holds its socket to the autoscaler open, as Knative's does, and reports every second."""

    port: int
    host: str = "127.0.0.1"
    in_flight: dict[str, float] = field(default_factory=dict)  # by "namespace/revision"
    skew_s: float = math.nan  # of the time stamps; NaN = none are sent
    connections: int = 0
    closed: list[int] = field(default_factory=list)  # codes
    socket: Any = None

    async def keep_connected(self) -> None:
        wait_s = 0.1
        while True:
            try:
                async with connect(
                    f"ws://{self.host}:{self.port}/",
                    compression=None,
                    open_timeout=3,
                    ping_interval=PING_S,
                    ping_timeout=PONG_S,
                ) as self.socket:
                    self.connections += 1
                    wait_s = 0.1
                    await asyncio.gather(self._report(), self._listen())
            except websockets.ConnectionClosed as error:
                self.closed.append(error.rcvd.code if error.rcvd else 1006)
            except (OSError, TimeoutError, websockets.InvalidHandshake):
                pass
            self.socket = None
            await asyncio.sleep(wait_s)
            wait_s = min(1.3 * wait_s, 5.0)

    async def poke(self, key: str) -> None:
        """The first request of a revision is told at once."""
        await self.send({key: (1.0, 1.0)})

    async def send(self, stats: dict[str, tuple[float, float]]) -> None:
        """One frame. stats: in flight and requests, by "namespace/revision"."""
        await self.socket.send(self.frame(stats))

    def frame(self, stats: dict[str, tuple[float, float]]) -> bytes:
        stamp = 0
        if not math.isnan(self.skew_s):
            stamp = int(datetime.now(UTC).timestamp() + self.skew_s)  # noqa: TID251
        messages = []
        for key, (in_flight, requests) in stats.items():
            namespace, _, name = key.partition("/")
            stat = Stat(
                pod_name="activator",
                average_concurrent_requests=in_flight,
                request_count=requests,
                timestamp=stamp,
            )
            messages.append(WireStatMessage(namespace=namespace, name=name, stat=stat))
        return bytes(WireStatMessages(messages=messages).SerializeToString())

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(1)
            if self.in_flight:
                await self.send({key: (n, n) for key, n in self.in_flight.items()})

    async def _listen(self) -> None:
        async for _ in self.socket:
            pass
        raise websockets.ConnectionClosedOK(self.socket.protocol.close_rcvd, None)
