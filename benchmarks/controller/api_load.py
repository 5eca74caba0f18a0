"""Clients that load the REST API and its pages, in a process of their own."""

import asyncio
import multiprocessing
from contextlib import suppress

import aiohttp
import numpy as np

from benchmarks.controller.cores import run_when_idle
from benchmarks.controller.processes import HERE

PATHS = ("/v1/services?limit=1000", "/v1/dependencies?limit=1000", "/metrics", "/", "/docs")


class ApiLoad:
    """Clients that each send one request after the other."""

    def __init__(self, port: int, clients: int) -> None:
        self._answers = multiprocessing.Value("l", 0)
        self._process = multiprocessing.Process(
            target=_run, args=(port, clients, self._answers), daemon=True
        )

    def start(self) -> None:
        """Start the clients."""
        self._process.start()

    def stop(self) -> int:
        """Stop the clients; returns the number of answers."""
        self._process.kill()
        self._process.join()
        return int(self._answers.value)


def _run(
    port: int, clients: int, answers: "multiprocessing.sharedctypes.Synchronized[int]"
) -> None:
    async def client(session: aiohttp.ClientSession, seed: int) -> None:
        rng = np.random.default_rng(seed)
        while True:
            path = PATHS[rng.integers(len(PATHS))]
            with suppress(aiohttp.ClientError, TimeoutError):
                async with session.get(f"http://{HERE}:{port}{path}") as answer:
                    await answer.read()
                    answers.value += 1

    async def all_clients() -> None:
        run_when_idle()
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            await asyncio.gather(*(client(session, seed) for seed in range(clients)))

    asyncio.run(all_clients())
