"""The controller that sets up ServerlessServices, and the routing of their Services."""

import asyncio
import contextlib

from aiohttp import web

from knative.client.api import MERGE_PATCH, Api, Object
from tests.apiserver.kubelet import Kubelet
from tests.apiserver.queue_proxy import answer_of
from tests.apiserver.watching import followed, now_text

SKS = "/apis/networking.internal.knative.dev/v1alpha1"


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
                load = self._kubelet.loads[key]
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
