"""An API server over real HTTP: reviews of tokens and rights, Events, leases; lists are empty."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from kubernetes.aio.client import Configuration

from knative.advisor.review import AUTHENTICATION, AUTHORIZATION
from knative.client.api import Api, Object

PROMETHEUS, UNKNOWN_TOKEN, OWN = "token-of-prometheus", "token-of-nobody", "token-of-the-advisor"
USER = {
    "username": "system:serviceaccount:monitoring:prometheus",
    "uid": "u-7",
    "groups": ["system:serviceaccounts", "system:authenticated"],
    "extra": {"authentication.kubernetes.io/pod-name": ["prometheus-0"]},
}
KUBECONFIG = """
current-context: here
clusters: [{{name: here, cluster: {{server: "http://127.0.0.1:{port}"}}}}]
users: [{{name: us, user: {{token: {token}}}}}]
contexts: [{{name: here, context: {{cluster: here, user: us}}}}]
"""


class ApiServer:
    """Knows one token, whose bearer may read some paths; keeps what it was asked."""

    def __init__(self, *paths: str) -> None:
        self.paths = paths
        self.tokens: list[str] = []  # that were reviewed
        self.rights: list[Object] = []  # that were asked about: specs of SubjectAccessReviews
        self.events: list[Object] = []
        self.bearers: set[str] = set()  # tokens of who asked
        self.odd: list[Callable[[], web.Response]] = []  # the next answers, whatever is asked

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._first()])
        app.router.add_post(AUTHENTICATION, self._token)
        app.router.add_post(AUTHORIZATION, self._right)
        app.router.add_post("/api/v1/namespaces/{namespace}/events", self._event)
        app.router.add_post("/{path:.*leases}", self._lease)
        app.router.add_put("/{path:.*leases/.*}", self._lease)
        app.router.add_get("/{path:.*}", self._get)
        return app

    def _first(self) -> Middleware:
        @web.middleware
        async def first(request: web.Request, handler: Handler) -> web.StreamResponse:
            self.bearers.add(request.headers.get("Authorization", "").removeprefix("Bearer "))
            return self.odd.pop(0)() if self.odd else await handler(request)

        return first

    async def _token(self, request: web.Request) -> web.Response:
        said = await request.json()
        self.tokens.append(said["spec"]["token"])
        known = said["spec"]["token"] == PROMETHEUS
        status = {"authenticated": True, "user": USER} if known else {"error": "unknown"}
        return web.json_response({**said, "status": status}, status=201)

    async def _right(self, request: web.Request) -> web.Response:
        said = await request.json()
        self.rights.append(said["spec"])
        asked = said["spec"]["nonResourceAttributes"]
        allowed = asked["verb"] == "get" and asked["path"] in self.paths
        return web.json_response({**said, "status": {"allowed": allowed}}, status=201)

    async def _lease(self, request: web.Request) -> web.Response:
        return web.json_response(await request.json())

    async def _get(self, request: web.Request) -> web.StreamResponse:
        if "/leases/" in request.path:
            return web.json_response({"message": "there is none"}, status=404)
        if "watch" not in request.query:
            return web.json_response({"items": [], "metadata": {"resourceVersion": "1"}})
        response = web.StreamResponse()
        await response.prepare(request)
        await asyncio.sleep(3600.0)  # nothing changes
        return response

    async def _event(self, request: web.Request) -> web.Response:
        said = await request.json()
        self.events.append(said)
        return web.json_response(said, status=201)


@asynccontextmanager
async def _listening(server: ApiServer) -> AsyncIterator[int]:
    runner = web.AppRunner(server.app(), shutdown_timeout=0.01)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def connected(server: ApiServer) -> AsyncIterator[Api]:
    """Serves in this loop; yields a client."""
    async with _listening(server) as port:
        configuration = Configuration()
        configuration.host = f"http://127.0.0.1:{port}"
        api = Api(configuration)
        try:
            yield api
        finally:
            await api.close()


@contextmanager
def kubeconfig_of(server: ApiServer, folder: Path) -> Iterator[str]:
    """Serves in a thread; yields the path of a kubeconfig that leads there."""
    loop, port = asyncio.new_event_loop(), list[int]()
    listens, stop = threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with _listening(server) as own:
            port.append(own)
            listens.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert listens.wait(30)
    path = folder / "kubeconfig"
    path.write_text(KUBECONFIG.format(port=port[0], token=OWN))
    try:
        yield str(path)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
