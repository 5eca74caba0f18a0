"""The API server's own response time, over a plain connection."""

import asyncio
import re
import ssl
import time

from tests.apiserver.fleet import SPACE
from tests.apiserver.plane import ControlPlane


class Bare:
    """Requests for a scale that change nothing, one after another."""

    QUERY = "dryRun=All"

    def __init__(self, plane: ControlPlane, token: str, name: str) -> None:
        self._port, self._tls = plane.port, ssl.create_default_context(cafile=plane.certificate)
        patch = '[{"op": "add", "path": "/spec/replicas", "value": 1}]'
        path = f"/apis/apps/v1/namespaces/{SPACE}/deployments/{name}-deployment/scale"
        self._request = (
            f"PATCH {path}?{self.QUERY} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Authorization: Bearer {token}\r\nContent-Type: application/json-patch+json\r\n"
            f"Content-Length: {len(patch)}\r\n\r\n{patch}"
        ).encode()
        self.sent_s: list[float] = []  # Unix s

    async def connect(self) -> None:
        """Over one connection, as ours are."""
        self._reader, self._writer = await asyncio.open_connection(
            "127.0.0.1", self._port, ssl=self._tls
        )

    async def ask(self) -> None:
        """Send one, and read the answer."""
        self.sent_s.append(time.time())  # noqa: TID251
        self._writer.write(self._request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        assert length, head
        await self._reader.readexactly(int(length[1]))
