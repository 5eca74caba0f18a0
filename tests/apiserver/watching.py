"""What happens in the cluster, as whoever watches it is told."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from knative.client.api import Api, Object


def now_text() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")  # noqa: TID251


async def followed(api: Api, path: str) -> AsyncIterator[tuple[str, Object]]:
    """Everything at a path now, and every change from now on; begins anew after any error."""
    while True:
        with contextlib.suppress(Exception):
            listed = await api.get(path)
            for item in listed["items"]:
                yield "ADDED", item
            version = listed["metadata"]["resourceVersion"]
            async with api.watch(path, {"resourceVersion": version}) as events:
                async for event in events:
                    if event.kind == "ERROR":
                        break
                    if event.kind != "BOOKMARK":
                        yield event.kind, event.object
        await asyncio.sleep(0.2)
