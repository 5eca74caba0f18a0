"""The controller and the advisor as processes of their own, around a made API server."""

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

import numpy as np
from websockets.asyncio.client import ClientConnection, connect

from benchmarks.controller.made_objects import a_podautoscaler
from knative.statistics.wire import Stat, WireStatMessage, WireStatMessages

READY_S = 120.0  # until everybody is there, on a busy machine
HERE = "127.0.0.1"


@dataclass(slots=True)
class Running:
    """What runs, and what it was asked for."""

    folder: Path
    api_port: int = 0
    port: int = 0  # where activators dial
    rest_port: int = 0
    api: asyncio.subprocess.Process | None = None
    controller: asyncio.subprocess.Process | None = None
    advisor: asyncio.subprocess.Process | None = None
    scales: "asyncio.Queue[dict[str, Any]]" = field(default_factory=asyncio.Queue)

    @property
    def environment(self) -> dict[str, str]:
        """For a process that finds the cluster by itself."""
        return {**os.environ, "KUBECONFIG": str(self.folder / "kubeconfig")}

    def folders(self) -> list[str]:
        """The options that controller and advisor share."""
        return [f"--{name}={self.folder / name}" for name in ("advice", "snapshots")]

    async def dial(self) -> ClientConnection:
        """Connect as an activator does."""
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
    """Start everybody, wait until the controller leads and answers, and end them in the end."""
    record = [f"--record={folder / 'events'}"] if recorded else []
    it = Running(folder)
    async with AsyncExitStack() as stack:
        made = await _start(
            stack, "benchmarks.controller.made_api", f"--revisions={revisions}", said=True
        )
        it.api = made
        assert made.stdout
        it.api_port = json.loads(await made.stdout.readline())["port"]
        (folder / "kubeconfig").write_text(_kubeconfig(it.api_port))
        it.port, it.rest_port = _free_ports(2)
        listens = f"--port={it.port}", f"--host={HERE}"
        it.controller = await _start(
            stack, "autoscaler.cli.launch", "controller", *it.folders(), *listens, *record,
            env=it.environment,
        )  # fmt: skip
        if advised:
            it.advisor = await start_advisor(stack, it, bundle)
        listening = asyncio.create_task(_listen(made.stdout, it.scales))
        stack.callback(listening.cancel)
        await asyncio.wait_for(_leads(it), READY_S)
        yield it


async def start_advisor(
    stack: AsyncExitStack, it: Running, bundle: Path | None
) -> asyncio.subprocess.Process:
    """An advisor beside the controller."""
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
    """Namespace and name of each revision, in turn."""
    for i in range(revisions):
        meta = a_podautoscaler(i)["metadata"]
        yield meta["namespace"], meta["name"]


def frame(namespace: str, name: str, in_flight: float) -> bytes:
    """What an activator says of one revision."""
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
    said: bool = False,
    env: dict[str, str] | None = None,
) -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *options,
        stdout=asyncio.subprocess.PIPE if said else asyncio.subprocess.DEVNULL, env=env,
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
    """Wait until a poke is answered by a scale."""
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
            "clusters": [{"name": "made", "cluster": {"server": f"http://{HERE}:{port}"}}],
            "users": [{"name": "made", "user": {}}],
            "contexts": [{"name": "made", "context": {"cluster": "made", "user": "made"}}],
            "current-context": "made",
        }
    )


def percentile(values: list[float], share: float) -> float:
    """In ms."""
    return float(np.percentile(values, 100 * share)) * 1e3
