"""A load balancer before the API server: it opens when it is told to, and ends watches early."""

import ssl
from pathlib import Path

import aiohttp
from aiohttp import web

from tests.apiserver.plane import ControlPlane, free_ports

WATCH_S = 2.0


class Balancer:
    """Passes requests on, from a port of its own."""

    def __init__(self, plane: ControlPlane) -> None:
        (self.port,), self._plane = free_ports(1), plane
        self.watches = 0  # that go on

    def kubeconfig(self, user: str, token: str, folder: Path) -> str:
        """A kubeconfig that leads here."""
        text = self._plane.kubeconfig(user, token).read_text()
        made = folder / "balanced.kubeconfig"
        made.write_text(text.replace(self._plane.server, f"http://127.0.0.1:{self.port}"))
        return str(made)

    async def open(self) -> None:
        """From now on it answers."""
        trusted = ssl.create_default_context(cafile=str(self._plane.certificate))
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusted))
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._pass)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()

    async def close(self) -> None:
        """Let all go."""
        await self._runner.cleanup()
        await self._session.close()

    async def _pass(self, request: web.Request) -> web.StreamResponse:
        query, watch = dict(request.query), "watch" in request.query
        if watch:
            query["timeoutSeconds"] = f"{WATCH_S:.0f}"
        kept = ("Authorization", "Content-Type", "Accept")
        headers = {name: request.headers[name] for name in kept if name in request.headers}
        self.watches += watch
        try:
            async with self._session.request(
                request.method,
                f"{self._plane.server}{request.path}",
                params=query,
                data=await request.read(),
                headers=headers,
            ) as answer:
                made = web.StreamResponse(status=answer.status)
                made.content_type = answer.content_type
                await made.prepare(request)
                async for piece in answer.content.iter_any():
                    await made.write(piece)
                await made.write_eof()
                return made
        finally:
            self.watches -= watch
