"""A kubelet: it runs every pod of a revision, with a queue-proxy at an address of its own."""

import asyncio
import contextlib
import itertools
from collections import defaultdict

from aiohttp import web
from kubernetes.aio.client import CoreV1Api

from knative.client.api import Api, Object
from tests.apiserver.queue_proxy import Load, answer_of
from tests.apiserver.watching import followed, now_text

REVISION = "serving.knative.dev/revision"
STRATEGIC = "application/strategic-merge-patch+json"


class Kubelet:
    """Runs every pod: an address, a queue-proxy there, and the word that it is ready."""

    def __init__(self, api: Api, core: CoreV1Api, loads: dict[str, Load]) -> None:
        self._api, self._core, self.loads = api, core, loads
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
        with contextlib.suppress(Exception):
            await self._core.delete_namespaced_pod(
                meta["name"], meta["namespace"], grace_period_seconds=0
            )

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
            except Exception:  # noqa: BLE001
                await asyncio.sleep(0.2)

    def _queue_proxy(self, key: str, pod: str) -> web.Application:
        async def metrics(request: web.Request) -> web.StreamResponse:
            return await answer_of(self.loads[key], pod, request)

        app = web.Application()
        app.router.add_get("/metrics", metrics)
        return app
