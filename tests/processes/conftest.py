"""The controller as a process, around a made API server, looked at from outside."""

import asyncio
import os
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar

import pytest
from websockets.asyncio.client import ClientConnection

from benchmarks.controller.processes import HERE, Running, frame, keys, running

T = TypeVar("T")
PATIENCE_S = 60.0  # until a test gives up
LAG_S, RESIDENT_MB = 0.2, 250.0
REVISIONS = 300
KUBELET = "127.0.0.3"  # an address of its own, as a node has
PROBE = b"GET / HTTP/1.1\r\nHost: autoscaler\r\nUser-Agent: kube-probe/1.31\r\n\r\n"


class Watched:
    """A controller, an activator that stays connected, and what may be said of the process."""

    def __init__(self, it: Running, activator: ClientConnection) -> None:
        self.it, self.activator = it, activator
        self._revisions = iter(keys(REVISIONS))
        next(self._revisions)  # it was used to see who leads
        self._poked: list[tuple[str, str]] = []

    @property
    def resident_mb(self) -> float:
        """What the controller holds."""
        assert self.it.controller
        status = Path(f"/proc/{self.it.controller.pid}/status").read_text()
        kib = next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]
        return int(kib) * 1024 / 1e6

    async def lag_s(self) -> float:
        """How long a probe takes; of three the best, as others use the machine too."""
        return min([await self._probe_s() for _ in range(3)])

    async def _probe_s(self) -> float:
        loop = asyncio.get_running_loop()
        begin_s = loop.time()
        reader, writer = await asyncio.open_connection(HERE, self.it.port, local_addr=(KUBELET, 0))
        writer.write(PROBE)
        answer = await asyncio.wait_for(reader.read(), PATIENCE_S)
        writer.close()
        assert answer.startswith(b"HTTP/1.1 200"), answer
        return loop.time() - begin_s

    async def is_scaled(self, pods: float = 1.0) -> None:
        """A word of the activator about the next revision is followed by a scale."""
        namespace, name = next(self._revisions)
        await self.activator.send(frame(namespace, name, pods))
        async with asyncio.timeout(PATIENCE_S):
            while (await self.it.scales.get())["scale"] != f"{namespace}/{name}-deployment":
                pass

    async def lives(self) -> None:
        """The promises: it runs, is quick, is small, and keeps its activator."""
        assert self.it.controller
        assert self.it.controller.returncode is None
        assert self.activator.close_code is None
        assert await self.lag_s() <= LAG_S
        assert self.resident_mb <= RESIDENT_MB


class Background:
    """A loop in a thread, for tests that are no coroutines."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, what: Coroutine[Any, Any, T]) -> T:
        """Run something on it."""
        return asyncio.run_coroutine_threadsafe(what, self.loop).result(10 * PATIENCE_S)

    def end(self) -> None:
        """Stop and close it."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


@pytest.fixture(scope="module")
def background() -> Iterator[Background]:
    made = Background()
    yield made
    made.end()


@pytest.fixture(scope="module")
def watched(background: Background, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """One for a whole module: whatever came before must not matter."""
    stack = AsyncExitStack()

    async def begin() -> Watched:
        folder = tmp_path_factory.mktemp("processes")
        it = await stack.enter_async_context(running(REVISIONS, folder, advised=False))
        activator = await stack.enter_async_context(await it.dial())
        return Watched(it, activator)

    yield background.run(begin())
    background.run(stack.aclose())


def for_s(default: float) -> float:
    """How long a story of random length goes on, s."""
    return float(os.environ.get("KN_AHEAD_FUZZ_S", default))
