"""Stand-ins for what a control plane alone does not have: kubelet, the controller that sets up
ServerlessServices, queue-proxies, and the routing of Services. They speak the real protocols; all
run on one event loop in a thread of its own.
"""

import asyncio
from collections import defaultdict
from collections.abc import Coroutine
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar

from aiohttp import web
from kubernetes.aio.client import ApiClient, Configuration, CoreV1Api
from kubernetes.aio.config import load_kube_config

from knative.client.api import Api
from tests.apiserver.kubelet import Kubelet
from tests.apiserver.queue_proxy import Load
from tests.apiserver.services import ServiceController

TLS_END_S = 0.25  # until connections that were closed are

T = TypeVar("T")


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
        """Have something go on beside; `cancel` ends it."""

        async def begin() -> asyncio.Task[None]:
            task = asyncio.create_task(what)
            self._tasks.append(task)
            return task

        return self.run(begin())

    def cancel(self, *tasks: asyncio.Task[None]) -> None:
        """End what was spawned."""

        async def end() -> None:
            for task in tasks:
                task.cancel()

        self.run(end())

    async def _begin(self, kubeconfig: Path) -> None:
        settings = Configuration()
        await load_kube_config(  # type: ignore[no-untyped-call]
            config_file=str(kubeconfig), client_configuration=settings
        )
        self.api = Api(settings)
        self._client = ApiClient(settings)
        self.kubelet = Kubelet(self.api, CoreV1Api(self._client), self.loads)
        self.services = ServiceController(self.api, self.kubelet)
        self._router = web.AppRunner(self.services.router())
        await self._router.setup()
        await web.TCPSite(self._router, "127.0.0.1", 0).start()
        self.router_port = self._router.addresses[0][1]
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
        await self._client.close()  # type: ignore[no-untyped-call]
        # Handlers that a server has cancelled, it does not wait for; nor a client for its TLS.
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        await asyncio.sleep(TLS_END_S)
