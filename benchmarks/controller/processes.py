"""Controller and advisor as processes, against a fake API server."""

import asyncio
import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from benchmarks.controller.fake_objects import a_podautoscaler
from knative.statistics.wire import Stat, WireStatMessage, WireStatMessages

READY_S = 120.0  # s to start all processes, on a busy machine
HERE = "127.0.0.1"


@dataclass(slots=True)
class Running:
    """The processes, their ports, and the scale requests that arrived."""

    folder: Path
    api_port: int = 0
    port: int = 0  # the controller's, for statistics
    rest_port: int = 0
    api: asyncio.subprocess.Process | None = None
    controller: asyncio.subprocess.Process | None = None
    advisor: asyncio.subprocess.Process | None = None
    scales: "asyncio.Queue[dict[str, Any]]" = field(default_factory=asyncio.Queue)

    @property
    def environment(self) -> dict[str, str]:
        """Environment of a process that reads KUBECONFIG."""
        return {**os.environ, "KUBECONFIG": str(self.folder / "kubeconfig")}

    def folders(self) -> list[str]:
        """The options that controller and advisor share."""
        return [f"--{name}={self.folder / name}" for name in ("advice", "snapshots")]

    def pids(self) -> tuple[int, int, int]:
        """Process ids of controller, advisor and API server."""
        assert self.controller
        assert self.advisor
        assert self.api
        return self.controller.pid, self.advisor.pid, self.api.pid

    async def dial(self) -> ClientConnection:
        """Connect to the controller as an activator does."""
        return await connect(f"ws://{HERE}:{self.port}/", compression=None, proxy=None)


@asynccontextmanager
async def running(
    revisions: int,
    folder: Path,
    *,
    bundle: Path | None = None,
    advised: bool = True,
    recorded: bool = False,
) -> AsyncIterator[Running]:
    """Start all processes, wait until the controller leads and answers; ends them on exit."""
    record = [f"--record={folder / 'events'}"] if recorded else []
    it = Running(folder)
    async with AsyncExitStack() as stack:
        api = await _start(
            stack, "benchmarks.controller.fake_api", f"--revisions={revisions}", read=True
        )
        it.api = api
        assert api.stdout
        it.api_port = json.loads(await api.stdout.readline())["port"]
        (folder / "kubeconfig").write_text(_kubeconfig(it.api_port))
        it.port, it.rest_port = _free_ports(2)
        listens = f"--port={it.port}", f"--host={HERE}"
        it.controller = await _start(
            stack, "autoscaler.cli.launch", "controller", *it.folders(), *listens, *record,
            env=it.environment,
        )  # fmt: skip
        if advised:
            it.advisor = await start_advisor(stack, it, bundle)
        listening = asyncio.create_task(_listen(api.stdout, it.scales))
        stack.callback(listening.cancel)
        await asyncio.wait_for(_leads(it), READY_S)
        yield it


async def start_advisor(
    stack: AsyncExitStack, it: Running, bundle: Path | None
) -> asyncio.subprocess.Process:
    """Start an advisor beside the controller."""
    learned = [f"--bundle={bundle}"] if bundle else []
    listens = f"--api-port={it.rest_port}", f"--host={HERE}"
    return await _start(
        stack,
        "autoscaler.cli.launch",
        "advisor",
        *it.folders(),
        *learned,
        *listens,
        env=it.environment,
    )


def keys(revisions: int) -> Iterator[tuple[str, str]]:
    """Namespace and name of each revision."""
    for i in range(revisions):
        meta = a_podautoscaler(i)["metadata"]
        yield meta["namespace"], meta["name"]


def frame(namespace: str, name: str, in_flight: float) -> bytes:
    """An activator's message about one revision, encoded."""
    stat = Stat(
        pod_name="activator",
        average_concurrent_requests=in_flight,
        request_count=in_flight,
    )
    message = WireStatMessage(namespace=namespace, name=name, stat=stat)
    return bytes(WireStatMessages(messages=[message]).SerializeToString())


async def _start(
    stack: AsyncExitStack,
    module: str,
    *options: str,
    read: bool = False,
    env: dict[str, str] | None = None,
) -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *options,
        stdout=asyncio.subprocess.PIPE if read else asyncio.subprocess.DEVNULL, env=env,
    )  # fmt: skip
    stack.push_async_callback(_end, process)
    return process


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), 10)
        except TimeoutError:
            process.kill()
            await process.wait()


async def _listen(stream: asyncio.StreamReader, scales: "asyncio.Queue[dict[str, Any]]") -> None:
    async for line in stream:
        scales.put_nowait(json.loads(line))


async def _leads(it: Running) -> None:
    """Wait until a poke is followed by a scale request."""
    namespace, name = next(keys(1))
    while True:
        assert it.controller
        if it.controller.returncode is not None:
            raise RuntimeError(f"the controller ended with {it.controller.returncode}")
        try:
            async with await it.dial() as activator:
                await activator.send(frame(namespace, name, 1.0))
                await asyncio.wait_for(it.scales.get(), 1.0)
                return
        except (OSError, TimeoutError):
            await asyncio.sleep(0.1)


def _free_ports(n: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(n)]
        for one in sockets:
            one.bind((HERE, 0))
        return [one.getsockname()[1] for one in sockets]


def _kubeconfig(port: int) -> str:
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "fake", "cluster": {"server": f"http://{HERE}:{port}"}}],
            "users": [{"name": "fake", "user": {}}],
            "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "fake"}}],
            "current-context": "fake",
        }
    )
